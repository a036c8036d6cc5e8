/* authd - finds out who a client is: SASL mechanisms here, password databases in workers.
 * What clients send is parsed in this process, which opens nothing and holds no password file; what
 * reads password files sees nothing of the network. Manual: man/authd.8. */
#include "conf/authd.h"
#include "server.h"

int main(void)
{
    static const struct service_definition definition = {
        .program = "authd",
        .part = &conf_part_authd,
        .promises = SANDBOX_STREAMS | SANDBOX_ACCEPT | SANDBOX_SHUTDOWN,
        .prepare = authd_prepare,
        .begin = authd_begin,
        .on_peer = authd_on_peer,
        .drain = authd_drain,
    };
    return service_main(&definition);
}
