/* smtp/received - the Received header field that we put on top (RFC 5321 section 4.4).
 * Pure. Callers: lib/smtpsession, pickup. */
#ifndef SMTP_RECEIVED_H
#define SMTP_RECEIVED_H

#include "base/buffer.h"

struct smtp_received {
    struct span helo;           /* what the client called itself; empty: it did not */
    struct span client_name;    /* "unknown" where not known */
    struct span client_address; /* as in a literal: IPv6: before an IPv6 address */
    struct span server_name;
    struct span software;
    struct span protocol; /* RFC 3848: SMTP, ESMTP ... */
    struct span queue_id;
    struct span recipient; /* empty unless there is exactly one: others stay private */
    int64_t unix_time_s;
    int offset_minutes;
    struct span zone_name;
};

/* The whole field with its last CRLF, folded as Postfix folds it. Bytes that have no place in a
 * header field become "?". */
void smtp_received_append(struct buffer *output, const struct smtp_received *received);

#endif
