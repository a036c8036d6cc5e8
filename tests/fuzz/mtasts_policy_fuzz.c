/* tests/fuzz/mtasts_policy - a policy body: what is taken can be written and read again as the
 * same, and answers the same questions. */
#include "mtasts/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct mtasts_policy policy, again;
    struct buffer text;
    struct span rest, pattern;
    size_t count = 0;
    if (mtasts_policy_parse(span_of(bytes, length), &policy) != PARSE_OK)
        return 0;
    ASSERT(policy.max_age_s <= MTASTS_MAX_AGE_S);
    buffer_init(&text, NULL, MTASTS_POLICY_MAX_BYTES);
    mtasts_policy_append(&policy, &text);
    ASSERT(buffer_ok(&text));
    ASSERT(mtasts_policy_parse(buffer_span(&text), &again) == PARSE_OK);
    ASSERT(again.mode == policy.mode && again.max_age_s == policy.max_age_s &&
           again.pattern_count == policy.pattern_count);
    for (rest = policy.text; mtasts_policy_next_pattern(&rest, &pattern); count++) {
        if (span_starts_with(pattern, SPAN("*.")))
            continue;
        ASSERT(mtasts_policy_matches(&policy, pattern));
        ASSERT(mtasts_policy_matches(&again, pattern));
    }
    ASSERT(count == policy.pattern_count);
    buffer_release(&text);
    return 0;
}
