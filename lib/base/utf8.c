/* base/utf8 - see utf8.h. */
#include "base/utf8.h"

static bool is_continuation(struct span span, size_t index, uint8_t low, uint8_t high)
{
    return index < span.length && span.bytes[index] >= low && span.bytes[index] <= high;
}

/* The table of RFC 3629 section 4. */
size_t utf8_character_length(struct span span)
{
    if (span.length == 0)
        return 0;
    const uint8_t lead = span.bytes[0];
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return is_continuation(span, 1, 0x80, 0xbf) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        const uint8_t low = lead == 0xe0 ? 0xa0 : 0x80;
        const uint8_t high = lead == 0xed ? 0x9f : 0xbf;
        return is_continuation(span, 1, low, high) && is_continuation(span, 2, 0x80, 0xbf) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        const uint8_t low = lead == 0xf0 ? 0x90 : 0x80;
        const uint8_t high = lead == 0xf4 ? 0x8f : 0xbf;
        return is_continuation(span, 1, low, high) && is_continuation(span, 2, 0x80, 0xbf) &&
                       is_continuation(span, 3, 0x80, 0xbf)
                   ? 4
                   : 0;
    }
    return 0;
}

bool utf8_is_valid(struct span span)
{
    while (span.length) {
        const size_t length = utf8_character_length(span);
        if (length == 0)
            return false;
        span = span_after(span, length);
    }
    return true;
}
