/* conf/value - texts of typed settings. */
#include "conf/value.h"

#include "base/ascii.h"
#include "base/number.h"

bool conf_value_parse_bool(struct span text, bool *value)
{
    const bool is_yes = span_equals_ascii_nocase(text, SPAN("yes"));
    if (!is_yes && !span_equals_ascii_nocase(text, SPAN("no")))
        return false;
    *value = is_yes;
    return true;
}

bool conf_value_parse_number(struct span text, int64_t *value)
{
    uint64_t number;
    return number_parse_uint64(text, INT64_MAX, &number) && number_to_int64(number, value);
}

static int64_t milliseconds_of_unit(char unit)
{
    switch (unit) {
    case 's':
        return 1000;
    case 'm':
        return 60 * 1000;
    case 'h':
        return 3600 * 1000;
    case 'd':
        return 24 * 3600 * 1000;
    case 'w':
        return 7 * 24 * 3600 * 1000;
    default:
        return 0;
    }
}

bool conf_value_parse_time(struct span text, char default_unit, int64_t *value_ms)
{
    struct span digits = text;
    int64_t unit_ms = milliseconds_of_unit(default_unit);
    int64_t number;

    if (text.length > 0 && !ascii_is_digit(text.bytes[text.length - 1])) {
        unit_ms = milliseconds_of_unit((char)text.bytes[text.length - 1]);
        digits = span_first(text, text.length - 1);
    }
    if (unit_ms == 0 || !conf_value_parse_number(digits, &number) || number > INT64_MAX / unit_ms)
        return false;
    *value_ms = number * unit_ms;
    return true;
}

bool conf_value_is_one_of(struct span text, const char *choices)
{
    struct span rest = span_from_string(choices), choice;
    while (span_next_word(&rest, "|", &choice))
        if (span_equals_ascii_nocase(text, choice))
            return true;
    return false;
}
