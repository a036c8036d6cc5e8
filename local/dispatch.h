/* local/dispatch - deliveries handed to workers, one process per owner of mailboxes.
 * Runs without privilege and holds qmgr's channel; knows no uid and opens no file. A worker that
 * dies costs its deliveries a second try in a fresh worker, marked as possibly repeated, and then
 * a deferral.
 * Callers: local/local, local/virtual. */
#ifndef LOCAL_DISPATCH_H
#define LOCAL_DISPATCH_H

#include "agent/agent.h"

enum { DISPATCH_CAPACITY = 200, DISPATCH_KEY_MAX_BYTES = 1024 };

struct dispatch_settings {
    enum ipc_role role;  /* ours, as workers and root part see us */
    int root_part;       /* channel end; taken over */
    size_t worker_limit; /* processes at once */
    bool has_single_use; /* a worker serves its first errands, and goes */
    /* Appends what names the owner of the recipient's mailbox. False, with *outcome: it has none.
     */
    bool (*key)(const struct agent_recipient *recipient, struct buffer *key,
                struct outcome *outcome, void *context);
    /* The root part is gone: no worker can be had any more. */
    void (*on_root_part_gone)(void *context);
    void *context;
};

struct dispatch;

/* NULL when memory is out. */
MUST_USE struct dispatch *dispatch_create(struct loop *loop,
                                          const struct dispatch_settings *settings);
/* For agent_settings.deliver, with the dispatch as context. */
void dispatch_deliver(struct agent_message *message, void *dispatch);

#endif
