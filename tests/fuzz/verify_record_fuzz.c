/* tests/fuzz/verify_record - a line of verify's cache: what is taken can be written, and read again
 * as the same. */
#include "../../verify/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct verify_record record, again;
    struct buffer line;
    if (verify_record_parse(span_of(bytes, length), &record) != PARSE_OK)
        return 0;
    ASSERT(record.address.length > 0 && record.address.length <= VERIFY_ADDRESS_MAX_BYTES);
    buffer_init(&line, NULL, 8192);
    verify_record_append(&record, &line);
    ASSERT(buffer_ok(&line));
    ASSERT(verify_record_parse(span_first(buffer_span(&line), line.length - 1), &again) ==
           PARSE_OK);
    ASSERT(span_equals(record.address, again.address) &&
           span_equals(record.outcome.reason, again.outcome.reason) &&
           record.outcome.kind == again.outcome.kind && record.probed_s == again.probed_s &&
           record.updated_s == again.updated_s);
    buffer_release(&line);
    return 0;
}
