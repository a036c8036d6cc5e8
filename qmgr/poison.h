/* qmgr/poison - messages whose delivery, reading or report killed processes twice go to corrupt/,
 * with an alarm. Whom master names must have had the message from us: a process whose mind an
 * intruder has taken could note any id. */
#ifndef QMGR_POISON_H
#define QMGR_POISON_H

#include "message.h"

void poison_init(struct qmgr *qmgr);
/* A process that had this message from us is gone; remembered for a while. */
void poison_note_loss(struct qmgr *qmgr, uint32_t process_number, struct span queue_id);
/* master says so: it killed processes of that role twice, the last of them was this one. */
void poison_take(struct qmgr *qmgr, const struct ipc_poison *poison);
/* Is it to be set aside unread? */
bool poison_is_known(const struct qmgr *qmgr, struct span queue_id);
/* It has been. */
void poison_forget(struct qmgr *qmgr, struct span queue_id);

#endif
