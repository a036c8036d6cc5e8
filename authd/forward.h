/* authd/forward - smtpd_sasl_type = dovecot: exchanges are handed to a Dovecot that is there
 * already, over its authentication protocol as client. The socket comes from connectd; one
 * connection serves all exchanges, and is made again when it is lost: who waited on it is told to
 * try later.
 * Callers: authd/server, authd/exchange. */
#ifndef AUTHD_FORWARD_H
#define AUTHD_FORWARD_H

#include "exchange.h"

/* Starts to connect, for as long as the process lives. False: no memory. */
MUST_USE bool forward_start(struct authd *authd);
/* From the exchange's task: all of it. */
void forward_converse(struct exchange *exchange);

#endif
