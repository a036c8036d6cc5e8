/* qmgr/share - what a destination may keep of the active set while other mail waits to be read.
 * A site that takes mail slowly, or hangs, would fill the set with its own, and everybody else's
 * would lie on disk unread behind it. So once a second, while something waits for room, mail is put
 * off that would not have had its turn before its next time anyway: of destinations that hold more
 * than an equal part, and more than they get rid of in minimal_backoff_time. It goes from the end
 * of the line, whole messages at a time. It is not returned for having been put off like that.
 * Callers: qmgr/destination. */
#ifndef QMGR_SHARE_H
#define QMGR_SHARE_H

#include "schedule.h"

void share_sweep(struct qmgr *qmgr);
/* The destination has mail again. */
void share_begin(struct destination *destination);
/* So many recipients had their turn. */
void share_count(struct destination *destination, size_t count);

#endif
