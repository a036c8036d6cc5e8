/* master/spawn - one child process: fork, descriptors by number, a cleared environment, exec.
 * Interface: spawn_child(). Callers: master/fleet. */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include <sys/types.h>

#include "base/compiler.h"

struct spawn_request {
    const char *path;
    int control; /* becomes descriptor 3 */
    int errors;  /* becomes 2 */
    int output;  /* becomes 1; -1: nowhere */
};

/* The process id, or -1 and errno. What keeps the child from running its program it writes to
 * errors. The caller closes its copies. */
MUST_USE pid_t spawn_child(const struct spawn_request *request);

#endif
