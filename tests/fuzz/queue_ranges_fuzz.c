/* tests/fuzz/queue_ranges - a set of recipients: what is read as a whole is written the same. */
#include "queuefile/ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { INDEXES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span rest = span_of(bytes, length);
    struct queue_ranges read = {.count = 0}, written = {.count = 0};
    struct buffer out;
    size_t count = 0;
    buffer_init(&out, NULL, QUEUE_RANGES_MAX_BYTES);
    while (rest.length > 0 && queue_ranges_next(&rest, &read) == PARSE_OK) {
        ASSERT(read.range.first <= read.range.last);
        for (uint64_t i = read.range.first; i <= read.range.last && count < INDEXES_MAX; i++)
            count += queue_ranges_add(&written, (uint32_t)i, &out);
    }
    queue_ranges_finish(&written, &out);
    ASSERT(buffer_ok(&out));
    if (rest.length == 0 && count < INDEXES_MAX)
        ASSERT(span_equals(buffer_span(&out), span_of(bytes, length)));
    buffer_release(&out);
    return 0;
}
