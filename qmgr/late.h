/* qmgr/late - whether a result counts that comes over no delivery of this qmgr: of one that was
 * given back since its agent seemed to be gone, or that an earlier qmgr began. Pure.
 * Callers: qmgr/result. */
#ifndef QMGR_LATE_H
#define QMGR_LATE_H

#include "message.h"

/* Whoever knows the message's id can say it, and an agent knows the ids of all messages of which it
 * ever had a recipient; so only where an attempt may still be under way: as long as its agent waits
 * to be told that its result is known, it keeps the file, and with it the lock. Of what is under
 * way again only that it has arrived: the second delivery's own result comes too late to change it.
 * is_its_own: the recipient is under way with the very process that says it, over a channel whose
 * end we have yet to hear of. */
MUST_USE bool late_result_counts(const struct recipient *recipient, enum outcome_kind kind,
                                 bool is_its_own);

#endif
