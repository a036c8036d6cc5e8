/* ipc/asker - clients whose questions may have to wait for news.
 * An asker is the channel of one client. A question that cannot be answered at once becomes a
 * waiter: it stands in a line of the server's, with others that wait for the same news, and ends
 * when the news is there (ipc_waiter_end), when its time is up, or with its client.
 * Interface: ipc_asker_create(), ipc_asker_wait(), ipc_waiter_first(), ipc_waiter_end().
 * Callers: stsd/server, verify/server. */
#ifndef IPC_ASKER_H
#define IPC_ASKER_H

#include "base/list.h"
#include "ipc/channel.h"

struct ipc_asker;

struct ipc_waiter {
    struct ipc_asker *asker;
    uint32_t request_id; /* to be answered once */
    void *subject;       /* the server's: what is asked about */
    /* The rest is the asker's. */
    struct list_link asker_link;
    struct list_link line_link;
    struct list *line;
    struct loop_timer timer;
};

/* What a server does with its clients; of static life. */
struct ipc_asker_rules {
    const struct ipc_permission *permissions;
    /* A request (delivery->id is not 0). */
    void (*on_question)(struct ipc_asker *asker, const struct ipc_delivery *delivery);
    /* Its time is up: to be answered. It ends when this returns. */
    void (*on_waited)(struct ipc_waiter *waiter);
};

struct ipc_asker {
    void *server; /* as given */
    struct ipc_channel *channel;
    /* The rest is its own. */
    const struct ipc_asker_rules *rules;
    struct ipc_channel_handlers handlers;
    struct loop *loop;
    struct list waiters;
};

/* Takes the descriptor over. The asker ends, with its waiters, when the client closes; where memory
 * is out it is never there. */
void ipc_asker_create(struct loop *loop, int descriptor, enum ipc_role role,
                      const struct ipc_asker_rules *rules, void *server);

/* Puts a question at the end of a line of waiters, which must last as long as they do. False when
 * memory is out. */
MUST_USE bool ipc_asker_wait(struct ipc_asker *asker, uint32_t request_id, struct list *line,
                             void *subject, int64_t deadline_ms);
/* Who has waited longest; NULL: nobody waits. */
MUST_USE struct ipc_waiter *ipc_waiter_first(const struct list *line);
/* It was answered, and is gone. */
void ipc_waiter_end(struct ipc_waiter *waiter);

#endif
