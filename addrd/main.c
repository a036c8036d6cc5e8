/* addrd - answers questions about addresses: does a recipient exist, and where does mail go?
 * Tables in files and in memory are asked here; whatever may wait is asked by workers.
 * Manual: man/addrd.8. */
#include <stdlib.h>

#include "dispatcher.h"
#include "service/service.h"

static bool prepare(struct service *service)
{
    struct dispatcher *dispatcher = arena_alloc(&service->arena, sizeof(*dispatcher));
    ASSERT(dispatcher);
    service->state = dispatcher;
    return dispatcher_prepare(dispatcher, service);
}

static bool begin(struct service *service)
{
    return dispatcher_begin(service->state);
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct dispatcher *dispatcher = service->state;
    questions_add_peer(&dispatcher->questions, peer->role, descriptor);
}

static void drain(struct service *service)
{
    struct dispatcher *dispatcher = service->state;
    if (dispatcher->questions.open_count == 0)
        service_leave(service, EXIT_SUCCESS);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "addrd",
        .part = &conf_part_addrd,
        .promises = SANDBOX_READ_FILES,
        .keeps_root = true,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
