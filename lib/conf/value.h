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
/* Is the text one of "a|b|c", in any case? */
MUST_USE bool conf_value_is_one_of(struct span text, const char *choices);

#endif
