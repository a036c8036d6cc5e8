/* smtpd/main - the SMTP server: what it may do, and who does it. Manual: man/smtpd.8. */
#include "conf/smtpd.h"
#include "server.h"

int main(void)
{
    static const struct service_definition definition = {
        .program = "smtpd",
        .part = &conf_part_smtpd,
        /* Sockets that master bound, files that qmgr opened, and nothing that we could name. */
        .promises = SANDBOX_STREAMS | SANDBOX_ACCEPT | SANDBOX_WRITE_FD,
        .prepare = smtpd_prepare,
        .begin = smtpd_begin,
        .on_listener = smtpd_on_listener,
        .on_peer = smtpd_on_peer,
        .drain = smtpd_drain,
        .end_sessions = smtpd_end_sessions,
        .on_poison = smtpd_on_poison,
    };
    return service_main(&definition);
}
