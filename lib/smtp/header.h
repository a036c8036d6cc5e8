/* smtp/header - look through the header fields of a message (RFC 5322 section 2.2).
 * A block is header fields only, each line ended by CRLF or LF. Pure; results point into the
 * block. Callers: lib/smtpsession, bounce, local. */
#ifndef SMTP_HEADER_H
#define SMTP_HEADER_H

#include "base/buffer.h"

struct smtp_header_field {
    struct span name;  /* without the colon and white space before it */
    struct span value; /* after the colon, folded as it came, without the last line end */
    struct span whole; /* name to last line end */
};

/* The field at the start of *rest, which then is what follows. False at the end of the block, or
 * where what follows is no field. */
MUST_USE bool smtp_header_next(struct span *rest, struct smtp_header_field *field);
/* The first field of that name, in any case; false when there is none. */
MUST_USE bool smtp_header_find(struct span block, struct span name,
                               struct smtp_header_field *field);
MUST_USE size_t smtp_header_count(struct span block, struct span name);
/* TLS-Required: No (RFC 8689 section 3): the message is to be delivered rather than to be
 * protected. Said more than once it says nothing. */
MUST_USE bool smtp_header_has_tls_optional(struct span block);
/* The value on one line: line ends before white space go (RFC 5322 section 2.2.3), and white space
 * at both ends. */
void smtp_header_unfold(struct span value, struct buffer *output);

#endif
