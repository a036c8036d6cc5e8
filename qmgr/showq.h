/* qmgr/showq - the queue in the form in which Postfix's showq service lists it, for programs that
 * read public/showq themselves. Whoever connects is told all of it, and says nothing.
 * Interface: showq_take(). Callers: main. Manual: man/qmgr.8. */
#ifndef QMGR_SHOWQ_H
#define QMGR_SHOWQ_H

#include "qmgr.h"

/* Takes the connection over. */
void showq_take(struct qmgr *qmgr, int connection);

#endif
