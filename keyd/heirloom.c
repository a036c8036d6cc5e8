/* keyd/heirloom - see heirloom.h. */
#include "heirloom.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "ipc/codec.h"

void heirlooms_append(const struct key_set *set, struct buffer *records)
{
    for (size_t i = 0; i < set->chains.count; i++) {
        const struct tls_chain *chain = &set->chains.items[i];
        struct buffer certificates;
        unsigned char *key = NULL;
        const int length = i2d_PrivateKey(chain->key, &key);
        buffer_init(&certificates, NULL, TLS_CHAIN_MAX_BYTES);
        if (tls_chain_encode(chain, &certificates) && length > 0) {
            const struct ipc_key_heirloom record = {.certificates = buffer_span(&certificates),
                                                    .private_key = span_of(key, (size_t)length)};
            ipc_records_append(IPC_KEY_HEIRLOOM, &record, records);
        }
        buffer_release(&certificates);
        OPENSSL_clear_free(key, length > 0 ? (size_t)length : 0);
    }
    ERR_clear_error();
}

static bool read_certificates(struct span der, struct tls_chain *chain)
{
    const unsigned char *at = der.bytes;
    const unsigned char *end = der.bytes + der.length;
    chain->certificates = sk_X509_new_null();
    while (chain->certificates && at < end) {
        X509 *certificate = d2i_X509(NULL, &at, (long)(end - at));
        if (!certificate)
            return false;
        if (sk_X509_push(chain->certificates, certificate) <= 0) {
            X509_free(certificate);
            return false;
        }
    }
    return sk_X509_num(chain->certificates) > 0;
}

static bool read_one(const struct ipc_key_heirloom *record, struct tls_chain *chain)
{
    const unsigned char *at = record->private_key.bytes;
    *chain =
        (struct tls_chain){.key = d2i_AutoPrivateKey(NULL, &at, (long)record->private_key.length)};
    return chain->key && read_certificates(record->certificates, chain) &&
           X509_check_private_key(sk_X509_value(chain->certificates, 0), chain->key) == 1 &&
           tls_key_digest(chain->key, chain->digest);
}

void heirlooms_read(struct span records, struct tls_chains *chains)
{
    struct ipc_key_heirloom record;
    while (chains->count < TLS_CHAINS_MAX && !span_is_empty(records) &&
           ipc_records_next(&records, IPC_KEY_HEIRLOOM, &record) == PARSE_OK) {
        struct tls_chain *chain = &chains->items[chains->count];
        if (read_one(&record, chain)) {
            chains->count++;
            continue;
        }
        EVP_PKEY_free(chain->key);
        sk_X509_pop_free(chain->certificates, X509_free);
        *chain = (struct tls_chain){.key = NULL};
    }
    ERR_clear_error();
}
