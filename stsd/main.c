/* stsd - which MTA-STS policy does this domain have? Asks dnsd and fetchd, remembers what they say,
 * and opens nothing but its two files, before it serves. Manual: man/stsd.8. */
#include <errno.h>
#include <fcntl.h>

#include "server.h"
#include "system/file.h"

static bool prepare(struct service *service)
{
    const struct conf_stsd *conf = service->settings;
    struct server *server = arena_alloc(&service->arena, sizeof(*server));
    const struct span path =
        arena_format(&service->arena, "%.*s/stsd", SPAN_PRINTF(conf->data_directory));
    const char *name = path.bytes ? arena_string(&service->arena, path) : NULL;
    ASSERT(server && name);
    service->state = server;
    const int directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_open =
        directory >= 0 && journal_open(&server->journal, directory, "policies") == 0;
    if (!is_open)
        service_say(service, "cannot open the cache in %s: %s", name, strerrordesc_np(errno));
    file_close(directory);
    return is_open;
}

static bool begin(struct service *service)
{
    server_init(service->state, service);
    return true;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    if (peer->role == IPC_ROLE_DNSD)
        server_set_dnsd(service->state, descriptor);
    else if (peer->role == IPC_ROLE_FETCHD)
        server_set_fetchd(service->state, descriptor);
    else
        server_add_client(service->state, peer->role, descriptor);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "stsd",
        .part = &conf_part_stsd,
        .promises = SANDBOX_READ_FD | SANDBOX_WRITE_FD | SANDBOX_SYNC,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
    };
    return service_main(&definition);
}
