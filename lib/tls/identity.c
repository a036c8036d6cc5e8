/* tls/identity - see identity.h. */
#include "tls/identity.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "ipc/codec.h"
#include "tls/provider.h"

struct identity {
    X509 *certificate;
    STACK_OF(X509) * issuers;
    EVP_PKEY *key;
};

struct tls_identities {
    size_t holder_count;
    size_t count;
    struct identity items[TLS_CHAINS_MAX];
};

static void clear(struct identity *identity)
{
    X509_free(identity->certificate);
    sk_X509_pop_free(identity->issuers, X509_free);
    EVP_PKEY_free(identity->key);
}

/* Certificates in a row, the key's own first. */
static bool read_chain(struct span der, struct identity *identity)
{
    const unsigned char *position = der.bytes;
    const unsigned char *end = der.bytes + der.length;
    identity->issuers = sk_X509_new_null();
    while (identity->issuers && position < end && end - position <= LONG_MAX) {
        X509 *certificate = d2i_X509(NULL, &position, (long)(end - position));
        if (!certificate)
            return false;
        if (!identity->certificate)
            identity->certificate = certificate;
        else if (sk_X509_push(identity->issuers, certificate) <= 0) {
            X509_free(certificate);
            return false;
        }
    }
    EVP_PKEY *public_key = identity->certificate ? X509_get0_pubkey(identity->certificate) : NULL;
    identity->key = public_key ? tls_provider_key(public_key) : NULL;
    return identity->key != NULL;
}

struct tls_identities *tls_identities_create(struct span chains)
{
    struct tls_identities *identities = calloc(1, sizeof(*identities));
    if (!identities)
        return NULL;
    identities->holder_count = 1;
    while (!span_is_empty(chains) && identities->count < TLS_CHAINS_MAX) {
        struct ipc_key_chain chain;
        if (ipc_records_next(&chains, IPC_KEY_CHAIN, &chain) != PARSE_OK ||
            !read_chain(chain.certificates, &identities->items[identities->count++]))
            break;
        if (span_is_empty(chains))
            return identities;
    }
    ERR_clear_error();
    tls_identities_release(&identities);
    return NULL;
}

struct tls_identities *tls_identities_share(struct tls_identities *identities)
{
    if (identities)
        identities->holder_count++;
    return identities;
}

void tls_identities_release(struct tls_identities **pointer)
{
    struct tls_identities *identities = *pointer;
    *pointer = NULL;
    if (!identities || --identities->holder_count > 0)
        return;
    for (size_t i = 0; i < identities->count; i++)
        clear(&identities->items[i]);
    free(identities);
}

bool tls_identities_use(const struct tls_identities *identities, SSL *ssl)
{
    bool is_ok = true;
    SSL_certs_clear(ssl);
    for (size_t i = 0; i < identities->count && is_ok; i++) {
        const struct identity *identity = &identities->items[i];
        is_ok = SSL_use_cert_and_key(ssl, identity->certificate, identity->key, identity->issuers,
                                     1) == 1;
    }
    return is_ok;
}

/* libssl has no way to take certificates out of a context; those of another algorithm that were
 * there stay until the process goes. */
bool tls_identities_use_in_context(const struct tls_identities *identities, SSL_CTX *context)
{
    bool is_ok = true;
    for (size_t i = 0; i < identities->count && is_ok; i++) {
        const struct identity *identity = &identities->items[i];
        is_ok = SSL_CTX_use_cert_and_key(context, identity->certificate, identity->key,
                                         identity->issuers, 1) == 1;
    }
    ERR_clear_error();
    return is_ok;
}
