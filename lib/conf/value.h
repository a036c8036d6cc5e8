/* conf/value - texts of typed settings: yes and no, numbers, sizes, times with a unit, choices.
 * Interface: conf_value_parse_*(). Pure. Callers: conf/load, conf/check, the fuzzer. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/span.h"

/* "yes" or "no", in any case. */
MUST_USE bool conf_value_parse_bool(struct span text, bool *value);
/* Decimal digits, not above INT64_MAX. */
MUST_USE bool conf_value_parse_number(struct span text, int64_t *value);
/* Digits and one of s, m, h, d, w; without a letter the given unit counts. */
MUST_USE bool conf_value_parse_time(struct span text, char default_unit, int64_t *value_ms);
/* Concurrency feedback: a number from 0 to 1, as it is or divided by the window or by its square
 * root ("1", "0.3 / concurrency", "1/sqrt_concurrency"). */
enum conf_feedback_divisor {
    CONF_FEEDBACK_CONSTANT,
    CONF_FEEDBACK_BY_CONCURRENCY,
    CONF_FEEDBACK_BY_ROOT
};
enum { CONF_FEEDBACK_DIVISORS = 4, CONF_FEEDBACK_UNIT = 1000000 };
/* encoded is millionths * CONF_FEEDBACK_DIVISORS + divisor. */
MUST_USE bool conf_value_parse_feedback(struct span text, int64_t *encoded);
static inline int64_t conf_feedback_millionths(int64_t encoded)
{
    return encoded / CONF_FEEDBACK_DIVISORS;
}
static inline enum conf_feedback_divisor conf_feedback_divisor(int64_t encoded)
{
    return (enum conf_feedback_divisor)(encoded % CONF_FEEDBACK_DIVISORS);
}

/* Is the text one of "a|b|c", in any case? */
MUST_USE bool conf_value_is_one_of(struct span text, const char *choices);

/* Has the text one of these bytes? */
MUST_USE bool conf_has_any_byte(struct span text, const char *bytes);

#endif
