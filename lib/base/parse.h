/* base/parse - what every parser returns. */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include "base/compiler.h"

enum parse_result {
    PARSE_OK,        /* the result is filled in */
    PARSE_NEED_MORE, /* well-formed so far; ask again with more bytes */
    PARSE_TOO_LONG,  /* past the limit that the rule sets */
    PARSE_MALFORMED  /* never going to be right */
};

#endif
