/* authd/dovecot_line - a line of Dovecot's authentication protocol: words separated by tabs, with
 * some bytes escaped. Pure; the same for both sides.
 * Callers: authd/dovecot_server, authd/dovecot_client, the fuzzer. */
#ifndef AUTHD_DOVECOT_LINE_H
#define AUTHD_DOVECOT_LINE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/parse.h"

enum {
    DOVECOT_LINE_MAX_BYTES = 16000, /* a window of system/stream holds it */
    DOVECOT_WORDS_MAX = 64          /* further ones are not looked at */
};

struct dovecot_line {
    struct span words[DOVECOT_WORDS_MAX]; /* still escaped; the first is the command */
    size_t count;                         /* 1 or more; an empty line is one empty word */
};

/* The first line of the input, up to its LF. PARSE_TOO_LONG: it will not be looked at. */
MUST_USE enum parse_result dovecot_line_parse(struct span input, struct dovecot_line *line,
                                              size_t *consumed);
/* The word at that place; empty when there is none. */
MUST_USE struct span dovecot_line_word(const struct dovecot_line *line, size_t index);
/* The words from that place on: key=value, or key alone. False: it is not there. value may be NULL.
 */
MUST_USE bool dovecot_line_find(const struct dovecot_line *line, size_t from, const char *key,
                                struct span *value);
/* Words behind the first with that key, looked for as above, are no more. */
void dovecot_line_end_behind(struct dovecot_line *line, size_t from, const char *key);
/* Without the escapes; bytes NULL when the arena is full. */
MUST_USE struct span dovecot_unescape(struct span text, struct arena *arena);
/* Adds a tab, and the text with escapes for what would end a word or a line. */
void dovecot_append_word(struct buffer *line, struct span text);
/* Adds a tab, key=, and the text. */
void dovecot_append_pair(struct buffer *line, const char *key, struct span text);

#endif
