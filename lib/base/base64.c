/* base/base64 - see base64.h. */
#include "base/base64.h"

#include "base/ascii.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct span input, struct buffer *output)
{
    for (size_t i = 0; i < input.length; i += 3) {
        const size_t count = input.length - i < 3 ? input.length - i : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < count ? input.bytes[i + j] : 0U);
        for (size_t j = 0; j < 4; j++)
            buffer_append_byte(output, j <= count ? (uint8_t)alphabet[group >> (18 - 6 * j) & 0x3f]
                                                  : (uint8_t)'=');
    }
}

static int value_of(uint8_t byte)
{
    if (ascii_is_upper(byte))
        return byte - 'A';
    if (ascii_is_alpha(byte))
        return byte - 'a' + 26;
    if (ascii_is_digit(byte))
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

enum parse_result base64_decode(struct span input, struct buffer *output)
{
    if (input.length % 4 != 0)
        return PARSE_MALFORMED;
    for (size_t i = 0; i < input.length; i += 4) {
        const bool is_last = i + 4 == input.length;
        size_t padding = 0;
        if (is_last && input.bytes[i + 3] == '=')
            padding = input.bytes[i + 2] == '=' ? 2 : 1;
        uint32_t group = 0;
        for (size_t j = 0; j < 4; j++) {
            const int value = j < 4 - padding ? value_of(input.bytes[i + j]) : 0;
            if (value < 0)
                return PARSE_MALFORMED;
            group = group << 6 | (uint32_t)value;
        }
        /* Bits under the padding must be zero, else two texts mean the same bytes. */
        if ((padding == 1 && (group & 0xff)) || (padding == 2 && (group & 0xffff)))
            return PARSE_MALFORMED;
        for (size_t j = 0; j < 3 - padding; j++)
            buffer_append_byte(output, (uint8_t)(group >> (16 - 8 * j)));
    }
    return buffer_ok(output) ? PARSE_OK : PARSE_TOO_LONG;
}

void hex_encode(struct span input, struct buffer *output)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < input.length; i++) {
        buffer_append_byte(output, (uint8_t)digits[input.bytes[i] >> 4]);
        buffer_append_byte(output, (uint8_t)digits[input.bytes[i] & 0xf]);
    }
}

enum parse_result hex_decode(struct span input, struct buffer *output)
{
    if (input.length % 2 != 0)
        return PARSE_MALFORMED;
    for (size_t i = 0; i < input.length; i += 2) {
        const int high = ascii_hex_value(input.bytes[i]);
        const int low = ascii_hex_value(input.bytes[i + 1]);
        if (high < 0 || low < 0)
            return PARSE_MALFORMED;
        buffer_append_byte(output, (uint8_t)(high << 4 | low));
    }
    return buffer_ok(output) ? PARSE_OK : PARSE_TOO_LONG;
}
