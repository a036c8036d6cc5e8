/* qmgr/recovered - ids of messages whose client may not have heard that they were taken, though
 * they may be gone by now: those that this qmgr found in new/, and those that it took last before
 * the channel to their client was lost. A client whose commit nobody answered claims its id on the
 * next channel. The message may have been delivered meanwhile: to take it once more would double
 * it. Callers: load, intake_peer, intake_commit. */
#ifndef QMGR_RECOVERED_H
#define QMGR_RECOVERED_H

#include "qmgr.h"

void recovered_init(struct qmgr *qmgr);
void recovered_note(struct qmgr *qmgr, struct span queue_id);
/* At any time: the channel closed around the answer. */
void recovered_note_unheard(struct qmgr *qmgr, struct span queue_id);
/* A timer's: nobody asks any more for what was noted long before that time. */
void recovered_expire(struct qmgr *qmgr, int64_t now_ms);
/* It was in the queue when this qmgr came or when the channel closed, or is. */
MUST_USE bool recovered_has(const struct qmgr *qmgr, struct span queue_id);

#endif
