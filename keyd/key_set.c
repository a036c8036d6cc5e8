/* keyd/key_set - see key_set.h. */
#include "key_set.h"

#include "ipc/codec.h"

static void take(struct tls_chains *to, struct tls_chains *from)
{
    tls_chains_clear(to);
    *to = *from;
    to->setting = NULL;
    to->complain = NULL;
    to->on_file = NULL;
    *from = (struct tls_chains){.count = 0};
}

static void encode(struct key_set *set)
{
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

void key_set_fill(struct key_set *set, struct tls_chains *chains, enum tls_key_status status)
{
    *set = (struct key_set){.status = status};
    take(&set->chains, chains);
    encode(set);
}

static bool is_worse(const struct key_set *set, const struct tls_chains *chains)
{
    return set->is_inherited || set->status == TLS_KEY_STATUS_BROKEN ||
           (set->chains.complaint_count > 0 && set->chains.count < chains->count);
}

bool key_set_inherit(struct key_set *set, struct tls_chains *chains, uint32_t elder)
{
    if (elder < set->elder || chains->count == 0)
        return false;
    set->elder = elder;
    if (!is_worse(set, chains)) {
        take(&set->former, chains);
        return false;
    }
    take(&set->chains, chains);
    buffer_release(&set->records);
    set->status = TLS_KEY_STATUS_FOUND;
    set->is_inherited = true;
    encode(set);
    return true;
}

void key_set_release(struct key_set *set)
{
    tls_chains_clear(&set->chains);
    tls_chains_clear(&set->former);
    buffer_release(&set->records);
}

static EVP_PKEY *find(const struct tls_chains *chains, struct span digest)
{
    for (size_t i = 0; i < chains->count; i++) {
        const struct tls_chain *chain = &chains->items[i];
        if (span_equals(digest, span_of(chain->digest, sizeof(chain->digest))))
            return chain->key;
    }
    return NULL;
}

EVP_PKEY *key_set_find(const struct key_set *set, struct span digest)
{
    EVP_PKEY *key = find(&set->chains, digest);
    return key ? key : find(&set->former, digest);
}
