/* addr/ahead - questions about recipients that are asked before their turn comes.
 * A client that pipelines has sent many RCPT commands before it hears of the first: the questions
 * of those that are at hand go to addrd together, and each command finds its answer. Nobody has to
 * use it: addr_check_recipient() asks for itself whatever was not asked, or not answered.
 * Callers: smtpsession (through smtpserver), addr/client. */
#ifndef ADDR_AHEAD_H
#define ADDR_AHEAD_H

#include "addr/client.h"
#include "base/list.h"

/* Of one session: with fifty of these, sessions leave room in the channel's credit. */
enum { ADDR_AHEAD_MAX = 16 };

struct addr_ahead {
    struct list questions; /* in the order of the commands */
};

void addr_ahead_init(struct addr_ahead *ahead);
/* Answers that come later are dropped. */
void addr_ahead_forget(struct addr_ahead *ahead);

static inline bool addr_ahead_is_empty(const struct addr_ahead *ahead)
{
    return list_is_empty(&ahead->questions);
}

/* What addr_check_recipient() would ask, sent now; or not, where that is impossible. */
void addr_ahead_ask(struct addr_ahead *ahead, struct addr_client *client, struct span recipient,
                    struct span sender, unsigned flags, int64_t deadline_ms);

/* From a task: the answer to this question, if it was asked, which may have to be waited for.
 * Forgets those that were asked before it, whose commands did not come to asking. */
MUST_USE bool addr_ahead_take(struct addr_ahead *ahead,
                              const struct ipc_addr_check_recipient *question, int64_t deadline_ms,
                              struct arena *arena, struct ipc_addr_check_recipient_reply *reply);

#endif
