/* limit/load - when is a service under stress? Pure.
 * Callers: limitd for all processes of a service, smtpd for itself while there is no limitd. */
#ifndef LIMIT_LOAD_H
#define LIMIT_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* From nine tenths of its capacity on; until less than seven tenths are in use, so that it does not
 * come and go with every session. */
MUST_USE bool limit_load_is_stressed(bool was_stressed, uint64_t session_count, uint64_t capacity);
/* Is a change since what was last reported worth another report? Far from stress nothing is. */
MUST_USE bool limit_load_is_news(uint64_t reported, uint64_t session_count, uint64_t capacity);

#endif
