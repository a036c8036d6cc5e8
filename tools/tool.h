/* tools/tool - what the commands that look at the queue share: the settings of the instance, and
 * the way to qmgr. Callers: tools/postqueue, postsuper, postcat, postlog. */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include "conf/instance.h"
#include "conf/tools.h"

/* The command's name, as its complaints begin: without the directory that it was called with. An
 * argv that is empty has none. */
const char *tool_name(char **argv, const char *otherwise);
/* Reads main.cf of the instance (directory is the argument of -c, or NULL) and loads a part of it.
 * False when that was told on standard error. */
MUST_USE bool tool_load(const char *program, const char *directory, const struct conf_part *part,
                        struct arena *arena, void *settings);
/* A connection to qmgr's public socket, or -1 when it does not run. */
MUST_USE int tool_connect_qmgr(const struct conf_tools *settings);
/* The queue directory, read-only; -1 and errno. */
MUST_USE int tool_open_queue(const struct conf_tools *settings);

#endif
