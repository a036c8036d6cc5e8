/* qmgr/recovered - ids of messages that this qmgr found in new/, though they may be gone by now.
 * A client whose commit the qmgr before did not answer claims its id of this one. The message may
 * have been delivered meanwhile: to take it once more would double it.
 * Callers: load, intake_peer. */
#ifndef QMGR_RECOVERED_H
#define QMGR_RECOVERED_H

#include "qmgr.h"

void recovered_init(struct qmgr *qmgr);
void recovered_note(struct qmgr *qmgr, struct span queue_id);
/* It was in the queue when this qmgr came, or is. */
MUST_USE bool recovered_has(const struct qmgr *qmgr, struct span queue_id);

#endif
