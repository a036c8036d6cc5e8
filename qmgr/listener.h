/* qmgr/listener - a socket of public/: connections are accepted one by one and handed over.
 * Interface: listener_start(). Callers: main. */
#ifndef QMGR_LISTENER_H
#define QMGR_LISTENER_H

#include "qmgr.h"

/* Takes the socket over, for the life of the process. take() takes each connection over; it does
 * not block. */
void listener_start(struct qmgr *qmgr, int descriptor,
                    void (*take)(struct qmgr *qmgr, int connection));

#endif
