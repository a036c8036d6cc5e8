/* base/json - see json.h. */
#include "base/json.h"

#include "base/utf8.h"

void json_append_string(struct buffer *out, struct span text)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.length;) {
        const size_t length = utf8_character_length(span_after(text, i));
        const uint8_t byte = text.bytes[i];
        if (length > 1) {
            buffer_append_span(out, span_between(text, i, i + length));
            i += length;
            continue;
        }
        if (byte == '\n')
            buffer_append_string(out, "\\n");
        else if (byte == '\t')
            buffer_append_string(out, "\\t");
        else if (byte < ' ' || byte >= 0x7f)
            buffer_append_format(out, "\\u%04x", byte);
        else if (byte == '"' || byte == '\\')
            buffer_append_format(out, "\\%c", byte);
        else
            buffer_append_byte(out, byte);
        i++;
    }
    buffer_append_byte(out, '"');
}
