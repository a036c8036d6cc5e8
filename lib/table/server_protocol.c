/* table/server_protocol - see server_protocol.h. */
#include "table/server_protocol.h"

#include "base/ascii.h"

enum { SIZE_DIGITS_MAX = 9 };

/* ---- socketmap ---- */

void table_socketmap_append_request(struct span name, struct span key, struct buffer *out)
{
    buffer_append_format(out, "%zu:", name.length + 1 + key.length);
    buffer_append_span(out, name);
    buffer_append_byte(out, ' ');
    buffer_append_span(out, key);
    buffer_append_byte(out, ',');
}

enum parse_result table_socketmap_parse_reply(struct span input, struct span *payload,
                                              size_t *consumed_bytes)
{
    size_t size = 0;
    size_t i = 0;

    while (i < input.length && ascii_is_digit(input.bytes[i])) {
        if (i >= SIZE_DIGITS_MAX)
            return PARSE_MALFORMED;
        size = size * 10 + (size_t)(input.bytes[i++] - '0');
    }
    if (size > TABLE_SOCKETMAP_REPLY_MAX_BYTES)
        return PARSE_TOO_LONG;
    if (i == input.length)
        return PARSE_NEED_MORE;
    if (i == 0 || input.bytes[i] != ':')
        return PARSE_MALFORMED;
    if (input.length - i - 1 <= size)
        return PARSE_NEED_MORE;
    if (input.bytes[i + 1 + size] != ',')
        return PARSE_MALFORMED;
    *payload = span_between(input, i + 1, i + 1 + size);
    *consumed_bytes = i + size + 2;
    return PARSE_OK;
}

bool table_socketmap_read(struct span payload, enum table_result *result, struct span *text)
{
    static const struct {
        const char *word;
        enum table_result result;
    } words[] = {{"OK", TABLE_FOUND},
                 {"NOTFOUND", TABLE_NOT_FOUND},
                 {"TEMP", TABLE_ERROR},
                 {"TIMEOUT", TABLE_ERROR},
                 {"PERM", TABLE_ERROR}};
    struct span word;

    (void)span_split_once(payload, ' ', &word, text);
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (span_equals(word, span_from_string(words[i].word))) {
            *result = words[i].result;
            return true;
        }
    return false;
}

/* ---- tcp ---- */

void table_tcp_append_request(struct span key, struct buffer *out)
{
    buffer_append_string(out, "get ");
    for (size_t i = 0; i < key.length; i++) {
        const uint8_t byte = key.bytes[i];
        if (byte > ' ' && byte < 0x7f && byte != '%')
            buffer_append_byte(out, byte);
        else
            buffer_append_format(out, "%%%02x", byte);
    }
    buffer_append_byte(out, '\n');
}

static bool decode(struct span text, struct buffer *out)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] != '%') {
            buffer_append_byte(out, text.bytes[i]);
            continue;
        }
        if (i + 2 >= text.length)
            return false;
        const int high = ascii_hex_value(text.bytes[i + 1]);
        const int low = ascii_hex_value(text.bytes[i + 2]);
        if (high < 0 || low < 0)
            return false;
        buffer_append_byte(out, (uint8_t)(high * 16 + low));
        i += 2;
    }
    return true;
}

bool table_tcp_read(struct span line, enum table_result *result, struct buffer *text)
{
    if (line.length && line.bytes[line.length - 1] == '\r')
        line.length--;
    if (line.length < 4 || line.bytes[3] != ' ')
        return false;
    const struct span code = span_first(line, 3);
    if (span_equals(code, SPAN("200")))
        *result = TABLE_FOUND;
    else if (span_equals(code, SPAN("500")))
        *result = TABLE_NOT_FOUND;
    else if (span_equals(code, SPAN("400")))
        *result = TABLE_ERROR;
    else
        return false;
    return decode(span_after(line, 4), text);
}
