/* tests/fuzz/sts_record - a line of stsd's cache: what is taken can be written, and read again as
 * the same. */
#include "../../stsd/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct sts_record record, again;
    struct buffer text, text_again, line;
    buffer_init(&text, NULL, MTASTS_POLICY_MAX_BYTES);
    buffer_init(&text_again, NULL, MTASTS_POLICY_MAX_BYTES);
    buffer_init(&line, NULL, 2 * MTASTS_POLICY_MAX_BYTES);
    if (sts_record_parse(span_of(bytes, length), &text, &record) == PARSE_OK) {
        sts_record_append(&record, &line);
        ASSERT(buffer_ok(&line));
        ASSERT(sts_record_parse(span_first(buffer_span(&line), line.length - 1), &text_again,
                                &again) == PARSE_OK);
        ASSERT(span_equals(record.domain, again.domain) && span_equals(record.id, again.id) &&
               span_equals(record.policy, again.policy) && record.fetched_s == again.fetched_s &&
               record.asked_s == again.asked_s);
    }
    buffer_release(&text);
    buffer_release(&text_again);
    buffer_release(&line);
    return 0;
}
