/* authd/dovecot_server - Dovecot's authentication protocol as server, on a Unix socket: other mail
 * servers (Postfix with smtpd_sasl_type = dovecot, Exim) let our users in. Who may connect is a
 * matter of the socket's permissions.
 * Callers: authd/server. Manual: man/authd.8, "The socket". */
#ifndef AUTHD_DOVECOT_SERVER_H
#define AUTHD_DOVECOT_SERVER_H

#include "authd.h"

/* Before the sandbox: makes auth_socket, in place of one that is there. *descriptor is -1 where
 * none is set. False after service_say(). */
MUST_USE bool dovecot_server_listen(struct service *service, const struct conf_authd *conf,
                                    int *descriptor);
/* Takes the listening socket over. False: no memory. */
MUST_USE bool dovecot_server_start(struct authd *authd, int descriptor);

#endif
