/* authd/server - the dispatcher's life: settings, nurseries, the sandbox, channels.
 * Callers: authd/main. */
#ifndef AUTHD_SERVER_H
#define AUTHD_SERVER_H

#include "service/service.h"

MUST_USE bool authd_prepare(struct service *service);
MUST_USE bool authd_begin(struct service *service);
void authd_on_peer(struct service *service, const struct service_peer *peer, int descriptor);
void authd_drain(struct service *service);

#endif
