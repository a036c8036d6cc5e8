/* smtp/content - facts about a message that are gathered while it streams by: where its header
 * ends, how long its lines are, whether it has 8-bit bytes. They travel in the envelope, so that a
 * relay knows without reading whether it may send the content as it is.
 * Content has CRLF line ends and no dot-stuffing; the answer is the same however it was split.
 * Pure. Callers: lib/smtpsession, pickup, bounce. */
#ifndef SMTP_CONTENT_H
#define SMTP_CONTENT_H

#include "base/span.h"

enum smtp_header_state {
    SMTP_HEADER_AT_LINE_START,
    SMTP_HEADER_IN_NAME,
    SMTP_HEADER_AFTER_NAME,
    SMTP_HEADER_IN_VALUE,
    SMTP_HEADER_DONE
};

struct smtp_content_facts {
    uint64_t size_bytes;
    uint64_t header_bytes;       /* once is_header_done: offset of what follows the header fields */
    uint64_t longest_line_bytes; /* without its CRLF */
    bool has_8bit_header;
    bool has_8bit_body;
    bool has_leading_dot;
    bool has_nul;
    bool is_header_done;
    bool has_separator; /* an empty line follows the header; else it ended at a line that is no
                           header field, or at the end of the content */
    /* What follows is how far the reading has come. */
    enum smtp_header_state header_state;
    bool has_header_field;
    bool was_cr;
    uint64_t line_start;
};

void smtp_content_facts_init(struct smtp_content_facts *facts);
void smtp_content_facts_add(struct smtp_content_facts *facts, struct span content);
/* After the last byte. */
void smtp_content_facts_finish(struct smtp_content_facts *facts);

#endif
