/* maillog/record - see record.h. */
#include "maillog/record.h"

#include "base/ascii.h"
#include "base/number.h"
#include "base/utf8.h"

enum { AT_LEVEL = 0, AT_TIME = 1, AT_LENGTH = 9 };

static const char cut_mark[] = "...";

/* How many bytes at the start of a non-empty span make one character that may be logged; 0 when
 * the first byte may not. */
static size_t loggable_length(struct span rest)
{
    const uint8_t first = rest.bytes[0];
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f;
    const size_t length = utf8_character_length(rest);
    /* U+0080 to U+009F are control characters too: some terminals obey them. */
    if (length == 2 && first == 0xc2 && rest.bytes[1] < 0xa0)
        return 0;
    return length;
}

void log_text_clean(uint8_t *bytes, size_t length)
{
    for (size_t i = 0;;) {
        i += ascii_print_length(span_of(bytes + i, length - i));
        if (i == length)
            return;
        const size_t good = loggable_length(span_of(bytes + i, length - i));
        if (good == 0)
            bytes[i] = '?';
        i += good ? good : 1;
    }
}

static bool is_clean(struct span text)
{
    for (;;) {
        text = span_after(text, ascii_print_length(text));
        if (text.length == 0)
            return true;
        const size_t good = loggable_length(text);
        if (good == 0)
            return false;
        text = span_after(text, good);
    }
}

size_t log_record_begin(struct buffer *out, enum log_level level, uint64_t time_us)
{
    const size_t start = out->length;
    buffer_append_byte(out, (uint8_t)level);
    buffer_append_uint64(out, time_us);
    buffer_append_uint16(out, 0);
    return start;
}

void log_record_end(struct buffer *out, size_t start)
{
    uint8_t *text = out->bytes + start + MAILLOG_RECORD_HEAD_BYTES;
    size_t length = out->length - start - MAILLOG_RECORD_HEAD_BYTES;
    if (length > MAILLOG_LINE_MAX_BYTES) {
        length = MAILLOG_LINE_MAX_BYTES;
        memcpy(text + length - (sizeof(cut_mark) - 1), cut_mark, sizeof(cut_mark) - 1);
    }
    log_text_clean(text, length);
    out->length = start + MAILLOG_RECORD_HEAD_BYTES + length;
    number_put_uint16(out->bytes + start + AT_LENGTH, (uint16_t)length);
}

enum parse_result log_record_next(struct span *rest, struct log_record *record)
{
    if (rest->length < MAILLOG_RECORD_HEAD_BYTES)
        return PARSE_NEED_MORE;
    const size_t length = number_get_uint16(rest->bytes + AT_LENGTH);
    const struct span text = span_first(span_after(*rest, MAILLOG_RECORD_HEAD_BYTES), length);
    if (rest->bytes[AT_LEVEL] > LOG_LEVEL_FATAL)
        return PARSE_MALFORMED;
    if (length > MAILLOG_LINE_MAX_BYTES)
        return PARSE_TOO_LONG;
    if (text.length < length)
        return PARSE_NEED_MORE;
    if (!is_clean(text))
        return PARSE_MALFORMED;
    *record = (struct log_record){
        .level = (enum log_level)rest->bytes[AT_LEVEL],
        .time_us = number_get_uint64(rest->bytes + AT_TIME),
        .text = text,
    };
    *rest = span_after(*rest, MAILLOG_RECORD_HEAD_BYTES + length);
    return PARSE_OK;
}
