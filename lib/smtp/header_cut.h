/* smtp/header_cut - header fields of at most header_size_limit bytes, as Postfix keeps them: what a
 * field has beyond that is left out, whole continuation lines where there are any. A line is not
 * taken for a field before its colon has come.
 * Interface: smtp_header_cut_init(), smtp_header_cut_append(). Pure; the same result however the
 * bytes were split. Callers: lib/smtpsession, pickup. */
#ifndef SMTP_HEADER_CUT_H
#define SMTP_HEADER_CUT_H

#include "base/buffer.h"

/* All fields together may have so many times the limit of one. */
enum { SMTP_HEADER_FIELDS_FACTOR = 8 };

struct smtp_header_cut {
    size_t limit_bytes;
    size_t field_bytes; /* of the field so far, as it came */
    bool is_line_start;
    bool has_colon;
    bool is_skipping;      /* a continuation line past the limit */
    bool has_dropped;      /* something of this line; its end is still to be kept */
    int64_t dropped_bytes; /* in all; negative where line ends were completed */
};

void smtp_header_cut_init(struct smtp_header_cut *cut, size_t limit_bytes);
/* Appends what is kept of the next bytes of the header block. */
void smtp_header_cut_append(struct smtp_header_cut *cut, struct span bytes, struct buffer *kept);

#endif
