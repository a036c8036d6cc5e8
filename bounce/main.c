/* bounce - write delivery status notifications: an original through a read-only descriptor from
 * qmgr in, a new message through intake out. Opens nothing. Manual: man/bounce.8. */
#include "clients.h"

#include "system/file.h"

enum { SPARE_IDS = 2 };

struct bounce {
    struct intake intake;
    struct addr_client addr;
    struct bounce_writer writer;
    struct bounce_clients clients;
};

static bool prepare(struct service *service)
{
    if (sandbox_warm_up_crypto())
        return true;
    service_say(service, "libcrypto cannot do SHA-256");
    return false;
}

static bool begin(struct service *service)
{
    const struct conf_bounce *settings = service->settings;
    struct bounce *bounce = arena_alloc(&service->arena, sizeof(*bounce));
    if (!bounce)
        return false;
    service->state = bounce;
    intake_init(&bounce->intake, service->loop, SPARE_IDS);
    bounce_clients_init(&bounce->clients, service, &bounce->writer, settings->bounce_client_limit);
    return bounce_writer_init(&bounce->writer, settings, &bounce->intake, &bounce->addr,
                              &service->log, &service->arena);
}

/* Two channels to qmgr: on one it asks for reports, on the other it takes them as new mail. */
static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct bounce *bounce = service->state;
    if (peer->role == IPC_ROLE_ADDRD)
        addr_client_attach(&bounce->addr, service->loop, descriptor);
    else if (peer->role != IPC_ROLE_QMGR || peer->is_server)
        bounce_clients_add(&bounce->clients, peer, descriptor);
    else
        intake_attach(&bounce->intake, descriptor);
}

static void drain(struct service *service)
{
    struct bounce *bounce = service->state;
    if (bounce_clients_are_idle(&bounce->clients))
        service_leave(service, 0);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "bounce",
        .part = &conf_part_bounce,
        .promises = SANDBOX_READ_FD | SANDBOX_WRITE_FD,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
