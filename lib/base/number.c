/* base/number - see number.h. */
#include "base/number.h"

bool number_to_uint16(uint64_t value, uint16_t *result)
{
    if (value > UINT16_MAX)
        return false;
    *result = (uint16_t)value;
    return true;
}

bool number_to_uint32(uint64_t value, uint32_t *result)
{
    if (value > UINT32_MAX)
        return false;
    *result = (uint32_t)value;
    return true;
}

bool number_to_int64(uint64_t value, int64_t *result)
{
    if (value > INT64_MAX)
        return false;
    *result = (int64_t)value;
    return true;
}

/* 16 and above for what is no digit. */
static uint64_t digit_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return (uint64_t)(byte - '0');
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? (uint64_t)(byte - 'a' + 10) : 16;
}

static bool parse_in_base(struct span text, uint64_t base, uint64_t maximum, uint64_t *result)
{
    uint64_t value = 0;
    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        const uint64_t digit = digit_value(text.bytes[i]);
        if (digit >= base)
            return false;
        if (value > (UINT64_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    if (value > maximum)
        return false;
    *result = value;
    return true;
}

bool number_parse_uint64(struct span text, uint64_t maximum, uint64_t *result)
{
    return parse_in_base(text, 10, maximum, result);
}

bool number_parse_octal(struct span text, uint64_t maximum, uint64_t *result)
{
    return parse_in_base(text, 8, maximum, result);
}

bool number_parse_hex(struct span text, uint64_t maximum, uint64_t *result)
{
    return parse_in_base(text, 16, maximum, result);
}
