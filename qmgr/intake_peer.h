/* qmgr/intake_peer - the processes that bring mail: ids ahead of need, commits, the state of the
 * disk. */
#ifndef QMGR_INTAKE_PEER_H
#define QMGR_INTAKE_PEER_H

#include "message.h"

void intake_peer_attach(struct qmgr *qmgr, enum ipc_role role, int descriptor);
/* After a change of qmgr->intake_state. */
void intake_peer_tell_state(struct qmgr *qmgr);
/* The queue is ours: ids may go out. */
void intake_peer_open_gates(struct qmgr *qmgr);

#endif
