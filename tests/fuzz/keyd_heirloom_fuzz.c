/* tests/fuzz/keyd_heirloom - keys that come from another keyd: what is taken is a key with its own
 * certificate, and travels on as the same. */
#include "../../keyd/heirloom.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct tls_chains chains, again;
    struct key_set set;
    struct buffer records;
    tls_chains_init(&chains, "fuzz", 0, NULL, NULL);
    tls_chains_init(&again, "fuzz", 0, NULL, NULL);
    heirlooms_read(span_of(bytes, length), &chains);
    ASSERT(chains.count <= TLS_CHAINS_MAX);
    key_set_fill(&set, &chains, TLS_KEY_STATUS_FOUND);
    buffer_init(&records, NULL, 1 << 20);
    heirlooms_append(&set, &records);
    heirlooms_read(buffer_span(&records), &again);
    for (size_t i = 0; i < again.count; i++)
        ASSERT(key_set_find(&set, span_of(again.items[i].digest, TLS_KEY_DIGEST_BYTES)));
    buffer_release(&records);
    tls_chains_clear(&again);
    key_set_release(&set);
    return 0;
}
