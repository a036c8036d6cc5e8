/* qmgr/report - ask bounce to tell the sender what failed, is late or has arrived. */
#ifndef QMGR_REPORT_H
#define QMGR_REPORT_H

#include "message.h"

/* Ends in message_report_done(), now or later; without a bounce process the message waits. */
void report_message(struct message *message);
void report_attach(struct qmgr *qmgr, uint32_t process_number, int descriptor);
/* Called each second: without a bouncer messages are deferred, so that they leave their room in the
 * active set to others. */
void report_give_up_waiting(struct qmgr *qmgr);

#endif
