/* base/number - checked conversions and number texts. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <sys/types.h>

#include "base/span.h"

/* Each returns false, leaving *result alone, where the value does not fit. */
MUST_USE bool number_to_uint16(uint64_t value, uint16_t *result);
MUST_USE bool number_to_uint32(uint64_t value, uint32_t *result);
MUST_USE bool number_to_int64(uint64_t value, int64_t *result);

/* Decimal digits only, at least one, no sign, no space, not above maximum; else false. */
MUST_USE bool number_parse_uint64(struct span text, uint64_t maximum, uint64_t *result);
/* The same with 0-7. */
MUST_USE bool number_parse_octal(struct span text, uint64_t maximum, uint64_t *result);
/* The same with 0-9, a-f and A-F. */
MUST_USE bool number_parse_hex(struct span text, uint64_t maximum, uint64_t *result);

/* Big-endian integers on the wire. */
static inline uint16_t number_get_uint16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t number_get_uint32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline uint64_t number_get_uint64(const uint8_t *bytes)
{
    return (uint64_t)number_get_uint32(bytes) << 32 | number_get_uint32(bytes + 4);
}

static inline void number_put_uint16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static inline void number_put_uint32(uint8_t *bytes, uint32_t value)
{
    number_put_uint16(bytes, (uint16_t)(value >> 16));
    number_put_uint16(bytes + 2, (uint16_t)value);
}

static inline void number_put_uint64(uint8_t *bytes, uint64_t value)
{
    number_put_uint32(bytes, (uint32_t)(value >> 32));
    number_put_uint32(bytes + 4, (uint32_t)value);
}

#endif
