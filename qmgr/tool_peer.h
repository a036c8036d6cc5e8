/* qmgr/tool_peer - commands that connect through public/qmgr: listing and flush. */
#ifndef QMGR_TOOL_PEER_H
#define QMGR_TOOL_PEER_H

#include "qmgr.h"

/* Accepts connections on the socket from now on. */
void tool_peer_listen(struct qmgr *qmgr, int descriptor);

#endif
