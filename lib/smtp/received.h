/* smtp/received - the Received header field that we put on top (RFC 5321 section 4.4).
 * Pure. Callers: lib/smtpsession, pickup. */
#ifndef SMTP_RECEIVED_H
#define SMTP_RECEIVED_H

#include "base/buffer.h"

/* How the client's connection is protected. Words that are empty are left out. */
struct smtp_received_tls {
    /* As they are registered, for the clause of RFC 8314 section 4.3. */
    struct span cipher_name;
    struct span group_name;
    /* For the comments of Postfix, where has_comments. */
    bool has_comments;
    struct span protocol; /* "TLSv1.3" */
    struct span cipher;
    int used_bits;
    int algorithm_bits;
    struct span details; /* " key-exchange X25519 ..." */
    enum { SMTP_RECEIVED_NOT_ASKED, SMTP_RECEIVED_NOT_SHOWN, SMTP_RECEIVED_SHOWN } certificate;
    struct span subject;
    struct span issuer;
    bool is_trusted;
};

struct smtp_received {
    bool has_priority; /* RFC 6710 */
    int priority;
    bool hides_client;          /* nothing about the client is said */
    struct span user;           /* who it is, to be said; or empty */
    struct span helo;           /* what the client called itself; empty: it did not */
    struct span client_name;    /* "unknown" where not known */
    struct span client_address; /* as in a literal: IPv6: before an IPv6 address */
    struct span server_name;
    struct span software;
    struct span protocol;                /* RFC 3848: SMTP, ESMTP ... */
    const struct smtp_received_tls *tls; /* NULL: it is not */
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
