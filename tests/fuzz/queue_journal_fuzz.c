/* tests/fuzz/queue_journal - a journal with whatever a crash or a disk made of its tail. */
#include "queuefile/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span rest = span_of(bytes, length);
    struct queue_record record;
    struct buffer out;
    buffer_init(&out, NULL, (size_t)8 * QUEUE_RECORD_TEXT_MAX_BYTES);
    for (size_t before = rest.length; queue_journal_next(&rest, &record); before = rest.length) {
        struct queue_record again;
        ASSERT(rest.length < before);
        buffer_reset(&out);
        queue_journal_append(&record, &out);
        struct span copy = buffer_span(&out);
        ASSERT(buffer_ok(&out) && queue_journal_next(&copy, &again) && copy.length == 0);
        ASSERT(span_equals(again.outcome.reason, record.outcome.reason));
    }
    buffer_release(&out);
    return 0;
}
