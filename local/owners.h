/* local/owners - the recipients of a message in groups, those with the same owner together: each
 * group is one worker's, which then may write one file for all (virtual_delivered_to).
 * Who owns a mailbox is asked of a process of the root part's, which reads addresses and nothing
 * else; what comes back are groups, and a worker still finds its own owner out by itself.
 * Callers: local/virtual, in the dispatcher and in workers. */
#ifndef LOCAL_OWNERS_H
#define LOCAL_OWNERS_H

#include "conf/virtual.h"
#include "dispatch.h"

/* The key of the process that is asked; no address. */
#define OWNERS_KEY "?"

/* For agent_settings.deliver in place of dispatch_deliver(), with the dispatch as context, whose
 * key for a recipient is its address. */
void owners_deliver(struct agent_message *message, void *dispatch);

/* In that process: answers OWNERS_ASK. */
void owners_answer(struct ipc_channel *channel, const struct ipc_delivery *question,
                   const struct conf_virtual *settings);

#endif
