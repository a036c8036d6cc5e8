/* local/delivery - what becomes of one recipient, in the worker that is its user, or that reads a
 * table of aliases: the order of local(8). Commands and forwarding are done by others, on its word:
 * a process without this one's sandbox that becomes the same user, and the dispatcher, which makes
 * mail.
 * Callers: local/local. */
#ifndef LOCAL_DELIVERY_H
#define LOCAL_DELIVERY_H

#include "deliverer.h"
#include "identity.h"
#include "worker.h"

struct local_delivery;

/* For worker_program.begin: NULL when memory is out. */
MUST_USE void *local_delivery_begin(const struct worker_place *place);
/* For agent_settings.deliver and .on_question, with what begin gave as context. */
void local_delivery_deliver(struct agent_message *message, void *context);
void local_delivery_answer(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                           void *context);

#endif
