/* base/ascii - character classes of US-ASCII, whatever the locale says. */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

static inline bool ascii_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static inline bool ascii_is_upper(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z';
}

static inline bool ascii_is_alpha(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || ascii_is_upper(byte);
}

static inline bool ascii_is_alnum(uint8_t byte)
{
    return ascii_is_alpha(byte) || ascii_is_digit(byte);
}

/* Space, tab, CR, LF, VT, FF. */
static inline bool ascii_is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Visible characters and space. */
static inline bool ascii_is_print(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f;
}

static inline uint8_t ascii_to_lower(uint8_t byte)
{
    return ascii_is_upper(byte) ? (uint8_t)(byte | 0x20) : byte;
}

/* The value of a hexadecimal digit, or -1. */
static inline int ascii_hex_value(uint8_t byte)
{
    if (ascii_is_digit(byte))
        return byte - '0';
    const uint8_t lower = ascii_to_lower(byte);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Lower-cases length bytes in place; bytes above 127 stay. */
void ascii_lower_in_place(uint8_t *bytes, size_t length);
/* How many bytes at the start are visible characters and spaces. */
MUST_USE size_t ascii_print_length(struct span span);
/* No byte above 127. */
MUST_USE bool ascii_is_all_ascii(struct span span);

#endif
