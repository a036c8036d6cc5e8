/* table/alias_source - the lines of an aliases(5) text: "name: value, value ...".
 * Logical lines come from table/source; the name ends at the first colon outside quotes. Pure.
 * Callers: postalias, the fuzzer. */
#ifndef TABLE_ALIAS_SOURCE_H
#define TABLE_ALIAS_SOURCE_H

#include "base/buffer.h"

enum alias_problem {
    ALIAS_FINE,
    ALIAS_NO_PAIR,   /* no name, no colon or no value */
    ALIAS_NOT_LOCAL, /* a name with a domain */
    ALIAS_TOO_LONG   /* for the buffers */
};

/* Appends the name, without quotes and backslashes, and the value, white space outside quotes made
 * one space, as Postfix stores it. */
MUST_USE enum alias_problem alias_source_split(struct span line, struct buffer *name,
                                               struct buffer *value);
/* Postfix's words for it. */
const char *alias_problem_text(enum alias_problem problem);

#endif
