/* local/pipe_arguments - the command line and the environment of one delivery by pipe. Pure but for
 * the environment, which begins with that of the process.
 * Callers: local/pipe_run. */
#ifndef LOCAL_PIPE_ARGUMENTS_H
#define LOCAL_PIPE_ARGUMENTS_H

#include "agent/agent.h"
#include "conf/pipe.h"
#include "conf/pipe_command.h"

struct pipe_rules {
    const struct conf_pipe *settings;
    const struct conf_pipe_command *command;
};

/* The arguments, NULL at the end; an argument that names something of a recipient stands once for
 * each. NULL with *outcome: an address may not be passed on, or memory is out. */
MUST_USE const char *const *pipe_arguments_make(const struct pipe_rules *rules,
                                                const struct agent_message *message,
                                                struct arena *arena, struct outcome *outcome);
/* What stands for the sender in the lines before the message. */
MUST_USE struct span pipe_arguments_sender(const struct pipe_rules *rules,
                                           const struct agent_message *message);
/* NAME=value, NULL at the end; NULL: memory is out. */
MUST_USE const char *const *pipe_environment_make(const struct conf_pipe *settings,
                                                  char *const *inherited, struct arena *arena);

#endif
