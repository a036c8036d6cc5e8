/* smtp/parameter - the ESMTP parameters of MAIL and RCPT (RFC 5321 section 4.1.2).
 * Interface: smtp_parameters_parse(). Pure. A new parameter is a row of the table in parameter.c
 * and a field here. Callers: lib/smtpsession. */
#ifndef SMTP_PARAMETER_H
#define SMTP_PARAMETER_H

#include "base/buffer.h"
#include "base/outcome.h"
#include "base/parse.h"

enum smtp_body { SMTP_BODY_UNSPECIFIED, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

enum smtp_return { SMTP_RETURN_UNSPECIFIED, SMTP_RETURN_FULL, SMTP_RETURN_HEADERS };

/* NOTIFY= of RFC 3461 section 4.1; none set: not specified. */
enum {
    SMTP_NOTIFY_NEVER = 1 << 0, /* excludes the others */
    SMTP_NOTIFY_SUCCESS = 1 << 1,
    SMTP_NOTIFY_FAILURE = 1 << 2,
    SMTP_NOTIFY_DELAY = 1 << 3
};

/* RFC 3461 sections 4.4 and 4.2. */
enum { SMTP_ENVID_MAX_BYTES = 100, SMTP_ORCPT_MAX_BYTES = 500 };

/* HOLDFOR= and HOLDUNTIL= of RFC 4865. */
enum smtp_hold { SMTP_HOLD_NONE, SMTP_HOLD_FOR, SMTP_HOLD_UNTIL };

/* BY= of RFC 2852: what is to happen when the time is over. */
enum smtp_by_mode { SMTP_BY_NONE, SMTP_BY_NOTIFY, SMTP_BY_RETURN };

enum { SMTP_PRIORITY_MIN = -9, SMTP_PRIORITY_MAX = 9 }; /* RFC 6710 section 4 */

struct smtp_parameters {
    bool has_size;
    uint64_t size_bytes; /* RFC 1870 */
    enum smtp_body body; /* RFC 6152 */
    bool has_smtputf8;   /* RFC 6531 */
    bool has_requiretls; /* RFC 8689 */
    bool has_dsn;        /* any of those that follow, RFC 3461 */
    enum smtp_return ret;
    struct span envid; /* checked xtext, as it came; points into the text */
    bool has_auth;
    struct span auth; /* RFC 4954 section 5: "<>" or checked xtext, as it came */
    enum smtp_hold hold;
    int64_t hold_time_s;    /* so many seconds, or a time since 1970 */
    struct span hold_value; /* as it came */
    enum smtp_by_mode by_mode;
    bool has_by_trace;
    int64_t by_time_s;
    bool has_priority;
    int priority;
    struct span verp;  /* "XVERP" or "XVERP=" and delimiters, as it came; empty: absent */
    unsigned notify;   /* SMTP_NOTIFY_ */
    struct span orcpt; /* type, ";" and checked xtext, likewise */
};

enum smtp_parameter_command { SMTP_PARAMETER_MAIL = 1, SMTP_PARAMETER_RCPT = 2 };

/* Words after the path. On anything but PARSE_OK *refusal is the reply, of which *word, where not
 * empty, is the end. */
MUST_USE enum parse_result smtp_parameters_parse(struct span text,
                                                 enum smtp_parameter_command command,
                                                 struct smtp_parameters *parameters,
                                                 struct outcome *refusal, struct span *word);
/* An ORCPT that may have UTF-8 in it, in the form that may go anywhere (RFC 6533 section 3). */
void smtp_orcpt_append_ascii(struct span orcpt, struct buffer *output);

#endif
