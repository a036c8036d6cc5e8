/* verify - would mail for this address be taken, by whoever is to get it? Asks qmgr to probe, keeps
 * what it hears, and opens nothing but its two files, before it serves. Manual: man/verify.8. */
#include <errno.h>
#include <fcntl.h>

#include "server.h"
#include "system/file.h"

static bool open_store(struct service *service, struct server *server)
{
    const struct conf_verify *conf = service->settings;
    const struct span path =
        arena_format(&service->arena, "%.*s/verify", SPAN_PRINTF(conf->data_directory));
    const char *name = path.bytes ? arena_string(&service->arena, path) : NULL;
    ASSERT(name);
    const int directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_open = directory >= 0 && store_open(&server->store, directory) == 0;
    if (!is_open)
        service_say(service, "cannot open the cache in %s: %s", name, strerrordesc_np(errno));
    file_close(directory);
    return is_open;
}

/* address_verify_map names what Postfix would open; that it is empty means the same here. */
static bool prepare(struct service *service)
{
    const struct conf_verify *conf = service->settings;
    struct server *server = arena_alloc(&service->arena, sizeof(*server));
    ASSERT(server);
    service->state = server;
    server->has_store = !span_is_empty(conf->address_verify_map);
    return !server->has_store || open_store(service, server);
}

static bool begin(struct service *service)
{
    server_init(service->state, service);
    return true;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    if (peer->role == IPC_ROLE_QMGR)
        server_set_qmgr(service->state, descriptor);
    else
        server_add_client(service->state, peer->role, descriptor);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "verify",
        .part = &conf_part_verify,
        .promises = SANDBOX_READ_FD | SANDBOX_WRITE_FD,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
    };
    return service_main(&definition);
}
