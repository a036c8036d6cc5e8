/* master/poison - work that kills those who do it. What a process noted when it broke down is
 * counted; from the second death within an hour on it is poison: qmgr sets such a message aside,
 * and servers refuse such a request. Bounded, and pure but for memory. Callers: master/fleet. */
#ifndef MASTER_POISON_H
#define MASTER_POISON_H

#include "base/list.h"
#include "ipc/role.h"

enum { POISON_LIMIT = 2, POISON_ENTRIES_MAX = 256, POISON_MEMORY_MS = 3600 * 1000 };

struct poison {
    struct list_link link;
    enum ipc_role role; /* of those who died */
    uint32_t process_number;
    unsigned count;
    int64_t last_ms;
    char work[64];
};

struct poisons {
    struct list list; /* oldest first */
};

void poisons_init(struct poisons *poisons);
void poisons_destroy(struct poisons *poisons);
/* One more death; NULL when memory is out. Older ones than POISON_MEMORY_MS are forgotten. */
const struct poison *poisons_count(struct poisons *poisons, enum ipc_role role,
                                   uint32_t process_number, struct span work, int64_t now_ms);
static inline bool poison_is_proven(const struct poison *poison, int64_t now_ms)
{
    return poison->count >= POISON_LIMIT && now_ms - poison->last_ms < POISON_MEMORY_MS;
}

#endif
