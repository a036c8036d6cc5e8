/* tests/fuzz/tls_chain_fuzz - any text as keys and certificates, as one file and as two. */
#include "tls/chain.h"

static void count(void *context, const char *text)
{
    size_t *complaints = context;
    ASSERT(text[0] != '\0');
    ++*complaints;
}

static void check(struct tls_chains *chains, const size_t *complaints)
{
    tls_chains_finish(chains);
    ASSERT(chains->count <= TLS_CHAINS_MAX);
    ASSERT(*complaints == chains->complaint_count);
    for (size_t i = 0; i < chains->count; i++) {
        struct buffer der;
        buffer_init(&der, NULL, TLS_CHAIN_MAX_BYTES);
        ASSERT(tls_chain_encode(&chains->items[i], &der) && der.length > 0);
        buffer_release(&der);
    }
    tls_chains_clear(chains);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span text = span_of(bytes, length);
    struct tls_chains chains;
    size_t complaints = 0;
    tls_chains_init(&chains, "fuzz", 1795000000, count, &complaints);
    tls_chains_read(&chains, text, "text");
    check(&chains, &complaints);
    complaints = 0;
    tls_chains_init(&chains, "fuzz", 1795000000, count, &complaints);
    tls_chains_read_pair(&chains, text, "one", text, "other");
    check(&chains, &complaints);
    return 0;
}
