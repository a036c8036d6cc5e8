/* qmgr/space - room on the queue's file system: when intake has to stop, and the reserve.
 * The reserve is a file of queue_reserve_size. When the disk is full in spite of all, because
 * others fill it, the file gives its blocks to marks, deferrals and reports, and is made again when
 * there is room. */
#ifndef QMGR_SPACE_H
#define QMGR_SPACE_H

#include "qmgr.h"

/* Looks once now, and each second from then on. */
void space_start(struct qmgr *qmgr);
/* Is that what a full disk, or a full quota, says? */
bool space_is_short(int error);
/* May an age be believed? Looks whether the clock was set a moment ago: by the next second's look a
 * queue full of mail might have expired. */
MUST_USE bool space_trusts_clock(struct qmgr *qmgr);
/* Something of ours could not be written for want of room. */
void space_spend_reserve(struct qmgr *qmgr);

#endif
