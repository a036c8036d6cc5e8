/* base/utf8 - well-formed UTF-8 (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/span.h"

/* Every sequence is shortest form, no surrogates, at most U+10FFFF. */
MUST_USE bool utf8_is_valid(struct span span);
/* Length of the well-formed character at the start of a span, 1 to 4, or 0 when there is none. */
MUST_USE size_t utf8_character_length(struct span span);

#endif
