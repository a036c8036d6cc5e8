/* tls/settings - what main.cf says of protocols, ciphers and key exchange, made true for OpenSSL.
 * The same for servers and clients; what only one side has is in tls/server and tls/client.
 * Interface: tls_settings_apply(). Callers: tls/server, tls/client. */
#ifndef TLS_SETTINGS_H
#define TLS_SETTINGS_H

#include <openssl/ssl.h>

#include "base/buffer.h"
#include "conf/notice.h"
#include "tls/ciphers.h"

enum { TLS_CIPHER_LIST_MAX_BYTES = 8192 };

/* Texts of main.cf. Where a level makes TLS mandatory, those are its mandatory forms. */
struct tls_settings {
    const char *name;             /* "smtpd_tls": what stands before _protocols, for complaints */
    struct span protocols;        /* as tls_protocols_parse() takes them */
    unsigned unspoken;            /* the bits of those that nobody can have, whatever it says */
    struct span grade;            /* high ... null */
    struct span excluded_ciphers; /* as tls_cipher_words_check() takes them */
    struct span also_excluded;    /* likewise: mandatory_exclude_ciphers, or empty */
    struct span cipher_lists[TLS_GRADE_COUNT];
    struct span curves;
    struct span groups; /* of finite fields */
    struct span options;
    struct span disabled_workarounds;
};

/* False, and *error names the setting to mend. Compression is off and renegotiation refused
 * whatever the settings say: neither has an honest use in SMTP, and each has had its attacks. */
MUST_USE bool tls_settings_apply(const struct tls_settings *settings, SSL_CTX *context,
                                 struct conf_error *error);

/* Parts of it, for a single connection that differs from its context. */
/* The SSL_OP_NO_ bits of all protocols that are not in the set of tls_protocols_parse(). */
MUST_USE uint64_t tls_settings_protocol_options(unsigned protocols);
/* The text for SSL_set_cipher_list(), ended by a NUL; false as above. */
MUST_USE bool tls_settings_cipher_list(const struct tls_settings *settings, struct buffer *list,
                                       struct conf_error *error);

#endif
