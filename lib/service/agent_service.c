/* service/agent_service - see agent_service.h. */
#include "service/agent_service.h"

#include <stdlib.h>

#include "system/file.h"

bool agent_service_begin(struct service *service, struct agent_service *agent,
                         struct agent_settings settings)
{
    settings.log = &service->log;
    settings.change_outcome = agent->change_outcome;
    settings.change_context = &agent->filter;
    agent->agent = agent_create(service->loop, &settings);
    if (!agent->agent)
        service_say(service, "cannot start: out of memory");
    return agent->agent != NULL;
}

void agent_service_on_peer(struct agent_service *agent, const struct service_peer *peer,
                           int descriptor)
{
    if (peer->role == IPC_ROLE_QMGR)
        agent_attach(agent->agent, descriptor, peer->role);
    else
        file_close(descriptor);
}

static void leave(void *service)
{
    service_leave(service, EXIT_SUCCESS);
}

void agent_service_drain(struct service *service, struct agent_service *agent)
{
    agent_drain(agent->agent, leave, service);
}
