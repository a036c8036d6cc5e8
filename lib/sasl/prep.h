/* sasl/prep - user names and passwords in the one form in which they are compared: SASLprep
 * (RFC 4013), as SCRAM has it (RFC 5802 section 5.1), by libidn. Whoever calls this links
 * SASL_LIBS. Pure. Callers: lib/sasl, authd. */
#ifndef SASL_PREP_H
#define SASL_PREP_H

#include "base/arena.h"
#include "base/parse.h"

/* A user name: PARSE_MALFORMED when it is not UTF-8, has control or other forbidden characters, or
 * nothing is left of it. PARSE_TOO_LONG past SASL_NAME_MAX_BYTES or when the arena is full. */
MUST_USE enum parse_result sasl_prep_name(struct span name, struct arena *arena,
                                          struct span *prepared);
/* A password. What SASLprep forbids (control characters, bytes that are no UTF-8) stays as it is:
 * such passwords are in use, and they are only ever hashed. PARSE_MALFORMED: nothing is left.
 * PARSE_TOO_LONG past SASL_PASSWORD_MAX_BYTES or when the arena is full. */
MUST_USE enum parse_result sasl_prep_password(struct span password, struct arena *arena,
                                              struct span *prepared);

#endif
