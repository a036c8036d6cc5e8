/* dsn/xtext - see xtext.h. */
#include "dsn/xtext.h"

#include "base/ascii.h"

/* xchar: "!" to "~" without "+" and "="; hexchar: "+" and two upper-case digits. */
enum parse_result xtext_decode(struct span input, struct buffer *output)
{
    for (size_t i = 0; i < input.length; i++) {
        const uint8_t byte = input.bytes[i];
        if (byte < '!' || byte > '~' || byte == '=')
            return PARSE_MALFORMED;
        if (byte != '+') {
            buffer_append_byte(output, byte);
            continue;
        }
        if (i + 2 >= input.length)
            return PARSE_NEED_MORE;
        const int high = ascii_hex_value(input.bytes[i + 1]);
        const int low = ascii_hex_value(input.bytes[i + 2]);
        if (high < 0 || low < 0)
            return PARSE_MALFORMED;
        buffer_append_byte(output, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return buffer_ok(output) ? PARSE_OK : PARSE_TOO_LONG;
}
