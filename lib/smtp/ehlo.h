/* smtp/ehlo - what a server offers in its answer to EHLO (RFC 5321 section 4.1.1.1).
 * Pure. Callers: smtp. */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include "smtp/reply.h"

/* Attributes that a server takes with XFORWARD (Postfix's extension). */
enum smtp_xforward {
    SMTP_XFORWARD_NAME = 1 << 0,
    SMTP_XFORWARD_ADDR = 1 << 1,
    SMTP_XFORWARD_PORT = 1 << 2,
    SMTP_XFORWARD_PROTO = 1 << 3,
    SMTP_XFORWARD_HELO = 1 << 4,
    SMTP_XFORWARD_IDENT = 1 << 5,
    SMTP_XFORWARD_SOURCE = 1 << 6
};

/* RFC 9422; 0: not stated. */
struct smtp_limits {
    uint32_t mail_max;        /* transactions in a session */
    uint32_t rcpt_max;        /* recipients in a transaction */
    uint32_t rcpt_domain_max; /* recipients' domains in a session */
};

struct smtp_extensions {
    bool has_pipelining;   /* RFC 2920 */
    bool has_size;         /* RFC 1870 */
    uint64_t size_limit;   /* 0: none stated */
    bool has_8bitmime;     /* RFC 6152 */
    bool has_status_codes; /* RFC 2034 */
    bool has_starttls;     /* RFC 3207 */
    bool has_dsn;          /* RFC 3461 */
    bool has_smtputf8;     /* RFC 6531 */
    bool has_requiretls;   /* RFC 8689 */
    bool has_chunking;     /* RFC 3030 */
    bool has_auth;         /* RFC 4954 */
    bool has_deliver_by;   /* RFC 2852 */
    uint64_t deliver_by_min_s;
    bool has_priority; /* RFC 6710 */
    unsigned xforward; /* of enum smtp_xforward */
    struct smtp_limits limits;
    struct span auth_mechanisms; /* space-separated, points into the reply */
    struct span server_name;     /* first word of the greeting line, likewise */
};

/* reply: a 250 reply as smtp_reply_parse() gave it. Unknown and malformed keywords are ignored;
 * of a repeated one the last counts. */
void smtp_extensions_parse(const struct smtp_reply *reply, struct smtp_extensions *extensions);
/* As if the server had not offered it. An unknown keyword changes nothing. */
void smtp_extensions_discard(struct smtp_extensions *extensions, struct span keyword);

#endif
