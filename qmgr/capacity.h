/* qmgr/capacity - how many deliveries at once a process is given, whatever it says it takes. Pure.
 * Callers: qmgr/agent. */
#ifndef QMGR_CAPACITY_H
#define QMGR_CAPACITY_H

#include <stddef.h>
#include <stdint.h>

/* More than half of the active set, or of the descriptors that a process may have, one process does
 * not get: where it is in wrong hands, or does not come on, the others have the rest. A small
 * active set is no reason to give a process less than ours say by themselves. */
size_t capacity_to_give(uint32_t said, size_t active_limit);

#endif
