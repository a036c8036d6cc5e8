/* local/pipe_run - pipe's root part and the processes that it forks, one for each command.
 * The root part reads nothing but that a process is wanted. It has no system call filter, because
 * that would be the commands', too. The process it forks becomes the user of the service for good,
 * and only then reads a message and starts the command.
 * Callers: local/pipe. */
#ifndef LOCAL_PIPE_RUN_H
#define LOCAL_PIPE_RUN_H

#include "pipe_arguments.h"
#include "service/service.h"

/* Forks the root part, before the daemon enters its own sandbox; the rules live on in it. The
 * descriptor of a channel to it, or -1. */
MUST_USE int pipe_run_fork_root_part(struct service *service, const struct pipe_rules *rules);

#endif
