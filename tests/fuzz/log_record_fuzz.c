/* tests/fuzz/log_record - a batch of log lines from another process. */
#include "maillog/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span rest = span_of(bytes, length);
    struct log_record record;
    struct buffer out;
    buffer_init(&out, NULL, length + (size_t)2 * MAILLOG_LINE_MAX_BYTES);
    while (log_record_next(&rest, &record) == PARSE_OK) {
        buffer_reset(&out);
        const size_t start = log_record_begin(&out, record.level, record.time_us);
        buffer_append_span(&out, record.text);
        log_record_end(&out, start);
        /* What was clean stays as it is. */
        ASSERT(span_equals(span_after(buffer_span(&out), MAILLOG_RECORD_HEAD_BYTES), record.text));
    }
    /* What was not clean becomes clean. */
    buffer_reset(&out);
    const size_t start = log_record_begin(&out, LOG_LEVEL_INFO, 0);
    buffer_append(&out, bytes, length);
    if (buffer_ok(&out)) {
        log_record_end(&out, start);
        rest = buffer_span(&out);
        ASSERT(log_record_next(&rest, &record) == PARSE_OK);
    }
    buffer_release(&out);
    return 0;
}
