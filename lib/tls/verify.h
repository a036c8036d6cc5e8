/* tls/verify - is a certificate the one that was meant: names, fingerprints, and what is wrong with
 * it in Postfix's words.
 * Pure but for libcrypto. Callers: tls/client, tls/server. */
#ifndef TLS_VERIFY_H
#define TLS_VERIFY_H

#include <openssl/x509.h>

#include "base/buffer.h"

enum { TLS_FINGERPRINT_MAX_BYTES = 3 * EVP_MAX_MD_SIZE };

enum tls_name_rule {
    TLS_NAME_WILDCARD_IS_MANY = 1, /* an asterisk is any number of labels */
    TLS_NAME_NEVER_COMMON = 2      /* the subject's common name counts for nothing, not even where
                                    * there are no DNS names */
};

/* Does the certificate stand for this host (RFC 6125)? ".example.com" means any name below. */
MUST_USE bool tls_verify_has_name(X509 *certificate, struct span name, unsigned rules);

/* "AB:CD:...", of the certificate and of the public key in it. False when libcrypto fails. */
MUST_USE bool tls_fingerprint_certificate(const X509 *certificate, const EVP_MD *digest,
                                          char text[TLS_FINGERPRINT_MAX_BYTES]);
MUST_USE bool tls_fingerprint_key(const X509 *certificate, const EVP_MD *digest,
                                  char text[TLS_FINGERPRINT_MAX_BYTES]);
/* Whatever the case of letters, with colons or without. */
MUST_USE bool tls_fingerprint_equals(struct span left, struct span right);

/* Why no chain leads from it to anything trusted. */
struct tls_verify_problem {
    int error; /* X509_V_ERR_ */
    int depth;
    const X509 *certificate; /* the one that error is about; may be NULL */
    bool is_of_client;
};
/* "certificate verification failed for PEER: ..." */
void tls_verify_explain(const struct tls_verify_problem *problem, struct span peer,
                        struct buffer *text);

#endif
