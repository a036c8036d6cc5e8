/* local/root_part - the part of a delivery agent that keeps what its dispatcher has given up, and
 * only forks: for each WORKER_WANT a process, which then becomes whoever it delivers for.
 * Interface: root_part_serve(), root_part_warm_up(). Callers: local/worker, local/pipe_run. */
#ifndef LOCAL_ROOT_PART_H
#define LOCAL_ROOT_PART_H

#include "base/compiler.h"
#include "base/span.h"
#include "ipc/role.h"

/* Loads the modules of the name service, for all children. */
void root_part_warm_up(void);

/* Serves the dispatcher at the other end of the socket for as long as that is there, and then ends
 * the process. run: in each child; takes the socket over and is not to return. */
NORETURN void root_part_serve(int socket, enum ipc_role dispatcher,
                              void (*run)(void *context, struct span key, int socket),
                              void *context);

#endif
