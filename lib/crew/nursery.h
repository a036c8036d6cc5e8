/* crew/nursery - the processes that do what may block, and the one that makes them.
 * A nursery is forked by a dispatcher before its sandbox, and obeys one message: make a worker and
 * hand over a channel to it (IPC_NURSERY_WANT). A worker closes itself in and answers one question
 * at a time. One that takes longer than its limit ends itself, as nobody here may send signals; the
 * dispatcher then has another made (crew/crew).
 * Interface: nursery_start(). Callers: addrd/worker, authd/worker. */
#ifndef CREW_NURSERY_H
#define CREW_NURSERY_H

#include "ipc/channel.h"
#include "sandbox/sandbox.h"

/* All that it points to lasts as long as the call of nursery_start(), which in the nursery and in
 * its workers does not return. */
struct nursery_plan {
    const char *program;                    /* for standard error */
    enum ipc_role dispatcher;               /* who asks */
    const struct ipc_permission *questions; /* what it may ask, ended by type 0 */
    bool is_secret; /* questions and answers are overwritten once they have been dealt with */

    /* What a worker promises; the nursery, too, since a child's filter only adds to its parent's.
     */
    unsigned promises;
    /* No sandbox at all, neither here nor there: only descriptors are closed. */
    bool is_unconfined;
    const struct sandbox_path *paths; /* that workers may open */
    size_t path_count;
    uid_t uid; /* as in struct sandbox_profile */
    gid_t gid;

    int64_t limit_ms; /* for one question, and a second of grace: the dispatcher gives up first */

    /* In the nursery, before it closes itself in: what libraries load when they are first used is
     * loaded once for all workers. May add to the plan. False: there can be no workers. */
    bool (*warm_up)(struct nursery_plan *plan);
    /* In a worker: one of the questions; to be answered with ipc_channel_reply(). */
    void (*answer)(void *context, struct ipc_channel *channel, const struct ipc_delivery *delivery);
    void *context; /* each worker has a copy of its own, from the fork */
};

/* Forks the nursery and returns the dispatcher's end of the channel to it, for crew_start(), or -1
 * with errno. To be called with a single thread. */
MUST_USE int nursery_start(const struct nursery_plan *plan);

/* For warm_up(): the modules of name services are loaded by asking each in turn. */
void nursery_warm_up_name_service(void);

#endif
