/* dsn/xtext - the encoding of envelope identifiers and original recipients (RFC 3461 section 4),
 * decoded for reports. */
#ifndef DSN_XTEXT_H
#define DSN_XTEXT_H

#include "base/buffer.h"
#include "base/parse.h"

/* "+HH" becomes a byte. Anything that xtext does not allow is PARSE_MALFORMED. */
MUST_USE enum parse_result xtext_decode(struct span input, struct buffer *output);

#endif
