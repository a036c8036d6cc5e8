/* smtpd/main - the SMTP server: what it may do, and who does it. Manual: man/smtpd.8. */
#include "conf/smtpd.h"
#include "smtpserver/server.h"

int main(void)
{
    static const struct service_definition definition = {
        .program = "smtpd",
        .part = &conf_part_smtpd,
        /* Sockets that master bound, files that qmgr opened, and nothing that we could name. */
        .promises = SANDBOX_STREAMS | SANDBOX_ACCEPT | SANDBOX_WRITE_FD,
        .prepare = smtpserver_prepare,
        .begin = smtpserver_begin,
        .on_listener = smtpserver_on_listener,
        .on_peer = smtpserver_on_peer,
        .drain = smtpserver_drain,
        .end_sessions = smtpserver_end_sessions,
        .on_poison = smtpserver_on_poison,
    };
    return service_main(&definition);
}
