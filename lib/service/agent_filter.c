/* service/agent_filter - the part of agent_service.h that opens tables. A file of its own: discard
 * opens none, and is linked without their libraries. */
#include "service/agent_service.h"

bool agent_service_prepare(struct service *service, struct agent_service *agent,
                           const char *parameter, struct span names)
{
    struct conf_error error;
    if (!status_filter_open(&agent->filter, parameter, names, &service->log, &error)) {
        service_say(service, "%s", error.text);
        return false;
    }
    agent->change_outcome = status_filter_change;
    return true;
}
