/* addrd/worker - the processes that look up what may block, and the one that makes them.
 * The nursery is forked by the dispatcher before its sandbox, and obeys one message: make a
 * worker and hand over a channel to it. A worker is forked by the nursery, opens a table of the
 * common numbering when it is first asked for it, and answers one look-up at a time. One that takes
 * longer than its limit ends itself, as nobody here may send signals; the dispatcher then has
 * another made.
 * Interface: nursery_start(). Callers: addrd/main. Design: man/addrd.8. */
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
    const struct sandbox_filter *filter; /* the nursery's to make */
};

/* Forks the nursery and returns the dispatcher's end of the channel to it (IPC_NURSERY_WANT), or -1
 * with errno. */
MUST_USE int nursery_start(const struct worker_setup *setup);

#endif
