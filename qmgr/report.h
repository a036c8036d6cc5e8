/* qmgr/report - ask bounce to tell the sender what failed, is late or has arrived. */
#ifndef QMGR_REPORT_H
#define QMGR_REPORT_H

#include "message.h"

/* Ends in message_report_done(), now or later. The message waits for a bounce process, and until it
 * is known that the report is not in the queue already. */
void report_message(struct message *message);
/* What they waited for may have come. */
void report_try_waiting(struct qmgr *qmgr);
void report_attach(struct qmgr *qmgr, uint32_t process_number, int descriptor);
/* Called each second: without a bouncer messages are deferred, so that they leave their room in the
 * active set to others. */
void report_give_up_waiting(struct qmgr *qmgr);

#endif
