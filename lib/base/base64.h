/* base/base64 - base64 (RFC 4648 section 4) and lower-case hexadecimal. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buffer.h"
#include "base/parse.h"

/* Padded, one line. */
void base64_encode(struct span input, struct buffer *output);
/* Strict: canonical padding, no white space. On anything but PARSE_OK the output is unspecified. */
MUST_USE enum parse_result base64_decode(struct span input, struct buffer *output);

void hex_encode(struct span input, struct buffer *output);
MUST_USE enum parse_result hex_decode(struct span input, struct buffer *output);

#endif
