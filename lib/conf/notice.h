/* conf/notice - what reading a configuration found: one line each, ready to be shown.
 * A struct conf_error is a single such line; struct conf_notices collects many, so that an operator
 * sees every mistake at once. Values are shown without control characters and cut when long. */
#ifndef CONF_NOTICE_H
#define CONF_NOTICE_H

#include "base/arena.h"

enum { CONF_ERROR_TEXT_BYTES = 768 };

struct conf_error {
    char text[CONF_ERROR_TEXT_BYTES];
};

enum conf_notice_level { CONF_NOTICE_REMARK, CONF_NOTICE_WARNING, CONF_NOTICE_ERROR };

struct conf_notice {
    struct conf_notice *next;
    enum conf_notice_level level;
    const char *text;
};

struct conf_notices {
    struct arena *arena;
    struct conf_notice *first;
    struct conf_notice *last;
    size_t warning_count;
    size_t error_count; /* counts also what no longer fitted the arena */
    bool is_thorough;   /* nobody waits: what is as long as a site is large may be read through */
};

void conf_notices_init(struct conf_notices *notices, struct arena *arena);
/* A line that is there already is counted and not added again. */
void conf_notice_add(struct conf_notices *notices, enum conf_notice_level level, const char *format,
                     ...) PRINTF_LIKE(3, 4);
/* error may be NULL. */
void conf_error_set(struct conf_error *error, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
