/* authd/worker - the processes that ask password databases, and those that make them.
 * For each kind of database there is a nursery, forked before the sandbox closes, that obeys one
 * message: make a worker and hand over a channel to it. A worker is what its kind needs to be (see
 * enum database_kind), opens a database at its first question, and answers one question at a time.
 * One that takes longer than its limit ends itself.
 * Interface: nursery_start(). Callers: authd/server. Design: man/authd.8. */
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
    bool may_write;                      /* stored passwords, to make them stronger */
    const struct sandbox_filter *filter; /* the nursery's to make */
};

/* Forks the nursery and returns the dispatcher's end of the channel to it (IPC_NURSERY_WANT), or -1
 * with errno. */
MUST_USE int nursery_start(const struct worker_setup *setup);

#endif
