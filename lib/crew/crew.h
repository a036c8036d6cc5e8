/* crew/crew - a dispatcher's side of its workers: who is free, who has died, who hangs.
 * A question takes a worker to itself; who finds none free waits in line. A worker that does not
 * answer in time, or dies, is replaced, and its question has failed. What is asked about has
 * numbers (tables, databases), so that a slow one can be kept from taking all workers; and so has
 * who asks: askers take turns, so that one with many questions does not hold up another.
 * Interface: crew_start(), crew_ask(). Callers: addrd/dispatcher, authd/server, authd/verdict. */
#ifndef CREW_CREW_H
#define CREW_CREW_H

#include "ipc/channel.h"

struct crew_settings {
    int nursery;          /* descriptor from nursery_start(); taken over */
    size_t worker_count;  /* at the most; 1 or more */
    size_t subject_count; /* what is asked about is 0 to subject_count - 1 */
    bool leaves_one;      /* no subject takes the last one of several workers */
    bool starts_all;      /* at once; else a worker is made when a question finds none free */
    bool is_secret;       /* questions and answers are overwritten once they have been dealt with */
    /* Questions that wait; no asker has more than half of what the others leave, and what is beyond
     * that fails at once. */
    size_t waiting_max;
    int64_t timeout_ms; /* of the wait for a worker, and of its answer, each */
    /* Told when workers are replaced; may be NULL. */
    void (*report)(void *context, const char *text);
    void (*on_nursery_gone)(void *context); /* nothing can be replaced any more; may be NULL */
    void *context;
};

struct crew_member;
struct crew {
    struct loop *loop;
    struct crew_settings settings;
    struct ipc_channel *nursery;
    struct crew_member *members; /* [settings.worker_count] */
    size_t *busy_by_subject;     /* [settings.subject_count] */
    struct list waiting;
    uint64_t turn; /* the latest that has come */
};

/* False when memory is out; then, too, crew_stop() is for the caller to call, or the process ends.
 */
MUST_USE bool crew_start(struct crew *crew, struct loop *loop,
                         const struct crew_settings *settings);
/* No task may wait. The processes end by themselves. */
void crew_stop(struct crew *crew);

/* From a task: asks a worker for that asker (the number of a process; any number, where all are
 * one), and another one should it end before it has answered. *reply is of
 * reply_type, its spans copied into the arena. Not IPC_CALL_OK: nothing was found out, for the
 * reason that *reason says, a literal. */
MUST_USE enum ipc_call_result crew_ask(struct crew *crew, size_t subject, uint32_t asker,
                                       enum ipc_type type, const void *question,
                                       enum ipc_type reply_type, void *reply, struct arena *arena,
                                       const char **reason);

#endif
