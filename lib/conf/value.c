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

/* 0.25 to 250000. */
static bool parse_millionths(struct span text, int64_t *millionths)
{
    const size_t point = span_find_byte(text, '.');
    struct span fraction = point < text.length ? span_after(text, point + 1) : span_empty();
    int64_t whole = 0, unit = CONF_FEEDBACK_UNIT / 10;
    if (text.length == 0 ||
        (point > 0 && !conf_value_parse_number(span_first(text, point), &whole)))
        return false;
    if (point + 1 == text.length || whole > 1) /* "1." */
        return false;
    *millionths = whole * CONF_FEEDBACK_UNIT;
    for (size_t i = 0; i < fraction.length; i++, unit /= 10) {
        if (!ascii_is_digit(fraction.bytes[i]))
            return false;
        *millionths += (fraction.bytes[i] - '0') * unit;
    }
    return *millionths <= CONF_FEEDBACK_UNIT;
}

bool conf_value_parse_feedback(struct span text, int64_t *encoded)
{
    static const char *const names[] = {[CONF_FEEDBACK_BY_CONCURRENCY] = "concurrency",
                                        [CONF_FEEDBACK_BY_ROOT] = "sqrt_concurrency"};
    const size_t slash = span_find_byte(text, '/');
    int64_t millionths;
    if (!parse_millionths(span_trim_spaces(span_first(text, slash)), &millionths))
        return false;
    if (slash == text.length) {
        *encoded = millionths * CONF_FEEDBACK_DIVISORS + CONF_FEEDBACK_CONSTANT;
        return true;
    }
    const struct span divisor = span_trim_spaces(span_after(text, slash + 1));
    for (int i = CONF_FEEDBACK_BY_CONCURRENCY; i <= CONF_FEEDBACK_BY_ROOT; i++) {
        if (!span_equals(divisor, span_from_string(names[i])))
            continue;
        *encoded = millionths * CONF_FEEDBACK_DIVISORS + i;
        return true;
    }
    return false;
}

bool conf_value_is_one_of(struct span text, const char *choices)
{
    struct span rest = span_from_string(choices), choice;
    while (span_next_word(&rest, "|", &choice))
        if (span_equals_ascii_nocase(text, choice))
            return true;
    return false;
}

bool conf_has_any_byte(struct span text, const char *bytes)
{
    for (size_t i = 0; i < text.length; i++)
        if (span_find_byte(span_from_string(bytes), text.bytes[i]) < strlen(bytes))
            return true;
    return false;
}
