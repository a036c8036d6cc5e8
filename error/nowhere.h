/* error/nowhere - an agent that delivers nothing and says for every recipient what its next hop is:
 * a reason, perhaps with an enhanced status code in front.
 * Callers: error/error, error/discard. */
#ifndef ERROR_NOWHERE_H
#define ERROR_NOWHERE_H

#include "service/agent_service.h"

/* For service_definition.prepare: what agent_service_prepare() may be given, and nowhere_begin()
 * needs. */
struct agent_service *nowhere_create(struct service *service);
/* For .begin. kind: what becomes of all mail. */
MUST_USE bool nowhere_begin(struct service *service, enum outcome_kind kind, bool is_soft_bouncing);
/* For .on_peer and .drain. */
void nowhere_on_peer(struct service *service, const struct service_peer *peer, int descriptor);
void nowhere_drain(struct service *service);

#endif
