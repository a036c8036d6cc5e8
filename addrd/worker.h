/* addrd/worker - the processes that look up what may block.
 * They are made by a nursery (crew/nursery), forked by the dispatcher before its sandbox. A worker
 * opens a table of the common numbering when it is first asked for it.
 * Interface: worker_start_nursery(). Callers: addrd/dispatcher. Design: man/addrd.8. */
#ifndef ADDRD_WORKER_H
#define ADDRD_WORKER_H

#include "sandbox/sandbox.h"
#include "tables.h"

struct worker_setup {
    const struct addr_tables *tables;
    const struct sandbox_path *paths; /* that workers may open */
    size_t path_count;
    uid_t uid; /* as the dispatcher's profile has them */
    gid_t gid;
    int64_t lookup_limit_ms;
};

/* As nursery_start() says. */
MUST_USE int worker_start_nursery(const struct worker_setup *setup);

#endif
