/* authd/worker - the processes that ask password databases, and those that make them.
 * For each kind of database there is a nursery (crew/nursery), forked before the sandbox closes. A
 * worker is what its kind needs to be (see enum database_kind), and opens a database at its first
 * question.
 * Interface: worker_start_nursery(). Callers: authd/server. Design: man/authd.8. */
#ifndef AUTHD_WORKER_H
#define AUTHD_WORKER_H

#include "database.h"
#include "sandbox/sandbox.h"

struct worker_setup {
    struct database *databases; /* all of auth_databases */
    size_t database_count;
    enum database_kind kind;
    const struct sandbox_path *paths; /* that workers may open */
    size_t path_count;
    uid_t uid; /* as the dispatcher's profile has them */
    gid_t gid;
    int64_t limit_ms;
    bool may_write; /* stored passwords, to make them stronger */
};

/* As nursery_start() says. */
MUST_USE int worker_start_nursery(struct worker_setup *setup);

#endif
