/* smtpd/server - listeners, sessions and channels of one smtpd process.
 * Interface: smtpd_begin() and the other functions of its service_definition. Callers: main. */
#ifndef SMTPD_SERVER_H
#define SMTPD_SERVER_H

#include "service/service.h"

/* Each as struct service_definition says. */
MUST_USE bool smtpd_prepare(struct service *service);
MUST_USE bool smtpd_begin(struct service *service);
void smtpd_on_listener(struct service *service, struct span endpoint, int descriptor);
void smtpd_on_peer(struct service *service, const struct service_peer *peer, int descriptor);
void smtpd_drain(struct service *service);
void smtpd_end_sessions(struct service *service);
void smtpd_on_poison(struct service *service, const struct ipc_poison *poison);

#endif
