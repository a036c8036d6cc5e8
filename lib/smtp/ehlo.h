/* smtp/ehlo - what a server offers in its answer to EHLO (RFC 5321 section 4.1.1.1).
 * Pure. Callers: smtp. */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include "smtp/reply.h"

struct smtp_extensions {
    bool has_pipelining;         /* RFC 2920 */
    bool has_size;               /* RFC 1870 */
    uint64_t size_limit;         /* 0: none stated */
    bool has_8bitmime;           /* RFC 6152 */
    bool has_status_codes;       /* RFC 2034 */
    bool has_starttls;           /* RFC 3207 */
    bool has_dsn;                /* RFC 3461 */
    bool has_smtputf8;           /* RFC 6531 */
    bool has_chunking;           /* RFC 3030 */
    bool has_auth;               /* RFC 4954 */
    struct span auth_mechanisms; /* space-separated, points into the reply */
    struct span server_name;     /* first word of the greeting line, likewise */
};

/* reply: a 250 reply as smtp_reply_parse() gave it. Unknown and malformed keywords are ignored;
 * of a repeated one the last counts. */
void smtp_extensions_parse(const struct smtp_reply *reply, struct smtp_extensions *extensions);

#endif
