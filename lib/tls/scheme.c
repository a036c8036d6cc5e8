/* tls/scheme - see scheme.h. */
#include "tls/scheme.h"

#include <openssl/objects.h>
#include <openssl/x509.h>

/* clang-format off */
static const struct tls_scheme schemes[] = {
    {0x0401, TLS_SCHEME_RSA_PKCS1, "SHA256", NULL, false},
    {0x0501, TLS_SCHEME_RSA_PKCS1, "SHA384", NULL, false},
    {0x0601, TLS_SCHEME_RSA_PKCS1, "SHA512", NULL, false},
    {0x0301, TLS_SCHEME_RSA_PKCS1, "SHA224", NULL, false},
    {0x0804, TLS_SCHEME_RSA_PSS, "SHA256", NULL, true},
    {0x0805, TLS_SCHEME_RSA_PSS, "SHA384", NULL, true},
    {0x0806, TLS_SCHEME_RSA_PSS, "SHA512", NULL, true},
    {0x0403, TLS_SCHEME_ECDSA, "SHA256", "prime256v1", true},
    {0x0503, TLS_SCHEME_ECDSA, "SHA384", "secp384r1", true},
    {0x0603, TLS_SCHEME_ECDSA, "SHA512", "secp521r1", true},
    {0x0303, TLS_SCHEME_ECDSA, "SHA224", NULL, false},
    {0x0807, TLS_SCHEME_ED25519, NULL, NULL, true},
};
/* clang-format on */

const struct tls_scheme *tls_scheme_find(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++)
        if (schemes[i].number == number)
            return &schemes[i];
    return NULL;
}

/* libcrypto calls them SHA2-256 as well as SHA256. */
static bool is_hash(struct span name, const char *hash)
{
    const struct span prefix = SPAN("SHA2-");
    if (!span_starts_with_ascii_nocase(name, prefix))
        return span_equals_ascii_nocase(name, span_from_string(hash));
    return span_equals(span_after(name, prefix.length), span_after(span_from_string(hash), 3));
}

const struct tls_scheme *tls_scheme_for(enum tls_scheme_kind kind, const char *hash)
{
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        const struct tls_scheme *scheme = &schemes[i];
        if (scheme->kind == kind &&
            (scheme->hash ? hash && is_hash(span_from_string(hash), scheme->hash) : hash == NULL))
            return scheme;
    }
    return NULL;
}

const char *tls_scheme_key_type(enum tls_scheme_kind kind)
{
    switch (kind) {
    case TLS_SCHEME_RSA_PKCS1:
    case TLS_SCHEME_RSA_PSS:
        return "RSA";
    case TLS_SCHEME_ECDSA:
        return "EC";
    case TLS_SCHEME_ED25519:
        break;
    }
    return "ED25519";
}

bool tls_key_digest(EVP_PKEY *key, uint8_t digest[TLS_KEY_DIGEST_BYTES])
{
    unsigned char *der = NULL;
    const int length = i2d_PUBKEY(key, &der);
    const bool is_ok =
        length > 0 && EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)length, digest, NULL) == 1;
    OPENSSL_free(der);
    return is_ok;
}
