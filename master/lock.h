/* master/lock - one master per queue: pid/master.pid, locked for as long as master lives. The lock
 * proves life, the number in the file is for people and scripts, as in Postfix.
 * Callers: master/main. */
#ifndef MASTER_LOCK_H
#define MASTER_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/compiler.h"

/* A descriptor to be kept until the end, after the last fork of this process; -1 with *holder the
 * process that has the lock, or 0 and errno. */
MUST_USE int lock_take(int pid_directory, pid_t *holder);
/* Does a process live that has the lock? */
MUST_USE bool lock_is_held(int pid_directory);

#endif
