/* conf/lines - logical lines of main.cf, master.cf and text tables.
 * A line that starts with white space continues the one before. Empty lines and lines whose first
 * other character is '#' are skipped wherever they stand, also between a line and its continuation.
 * Pure. Callers: conf/main_cf, conf/master_cf, lib/table. */
#ifndef CONF_LINES_H
#define CONF_LINES_H

#include "base/buffer.h"

struct conf_lines {
    struct span rest;
    uint32_t next_line; /* number of the physical line at which rest begins */
};

void conf_lines_init(struct conf_lines *lines, struct span text);
/* Puts the next logical line, joined and without trailing white space, into *line (reset first) and
 * the number of its first physical line into *first_line. False at the end of the text. Whoever
 * calls tests buffer_ok(line): a line above the buffer's limit fails there. */
bool conf_lines_next(struct conf_lines *lines, struct buffer *line, uint32_t *first_line);

#endif
