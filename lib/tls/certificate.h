/* tls/certificate - who a client is, as its certificate says.
 * Interface: tls_certificate_read(), tls_certificate_append_identity(). Callers: tls/server,
 * lib/smtpsession. */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include <openssl/ssl.h>

#include "base/buffer.h"
#include "tls/verify.h"

/* RFC 5280 appendix A.1: ub-common-name counts characters; those of UTF-8 have up to four bytes. */
enum { TLS_CERTIFICATE_NAME_MAX_BYTES = 4 * 64 };

/* Texts are empty where the certificate has no such name, or one that is not fit to be shown. */
struct tls_certificate {
    bool is_trusted;                                  /* somebody whom we trust vouches for it */
    int error;                                        /* X509_V_ERR_, where nobody does */
    char subject[TLS_CERTIFICATE_NAME_MAX_BYTES + 1]; /* its common name */
    char issuer[TLS_CERTIFICATE_NAME_MAX_BYTES + 1];  /* the issuer's, or else its organization */
    char fingerprint[TLS_FINGERPRINT_MAX_BYTES];
    char key_fingerprint[TLS_FINGERPRINT_MAX_BYTES];
};

/* After the handshake. False where the peer has shown no certificate. */
MUST_USE bool tls_certificate_read(const SSL *ssl, const EVP_MD *digest,
                                   struct tls_certificate *facts);
/* For SASL's EXTERNAL: the first mailbox that the certificate is made out to (rfc822Name, RFC 5280
 * section 4.2.1.6), else its common name. Only where it is trusted; nothing where it has neither.
 */
void tls_certificate_append_identity(const SSL *ssl, struct buffer *output);

#endif
