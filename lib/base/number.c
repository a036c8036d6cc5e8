/* base/number - see number.h. */
#include "base/number.h"

bool number_to_uint8(uint64_t value, uint8_t *result)
{
    if (value > UINT8_MAX)
        return false;
    *result = (uint8_t)value;
    return true;
}

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

static bool parse_in_base(struct span text, uint64_t base, uint64_t maximum, uint64_t *result)
{
    uint64_t value = 0;
    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] >= '0' + base)
            return false;
        const uint64_t digit = (uint64_t)(text.bytes[i] - '0');
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
