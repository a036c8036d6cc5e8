/* addrd/questions - the channels: who may ask what, a task that answers, and the answers.
 * Interface: questions_init(), questions_add_peer(). Callers: addrd/main, tests. */
#ifndef ADDRD_QUESTIONS_H
#define ADDRD_QUESTIONS_H

#include "ipc/channel.h"
#include "resolver.h"

/* Questions that are worked on at once; more are answered with a temporary failure. */
enum { QUESTIONS_OPEN_MAX = 4000 };

struct questions {
    struct loop *loop;
    struct resolver *resolver;
    struct resolver *verification; /* the one for probes */
    size_t open_count;
    struct list waiting; /* for the server */
    struct task *server; /* the task that answers one after the other; NULL: none does */
    /* Told when the last open question has been answered; may be NULL. */
    void (*on_idle)(struct questions *questions);
    void *owner;
};

void questions_init(struct questions *questions, struct loop *loop, struct resolver *resolver,
                    struct resolver *verification);
/* Takes the descriptor, one end of a channel, over. */
void questions_add_peer(struct questions *questions, enum ipc_role role, int descriptor);

#endif
