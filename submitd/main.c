/* submitd/main - the submission server (RFC 6409): smtpd's sessions for users who have to say who
 * they are. Manual: man/submitd.8. */
#include "conf/submitd.h"
#include "submission.h"
#include "smtpserver/server.h"

int main(void)
{
    static const struct service_definition definition = {
        .program = "submitd",
        .part = &conf_part_submitd,
        /* As smtpd. */
        .promises = SANDBOX_STREAMS | SANDBOX_ACCEPT | SANDBOX_WRITE_FD,
        .prepare = submission_prepare,
        .begin = smtpserver_begin,
        .on_listener = smtpserver_on_listener,
        .on_peer = smtpserver_on_peer,
        .drain = smtpserver_drain,
        .end_sessions = smtpserver_end_sessions,
        .on_poison = smtpserver_on_poison,
    };
    return service_main(&definition);
}
