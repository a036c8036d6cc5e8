/* lmtp - delivers mail to mail stores by LMTP (RFC 2033), over TCP or a Unix socket.
 * It opens sockets of the network itself, as smtp does; those of this machine connectd opens for
 * it, since its own root is empty and a path must not lead it anywhere. Manual: man/lmtp.8. */
#include "mirror.h"
#include "process.h"

static bool prepare(struct service *service)
{
    const struct conf_lmtp *settings = service->settings;
    struct conf_smtp *mirrored = arena_alloc(&service->arena, sizeof(*mirrored));
    if (!mirrored || !mirror_settings(settings, mirrored)) {
        service_say(service, "cannot take over the settings");
        return false;
    }
    if (!process_prepare(service, mirrored))
        return false;
    struct agent *agent = service->state;
    agent->speaks_lmtp = true;
    agent->assumes_final = settings->lmtp_assume_final;
    return true;
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "lmtp",
        .part = &conf_part_lmtp,
        .promises = SANDBOX_CONNECT | SANDBOX_STREAMS | SANDBOX_READ_FD,
        .prepare = prepare,
        .begin = process_begin,
        .on_peer = process_on_peer,
        .drain = process_drain,
    };
    return service_main(&definition);
}
