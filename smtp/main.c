/* smtp - delivers mail to other servers by SMTP.
 * It may open sockets, since connecting is its job, and nothing else; messages come as descriptors
 * from qmgr. Manual: man/smtp.8. */
#include "process.h"

static bool prepare(struct service *service)
{
    return process_prepare(service, service->settings);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "smtp",
        .part = &conf_part_smtp,
        .promises = SANDBOX_CONNECT | SANDBOX_STREAMS | SANDBOX_READ_FD,
        .prepare = prepare,
        .begin = process_begin,
        .on_peer = process_on_peer,
        .drain = process_drain,
    };
    return service_main(&definition);
}
