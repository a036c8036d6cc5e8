/* base/json - text as JSON has it (RFC 8259). Pure. Callers: conf/print, postmap. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buffer.h"

/* A string with its quotes; a byte that belongs to no UTF-8 stands for the character of that
 * number, so that the result is always well formed. */
void json_append_string(struct buffer *out, struct span text);

#endif
