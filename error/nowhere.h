/* error/nowhere - an agent that delivers nothing and says for every recipient what its next hop is:
 * a reason, perhaps with an enhanced status code in front.
 * Callers: error/error, error/discard. */
#ifndef ERROR_NOWHERE_H
#define ERROR_NOWHERE_H

#include "agent/agent.h"
#include "service/service.h"

/* For service_definition.begin. kind: what becomes of all mail. */
/* change_outcome and its context: as in agent_settings. */
MUST_USE bool nowhere_begin(struct service *service, enum outcome_kind kind, bool is_soft_bouncing,
                            void (*change_outcome)(void *context, struct outcome *outcome,
                                                   struct arena *arena),
                            void *change_context);
/* For service_definition.on_peer and .drain. */
void nowhere_on_peer(struct service *service, const struct service_peer *peer, int descriptor);
void nowhere_drain(struct service *service);

#endif
