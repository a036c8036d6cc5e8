/* smtpserver/server - listeners, sessions and channels of one process that serves SMTP:
 * smtpd, submitd.
 * Interface: smtpserver_begin() and the other functions of its service_definition. Callers: main.
 */
#ifndef SMTPSERVER_SERVER_H
#define SMTPSERVER_SERVER_H

#include "service/service.h"
#include "smtpsession/session.h"

/* Each as struct service_definition says. */
MUST_USE bool smtpserver_prepare(struct service *service);
/* The same with settings of its own: refine is told the daemon's, which begin with struct
 * conf_smtpd, for each set of settings that is made of them. */
MUST_USE bool smtpserver_prepare_as(struct service *service,
                                    void (*refine)(const void *settings,
                                                   struct smtpsession_settings *made));
MUST_USE bool smtpserver_begin(struct service *service);
void smtpserver_on_listener(struct service *service, struct span endpoint, int descriptor);
void smtpserver_on_peer(struct service *service, const struct service_peer *peer, int descriptor);
void smtpserver_drain(struct service *service);
void smtpserver_end_sessions(struct service *service);
void smtpserver_on_poison(struct service *service, const struct ipc_poison *poison);

#endif
