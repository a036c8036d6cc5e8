/* smtp/reply - SMTP replies: build them (server), read them (client); RFC 5321 section 4.2,
 * enhanced status codes RFC 2034.
 * Pure. Callers: lib/smtpsession writes, smtp reads. */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/buffer.h"
#include "base/outcome.h"
#include "base/parse.h"

enum {
    SMTP_REPLY_LINE_MAX_BYTES = 512,  /* written: RFC 5321 section 4.5.3.1.5 */
    SMTP_REPLY_READ_MAX_BYTES = 16384 /* read: all lines of one reply */
};

/* Appends a reply. text may have several lines, separated by LF; status, which may be NULL, goes
 * in front of each. Control characters become "?", and a line ends at the limit. */
void smtp_reply_append(struct buffer *output, uint16_t code, const struct enhanced_status *status,
                       struct span text);

struct smtp_reply {
    uint16_t code;
    bool has_status;
    struct enhanced_status status; /* of the last line that has one */
    struct span text;              /* all lines without codes, joined by one space */
    struct span lines;             /* as received, line ends and codes included */
    size_t line_count;
};

/* Reads one whole reply. Needs the reply from its first byte each time; text lies in the arena.
 * accept_bare_lf: take LF for CRLF, as sloppy servers write. PARSE_TOO_LONG beyond
 * SMTP_REPLY_READ_MAX_BYTES or when the arena is full. */
MUST_USE enum parse_result smtp_reply_parse(struct span input, bool accept_bare_lf,
                                            struct arena *arena, struct smtp_reply *reply,
                                            size_t *consumed_bytes);

/* For replies that are not as they should be. *line_bytes: the first line's, its end included; 0
 * when that is not there yet, and then the answer is false. Does another line of the reply follow
 * this one? */
MUST_USE bool smtp_reply_is_continued(struct span input, size_t *line_bytes);
/* Is it no line of a reply at all, since it does not begin with three digits? */
MUST_USE bool smtp_reply_is_noise(struct span input, size_t *line_bytes);

/* What the reply means for a mail user: 2xx and 3xx ok, 4xx temporary, 5xx permanent, anything
 * else temporary. A status that contradicts the code is replaced by X.0.0. */
struct outcome smtp_reply_outcome(const struct smtp_reply *reply);

#endif
