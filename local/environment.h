/* local/environment - what the setting export_environment lets a command have. Pure but for the
 * environment that is handed in.
 * Callers: local/attributes, local/pipe_arguments. */
#ifndef LOCAL_ENVIRONMENT_H
#define LOCAL_ENVIRONMENT_H

#include "base/arena.h"
#include "base/span.h"

enum { ENVIRONMENT_EXPORTED_MAX = 200 };

/* NAME=value, NULL at the end, room_count more fit behind it: PATH, and what names (a word, or
 * NAME=value, in braces where it has white space) finds in the inherited environment. MAIL_CONFIG
 * is this instance's. NULL: memory is out. */
MUST_USE const char **environment_export(struct span names, struct span config_directory,
                                         char *const *inherited, size_t room_count,
                                         struct arena *arena, size_t *count);

#endif
