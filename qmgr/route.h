/* qmgr/route - ask addrd where recipients go, in batches, while the message is being committed.
 * Without addrd messages wait; nothing is failed for want of an answer. */
#ifndef QMGR_ROUTE_H
#define QMGR_ROUTE_H

#include "message.h"

/* Asks for every recipient that is STAGE_UNROUTED; calls schedule_message() and message_progress()
 * as answers come. May be called again: does nothing while it is asking or all are routed. */
void route_message(struct message *message);
/* Messages that wait are asked about again in a second. */
void route_retry_later(struct qmgr *qmgr);
/* A new channel to addrd: messages that waited are asked about. */
void route_attach(struct qmgr *qmgr, int descriptor);

#endif
