/* maillog/record - log lines on their way to logd, many in one batch.
 * A record is a level (1 byte), a time (8 bytes, microseconds since 1970), a length (2 bytes) and
 * the text; integers are big-endian.
 * Callers: maillog/log (writes), logd (reads). */
#ifndef MAILLOG_RECORD_H
#define MAILLOG_RECORD_H

#include "base/buffer.h"
#include "base/parse.h"

enum { MAILLOG_LINE_MAX_BYTES = 4096, MAILLOG_RECORD_HEAD_BYTES = 11 };

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_FATAL
};

struct log_record {
    enum log_level level;
    uint64_t time_us;
    struct span text; /* without tag; clean */
};

/* Appends a head whose length is filled in by log_record_end(); returns where the record starts. */
size_t log_record_begin(struct buffer *out, enum log_level level, uint64_t time_us);
/* Cleans and cuts the text that was appended since, and completes the head. The buffer must be ok.
 */
void log_record_end(struct buffer *out, size_t start);
/* Takes one record off *rest. Text with control characters is malformed: whoever reads log lines
 * must be able to trust that one record is one line. */
MUST_USE enum parse_result log_record_next(struct span *rest, struct log_record *record);

/* Replaces control characters, C1 included, and bytes that are not UTF-8 by question marks. */
void log_text_clean(uint8_t *bytes, size_t length);

#endif
