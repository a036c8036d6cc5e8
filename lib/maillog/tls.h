/* maillog/tls - the line that says how well a session is protected, in Postfix's shape; server and
 * client write the same. Callers: smtpd, smtp. */
#ifndef MAILLOG_TLS_H
#define MAILLOG_TLS_H

#include "maillog/log.h"

enum { LOG_TLS_WORD_MAX_BYTES = 64 };

/* What is known of the other side. */
enum log_tls_trust {
    LOG_TLS_ANONYMOUS, /* it showed no certificate */
    LOG_TLS_UNTRUSTED, /* one that nobody whom we trust vouches for */
    LOG_TLS_TRUSTED,   /* a good one, of whomever */
    LOG_TLS_VERIFIED   /* it is the one that was meant */
};

/* How a session is protected; tls/facts fills it. Words that are not known are empty. */
struct log_tls {
    char protocol[LOG_TLS_WORD_MAX_BYTES]; /* "TLSv1.3" */
    char cipher[LOG_TLS_WORD_MAX_BYTES];   /* "TLS_AES_256_GCM_SHA384" */
    int used_bits;
    int algorithm_bits;
    char key_exchange[LOG_TLS_WORD_MAX_BYTES];     /* "X25519", "ECDHE (P-256)" */
    char server_signature[LOG_TLS_WORD_MAX_BYTES]; /* "RSA-PSS (2048 bits)" */
    char server_digest[LOG_TLS_WORD_MAX_BYTES];    /* "SHA256" */
    char client_signature[LOG_TLS_WORD_MAX_BYTES];
    char client_digest[LOG_TLS_WORD_MAX_BYTES];
    bool is_resumed; /* a session that was made earlier */
};

/* "established" or, for a connection of an earlier delivery, "reused"; "from" a client, with the
 * name that it asked for (may be empty), or "to" a server. */
enum log_tls_event { LOG_TLS_FROM, LOG_TLS_TO, LOG_TLS_REUSED_TO };

/* peer: "mx.example.net[198.51.100.4]:25" */
void maillog_tls(struct maillog *log, enum log_tls_event event, enum log_tls_trust trust,
                 struct span peer, struct span server_name, const struct log_tls *tls);
/* " key-exchange X25519 server-signature ...", what follows the cipher there and in Received. */
void maillog_put_tls_details(struct buffer *line, const struct log_tls *tls);

#endif
