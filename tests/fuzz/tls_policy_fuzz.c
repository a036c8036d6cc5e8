/* tests/fuzz/tls_policy - entries of tables of policies, and digests for TLSA records. */
#include "tls/dane.h"
#include "tls/policy.h"

enum { ARENA_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct span list)
{
    if (!list.bytes)
        return;
    /* Words with one space between them. */
    ASSERT(list.length == 0 || (list.bytes[0] != ' ' && list.bytes[list.length - 1] != ' '));
    ASSERT(span_find(list, SPAN("  ")) == list.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span input = span_of(data, size);
    char problem[TLS_POLICY_PROBLEM_BYTES];
    struct tls_policy policy;
    struct tls_dane_digests digests;
    struct span bad_word;
    struct arena arena;

    arena_init(&arena, ARENA_BYTES, 0);
    if (tls_policy_parse(input, &arena, &policy, problem) == PARSE_OK) {
        check_list(policy.protocols);
        check_list(policy.exclusions);
        check_list(policy.anchor_files);
        ASSERT(!policy.matches.bytes || policy.level == TLS_LEVEL_FINGERPRINT ||
               tls_level_is_pkix(policy.level));
    } else {
        ASSERT(problem[0] != '\0');
    }
    if (tls_dane_digests_parse(input, &digests, &bad_word) == PARSE_OK)
        ASSERT(!digests.digests[0]);
    /* The bytes as a record. */
    if (size >= 3) {
        const struct tls_dane_record record = {data[0], data[1], data[2], span_after(input, 3)};
        if (tls_dane_is_usable(&record, &digests))
            ASSERT(record.usage >= TLS_DANE_TA && record.usage <= TLS_DANE_EE);
    }
    arena_destroy(&arena);
    return 0;
}
