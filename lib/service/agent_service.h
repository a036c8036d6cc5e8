/* service/agent_service - what the daemons of all delivery agents but smtp have in common: filters
 * of results (pipe_delivery_status_filter and its kin), qmgr's channel, and the end.
 * Interface: agent_service_prepare(), agent_service_begin(), agent_service_on_peer(),
 * agent_service_drain(). Callers: error, discard, local, pipe, virtual. */
#ifndef SERVICE_AGENT_SERVICE_H
#define SERVICE_AGENT_SERVICE_H

#include "agent/agent.h"
#include "agent/status_filter.h"
#include "service/service.h"

/* All zero before it is prepared. */
struct agent_service {
    struct agent *agent; /* once it has begun */
    /* Once it is prepared. */
    struct status_filter filter;
    void (*change_outcome)(void *filter, struct outcome *outcome, struct arena *arena);
};

/* For service_definition.prepare: opens the tables that the parameter names. False, and said why:
 * they cannot be opened. An agent whose results stay as they are leaves this out. */
MUST_USE bool agent_service_prepare(struct service *service, struct agent_service *agent,
                                    const char *parameter, struct span names);
/* For .begin: makes the agent; log and change_outcome of the settings are filled in. False, and
 * said why, when memory is out. */
MUST_USE bool agent_service_begin(struct service *service, struct agent_service *agent,
                                  struct agent_settings settings);
/* For .on_peer. Takes the descriptor over: qmgr's is the agent's, and nobody else has business
 * here. */
void agent_service_on_peer(struct agent_service *agent, const struct service_peer *peer,
                           int descriptor);
/* For .drain: the process leaves when the last result was acknowledged. */
void agent_service_drain(struct service *service, struct agent_service *agent);

#endif
