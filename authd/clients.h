/* authd/clients - the channels of those whose clients authenticate (smtpd, submitd ...).
 * Callers: authd/server. */
#ifndef AUTHD_CLIENTS_H
#define AUTHD_CLIENTS_H

#include "exchange.h"

/* Takes the channel end over, and tells the peer what mechanisms there are. */
void clients_add(struct authd *authd, const struct service_peer *peer, int descriptor);

#endif
