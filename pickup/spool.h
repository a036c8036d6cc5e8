/* pickup/spool - the maildrop directory: what lies there, and whose turn it is.
 * Users take turns, so that somebody who drops thousands does not hold up the others; what one user
 * has dropped goes in the order of its ids, oldest first, as far as it was seen at once.
 * Callers: main. */
#ifndef PICKUP_SPOOL_H
#define PICKUP_SPOOL_H

#include "pickup.h"

/* Before the sandbox: opens the directory and watches it. False after service_say(). */
MUST_USE bool spool_open(struct pickup *pickup, struct service *service);
/* In the sandbox. False when memory is out. */
MUST_USE bool spool_start(struct pickup *pickup);
/* There is another queue manager: it is asked first which files it knows. */
void spool_queue_changed(struct pickup *pickup);
/* No message is being taken in. */
MUST_USE bool spool_is_idle(const struct pickup *pickup);

#endif
