/* qmgr/tool_peer - commands that connect through public/qmgr: listing and flush. */
#ifndef QMGR_TOOL_PEER_H
#define QMGR_TOOL_PEER_H

#include "qmgr.h"

/* Takes the connection over. */
void tool_peer_take(struct qmgr *qmgr, int connection);

#endif
