/* local/dispatch - deliveries handed to workers, one process per owner of mailboxes.
 * Runs without privilege and holds qmgr's channel; knows no uid and opens no file. A worker that
 * dies costs its deliveries a second try in a fresh worker, marked as possibly repeated, and then
 * a deferral.
 * Callers: local/local, local/virtual. */
#ifndef LOCAL_DISPATCH_H
#define LOCAL_DISPATCH_H

#include "agent/agent.h"

enum {
    DISPATCH_KEY_MAX_BYTES = 1024,
    DISPATCH_SLOW_MIN = 8 /* workers beside the limit, where that is less */
};

struct dispatch_settings {
    enum ipc_role role; /* ours, as workers and root part see us */
    int root_part;      /* channel end; taken over */
    /* Processes at once. Those that have been at an errand for half a minute are not counted, up to
     * as many again, unless they have a single use. */
    size_t worker_limit;
    /* A worker that has had some errand for longer hangs, and is left to itself; 0: never. */
    int64_t time_limit_ms;
    bool has_single_use; /* a worker serves its first errands, and goes */
    /* Appends what names the owner of the recipient's mailbox. False, with *outcome: it has none.
     */
    bool (*key)(const struct agent_recipient *recipient, struct buffer *key,
                struct outcome *outcome, void *context);
    /* In place of key: takes the recipient on, which comes back by dispatch_send() or ends with
     * agent_finish(). Then these are there, too: what a worker says became of one, and what it asks
     * (FORWARD, RUN) of one that it has. Both may be NULL otherwise. */
    void (*route)(struct agent_recipient *recipient, void *context);
    void (*on_result)(struct agent_recipient *recipient, const struct ipc_recipient_result *result,
                      void *context);
    void (*on_request)(struct agent_recipient *recipient, struct span key,
                       struct ipc_channel *channel, const struct ipc_delivery *request,
                       void *context);
    /* Is what a worker asked for the recipient still under way? So long it does not hang. May be
     * NULL. */
    bool (*is_waiting)(const struct agent_recipient *recipient, void *context);
    /* A worker of that key says that its user has mail. May be NULL. */
    void (*on_notice)(struct span key, const struct ipc_mail_notice *notice, void *context);
    /* A worker is gone, and with it its channel. May be NULL. */
    void (*on_worker_gone)(const struct ipc_channel *channel, void *context);
    /* The root part is gone: no worker can be had any more. */
    void (*on_root_part_gone)(void *context);
    void *root_part_context;
    void *context;
};

struct dispatch;

/* NULL when memory is out. */
MUST_USE struct dispatch *dispatch_create(struct loop *loop,
                                          const struct dispatch_settings *settings);
/* For agent_settings.deliver, with the dispatch as context. */
void dispatch_deliver(struct agent_message *message, void *dispatch);

/* Gives a recipient to the worker of that key. is_maybe_repeated: whatever qmgr says. */
void dispatch_send(struct dispatch *dispatch, struct agent_recipient *recipient, struct span key,
                   bool is_maybe_repeated);
/* The same with some recipients of one message. */
void dispatch_send_each(struct dispatch *dispatch, struct agent_recipient *const *recipients,
                        size_t count, struct span key);
MUST_USE bool dispatch_has_worker(struct dispatch *dispatch, struct span key);
/* Asks a worker. False: it cannot be asked, and done is never called. */
MUST_USE bool dispatch_ask(struct dispatch *dispatch, struct span key, enum ipc_type type,
                           const void *question, enum ipc_type reply_type, int64_t deadline_ms,
                           ipc_call_done *done, void *context);
/* A process of the root part's that serves one thing: the channel to it, whose other end it gets.
 * NULL: none can be had. */
MUST_USE struct ipc_channel *dispatch_hire(struct dispatch *dispatch, struct span key,
                                           const struct ipc_channel_handlers *handlers,
                                           void *context);

#endif
