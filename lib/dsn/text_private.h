/* dsn/text_private - folded and wrapped lines. */
#ifndef DSN_TEXT_PRIVATE_H
#define DSN_TEXT_PRIVATE_H

#include "base/buffer.h"

enum { DSN_LINE_BYTES = 76 };

/* Control characters become "?", and so do bytes above 127 unless may_be_utf8. */
void dsn_put_clean(struct buffer *out, struct span text, bool may_be_utf8);
/* "Name: value" with CR LF, folded between words (RFC 5322 section 2.2.3) and cleaned; unfolding
 * gives the value back, with single spaces. A value without words writes nothing. */
void dsn_put_field(struct buffer *out, const char *name, struct span value, bool may_be_utf8);
/* The same with a type in front: "Name: type; value". */
void dsn_put_typed_field(struct buffer *out, const char *name, const char *type, struct span value,
                         bool may_be_utf8);
/* A paragraph, wrapped at spaces and cleaned; all lines but the first are indented. */
void dsn_put_paragraph(struct buffer *out, struct span text, size_t indent, bool may_be_utf8);

#endif
