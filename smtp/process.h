/* smtp/process - what smtp and lmtp have in common as processes.
 * Callers: smtp/main, smtp/lmtp. */
#ifndef SMTP_PROCESS_H
#define SMTP_PROCESS_H

#include "agent.h"
#include "service/service.h"

/* Before the sandbox: libraries, this machine's addresses. settings live as long as the process,
 * and so does the agent, which becomes service->state. False after service_say(). */
MUST_USE bool process_prepare(struct service *service, const struct conf_smtp *settings);
/* Functions of a service_definition. */
bool process_begin(struct service *service);
void process_on_peer(struct service *service, const struct service_peer *peer, int descriptor);
void process_drain(struct service *service);

#endif
