/* base/ascii - see ascii.h. */
#include "base/ascii.h"

void ascii_lower_in_place(uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = ascii_to_lower(bytes[i]);
}

bool ascii_is_all_ascii(struct span span)
{
    uint8_t seen = 0;
    for (size_t i = 0; i < span.length; i++)
        seen |= span.bytes[i];
    return seen < 0x80;
}
