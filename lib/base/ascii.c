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

/* Eight bytes at a time. A byte is below 0x20 where taking that away borrows, and 0x7f where it is
 * zero after an exclusive or; a borrow may run into the byte above, whose neighbour was the reason
 * already. */
static bool has_other_than_print(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    const uint64_t deletes = eight ^ ones * 0x7f;
    return ((eight | ((eight - ones * 0x20) & ~eight) | ((deletes - ones) & ~deletes)) & tops) != 0;
}

size_t ascii_print_length(struct span span)
{
    size_t length = 0;
    for (uint64_t eight; span.length - length >= sizeof(eight); length += sizeof(eight)) {
        memcpy(&eight, span.bytes + length, sizeof(eight));
        if (has_other_than_print(eight))
            break;
    }
    while (length < span.length && ascii_is_print(span.bytes[length]))
        length++;
    return length;
}
