/* keyd/key_set - see key_set.h. */
#include "key_set.h"

#include "ipc/codec.h"

void key_set_fill(struct key_set *set, struct tls_chains *chains, enum tls_key_status status)
{
    *set = (struct key_set){.status = status, .chains = *chains};
    *chains = (struct tls_chains){.count = 0};
    set->chains.setting = NULL;
    set->chains.complain = NULL;
    buffer_init(&set->records, NULL, IPC_RECORDS_MAX);
    for (size_t i = 0; i < set->chains.count; i++) {
        struct buffer der;
        buffer_init(&der, NULL, TLS_CHAIN_MAX_BYTES);
        const bool is_encoded = tls_chain_encode(&set->chains.items[i], &der);
        const struct ipc_key_chain record = {.certificates = buffer_span(&der)};
        if (is_encoded)
            ipc_records_append(IPC_KEY_CHAIN, &record, &set->records);
        buffer_release(&der);
    }
    if (!buffer_ok(&set->records))
        set->status = TLS_KEY_STATUS_BROKEN;
}

void key_set_release(struct key_set *set)
{
    tls_chains_clear(&set->chains);
    buffer_release(&set->records);
}

EVP_PKEY *key_set_find(const struct key_set *set, struct span digest)
{
    for (size_t i = 0; i < set->chains.count; i++) {
        const struct tls_chain *chain = &set->chains.items[i];
        if (span_equals(digest, span_of(chain->digest, sizeof(chain->digest))))
            return chain->key;
    }
    return NULL;
}
