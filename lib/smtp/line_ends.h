/* smtp/line_ends - text with whatever line ends in wire form: each line ends with CRLF (RFC 5321
 * section 2.3.8). LF and CRLF end a line; a CR that no LF follows becomes a space, so that nothing
 * downstream can take it for a line's end.
 * Pure; the result is the same however the text was split. Callers: pickup, sendmail -bs. */
#ifndef SMTP_LINE_ENDS_H
#define SMTP_LINE_ENDS_H

#include "base/span.h"

struct smtp_line_ends {
    bool has_cr;     /* kept back */
    bool is_in_line; /* something stands behind the last line end */
};

/* The next piece of the text in wire form; false when the input is used up. *piece lies in the
 * input or is constant. */
MUST_USE bool smtp_line_ends_next(struct smtp_line_ends *state, struct span *input,
                                  struct span *piece);
/* After the last of it: what is kept back, and a line end where the last line has none. */
MUST_USE struct span smtp_line_ends_finish(struct smtp_line_ends *state);

#endif
