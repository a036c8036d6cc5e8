/* connectd - connects to local servers for processes that may open nothing, and hands them the
 * sockets. It parses nothing that a peer of the instance wrote, and reaches only what the
 * configuration names. Manual: man/connectd.8. */
#include <errno.h>
#include <unistd.h>

#include "conf/connectd.h"
#include "serve.h"
#include "service/service.h"

static bool prepare(struct service *service)
{
    const struct conf_connectd *settings = service->settings;
    const char *directory = arena_string(&service->arena, settings->queue_directory);
    if (directory && chdir(directory) == 0)
        return true;
    service_say(service, "cannot change to queue_directory %.*s: %s",
                SPAN_PRINTF(settings->queue_directory), strerror(directory ? errno : ENOMEM));
    return false;
}

static bool begin(struct service *service)
{
    struct connector *connector = arena_alloc(&service->arena, sizeof(*connector));
    if (!connector)
        return false;
    *connector = (struct connector){.loop = service->loop, .settings = service->settings};
    service->state = connector;
    return true;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    connector_add_peer(service->state, peer->role, descriptor);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "connectd",
        .part = &conf_part_connectd,
        .promises = SANDBOX_CONNECT_LOCAL,
        .keeps_root = true,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
    };
    return service_main(&definition);
}
