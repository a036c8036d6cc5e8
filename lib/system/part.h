/* system/part - fork a part of a program that goes its own way, at the other end of a channel.
 * For what has to be made before the sandbox closes: what keeps more rights, or makes processes.
 * Interface: part_fork(). Callers: lib/crew, authd/relay, local/worker, local/pipe_run. */
#ifndef SYSTEM_PART_H
#define SYSTEM_PART_H

#include "base/compiler.h"

/* Returns this side's end of a pair of SOCK_SEQPACKET sockets, or -1 with errno. In the other
 * process run is called with that side's end, and is not to return. What context points to is there
 * as it was, a copy. To be called with a single thread. */
MUST_USE int part_fork(void (*run)(void *context, int descriptor), void *context);

#endif
