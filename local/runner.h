/* local/runner - runs one command for one recipient, in a process that is the user and has no
 * sandbox. It is told which of the recipient's commands is meant, never what the command is: that
 * stands in the alias, the .forward file or the settings, where it reads it.
 * Callers: local/local. */
#ifndef LOCAL_RUNNER_H
#define LOCAL_RUNNER_H

#include "worker.h"

/* For the worker_program that runs commands. */
MUST_USE void *runner_begin(const struct worker_place *place);
void runner_deliver(struct agent_message *message, void *context);

#endif
