/* local/course - one recipient on its way through a worker: what is known of it, what has become of
 * it so far, and the things that can be done with it. Each adds its outcome; the worst decides.
 * Callers: local/delivery, which has the order of them. */
#ifndef LOCAL_COURSE_H
#define LOCAL_COURSE_H

#include "deliverer.h"
#include "expansion.h"
#include "identity.h"
#include "system/task.h"

/* What a worker has for all its recipients. */
struct local_delivery {
    struct loop *loop;
    struct pool *pool;
    const struct worker_identity *identity;
    const struct local_identity *local;
    const struct conf_local *settings;
    struct deliverer *deliverer;
    struct table_list *aliases;
    struct table_list *mailbox_commands;
    struct table_list *mailbox_transports;
    struct table_list *fallback_transports;
    int root; /* directory, for Maildirs with absolute paths */
};

/* One recipient on its way. */
struct course {
    struct local_delivery *delivery;
    struct agent_recipient *recipient;
    struct agent_message *message;
    struct arena *arena;
    struct attributes attributes;
    struct expansion expansion;
    struct span unmatched;  /* the extension that forwarding addresses keep */
    struct span list_owner; /* the new sender, or empty */
    bool is_owners_first;   /* it goes to the same recipient again, as that sender's */
    struct outcome outcome; /* so far; the reason in the arena */
    bool has_outcome;       /* anything was done */
    bool wants_mailbox;     /* an entry of the expansion is the user */
    size_t address_count;
    struct ipc_recipient_result result;
    unsigned next_action;
    struct task *task;
    bool is_woken;
};

void course_add_outcome(struct course *course, struct outcome outcome);
/* The same with a reason that lies in the arena; NULL bytes: it was full. */
void course_add_text(struct course *course, struct outcome outcome, struct span reason);
/* Something has to wait: nothing further is to be done. */
bool course_is_waiting(const struct course *course);
/* For the log; the first one stays. */
void course_add_note(struct course *course, struct span note);

/* The expansion's commands and files. source: "alias", "forward". */
void course_do_actions(struct course *course, const char *source);
MUST_USE bool course_has_actions(const struct course *course);
/* The user's own name is in the expansion. */
MUST_USE bool course_has_self(const struct course *course);
/* Takes the user's own name out of the expansion's addresses, and counts these. */
void course_find_self(struct course *course);
/* All addresses become one message. To be the last thing that is done. */
void course_forward(struct course *course);
/* In place of all that: the one address. */
void course_forward_to(struct course *course, struct span address);
/* The same: the mail becomes its list owner's first. */
void course_give_to_owner(struct course *course);
/* Hands the recipient to the transport that a table or the setting names. True: it is over. */
bool course_pass_by(struct course *course, struct table_list *tables, struct span otherwise);
/* Another transport, a command, or the mailbox. */
void course_deliver_to_mailbox(struct course *course);

#endif
