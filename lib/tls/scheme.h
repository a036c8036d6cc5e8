/* tls/scheme - the signature schemes of TLS (RFC 8446 section 4.2.3) that we sign with, and other
 * words that both ends of keyd's channel use. Pure.
 * Callers: tls/provider, tls/keys, keyd. */
#ifndef TLS_SCHEME_H
#define TLS_SCHEME_H

#include <openssl/evp.h>

#include "base/span.h"

enum {
    TLS_KEY_DIGEST_BYTES = 32,
    TLS_SIGNATURE_MAX_BYTES = 1024,
    /* What one key's certificates, and all of a name, may take in a message. */
    TLS_CHAIN_MAX_BYTES = 24576,
    TLS_CHAINS_MAX = 6
};

/* What keyd says of a name. */
enum tls_key_status {
    TLS_KEY_STATUS_FOUND = 1,
    TLS_KEY_STATUS_ABSENT,  /* no certificate is configured, or none for that name */
    TLS_KEY_STATUS_REFUSED, /* the setting is "none": it is to be done without */
    TLS_KEY_STATUS_BROKEN   /* there should be one, and keyd has logged why there is not */
};

enum tls_scheme_kind {
    TLS_SCHEME_RSA_PKCS1,
    TLS_SCHEME_RSA_PSS, /* the salt as long as the hash */
    TLS_SCHEME_ECDSA,
    TLS_SCHEME_ED25519
};

struct tls_scheme {
    uint16_t number;
    enum tls_scheme_kind kind;
    const char *hash;  /* as libcrypto names it; NULL: the algorithm's own */
    const char *group; /* the curve that TLS 1.3 ties it to; NULL: any, or no curve */
    bool is_for_tls13; /* in CertificateVerify of TLS 1.3 */
};

/* NULL for a scheme that we do not sign with; those with SHA-1 are among them. */
MUST_USE const struct tls_scheme *tls_scheme_find(uint32_t number);
/* By what a signature operation of libcrypto is told. NULL as above. */
MUST_USE const struct tls_scheme *tls_scheme_for(enum tls_scheme_kind kind, const char *hash);
/* What libcrypto calls keys of that kind. */
MUST_USE const char *tls_scheme_key_type(enum tls_scheme_kind kind);

/* SHA-256 of the key's SubjectPublicKeyInfo: by that name keyd knows it. */
MUST_USE bool tls_key_digest(EVP_PKEY *key, uint8_t digest[TLS_KEY_DIGEST_BYTES]);

#endif
