/* qmgr/probe - would mail for this address be taken? Asked by verify, answered by sending a message
 * without content through routes and agents, which stop short of delivering it. It lives in memory
 * only: it is never written to the queue, and with this process or its asker it is forgotten. */
#ifndef QMGR_PROBE_H
#define QMGR_PROBE_H

#include "message.h"

/* Before the sandbox: what agents get as the content. False when the system refuses. */
MUST_USE bool probe_prepare(struct qmgr *qmgr);
/* A channel on which verify asks; taken over. */
void probe_attach(struct qmgr *qmgr, int descriptor);
/* A fresh descriptor for one delivery, or -1. */
MUST_USE int probe_open(const struct qmgr *qmgr);
/* Results have come, or not yet: answers when all is known, and forgets the message. */
void probe_progress(struct message *message);

#endif
