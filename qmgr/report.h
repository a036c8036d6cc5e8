/* qmgr/report - ask bounce to tell the sender what failed. */
#ifndef QMGR_REPORT_H
#define QMGR_REPORT_H

#include "message.h"

/* Ends in message_report_done(), now or later; without a bounce process the message waits. */
void report_message(struct message *message);
void report_attach(struct qmgr *qmgr, int descriptor);

#endif
