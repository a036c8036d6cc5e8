/* authd/crew - the dispatcher's side of the workers of one kind: who is free, who has died, who
 * hangs. A question takes a worker to itself. One database may not take them all where there are
 * several, so that a slow one leaves the others a way; who finds none free waits in line. A worker
 * that does not answer in time, or dies, is replaced, and its question has failed. Workers are made
 * when they are first needed.
 * Callers: authd/verdict, tests. */
#ifndef AUTHD_CREW_H
#define AUTHD_CREW_H

#include "ipc/channel.h"

enum { CREW_MAX = 64, CREW_DATABASES_MAX = 16, CREW_WAITING_MAX = 1000 };

struct crew_member {
    struct crew *crew;
    struct ipc_channel *channel; /* NULL: there is none */
    struct loop_timer pause;
    int64_t started_ms;
    uint32_t generation; /* of the worker in this place */
    bool is_wanted;      /* the nursery is making one, or will */
    bool is_busy;
};

struct crew {
    struct loop *loop;
    struct ipc_channel *nursery;
    struct crew_member members[CREW_MAX];
    size_t count;
    size_t busy_by_database[CREW_DATABASES_MAX];
    size_t database_count; /* that this crew asks */
    struct list waiting;
    int64_t timeout_ms;
    /* Told when workers are replaced; may be NULL. */
    void (*report)(void *context, const char *text);
    void (*on_nursery_gone)(void *context); /* nothing can be replaced any more */
    void *context;
};

/* Takes the channel end from nursery_start() over. False when memory is out. */
MUST_USE bool crew_start(struct crew *crew, struct loop *loop, int nursery_descriptor, size_t count,
                         size_t database_count, int64_t timeout_ms);

/* From a task: asks a worker; the reply is IPC_PASSWORD_REPLY, its spans copied into the arena. Not
 * IPC_CALL_OK: nothing was found out, for the reason that *reason says. */
MUST_USE enum ipc_call_result crew_ask(struct crew *crew, size_t database, enum ipc_type type,
                                       const void *question, struct ipc_password_reply *reply,
                                       struct arena *arena, const char **reason);

#endif
