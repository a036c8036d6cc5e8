/* local/deliverer - messages from the agent into Maildirs by commit, and mailbox files: the part
 * that runs as the mailboxes' owner, in virtual itself when all have one owner, in a worker per
 * owner otherwise. Callers: local/virtual, local/worker. */
#ifndef LOCAL_DELIVERER_H
#define LOCAL_DELIVERER_H

#include "agent/agent.h"
#include "commit.h"
#include "system/filelock.h"

enum { DELIVERER_THREADS = 24, DELIVERER_CAPACITY = 200 };

/* How many deliveries at once: the constant above, or fewer where descriptors are short. */
MUST_USE uint32_t deliverer_capacity(void);

/* Where this process delivers, and how. */
struct deliverer_rules {
    bool is_refusing;       /* every recipient gets this instead: */
    struct outcome refusal; /* its reason lasts */
    bool is_declined;       /* and it will be so: nothing is delivered as that user */
    int base;               /* directory that mailboxes lie in */
    struct span mailbox;    /* below base; empty: what the recipient brings */
    bool is_confined;
    uid_t owner;
    uint64_t size_limit_bytes;
    struct quota quota;
    bool is_full_for_good;
    bool has_delivered_to;
    bool refuses_loops;
    struct span host; /* myhostname */
    enum commit_policy policy;
    /* A path without a slash at its end is a mailbox file: as in struct mbox_request. */
    struct filelock_rules locks; /* of mailbox files */
};

struct deliverer;

/* From the settings mailbox_quota and mailbox_quota_code. False: the former is no quota. */
MUST_USE bool deliverer_set_quota(struct deliverer_rules *rules, struct span quota,
                                  struct span code);

/* The rules' texts must last. pool: NULL when everything is refused. NULL when memory is out. */
MUST_USE struct deliverer *deliverer_create(struct loop *loop, struct pool *pool,
                                            const struct deliverer_rules *rules);
/* One delivery to a place of the caller's choice. Everything pointed to lasts until done. */
struct deliverer_job {
    int base; /* directory that the path begins in */
    struct span path;
    bool is_confined;
    uid_t owner;
    unsigned action; /* tells deliveries of one recipient apart */
    bool has_delivered_to;
    bool is_maybe_repeated;          /* whatever qmgr says */
    struct commit_delivery delivery; /* its result, when done is called */
    void (*done)(struct deliverer_job *job);
    void *context;
};
/* False: the path is none that could be a Maildir's. */
MUST_USE bool deliverer_start(struct deliverer *deliverer, const struct agent_recipient *recipient,
                              struct deliverer_job *job);

/* For agent_settings.deliver, with the deliverer as context. */
void deliverer_deliver(struct agent_message *message, void *deliverer);

/* Of a recipient that came without a mailbox: another agent has handed it over, and
 * virtual_mailbox_maps does not know it. */
MUST_USE struct outcome deliverer_unknown_user(const struct agent_recipient *recipient);

#endif
