/* qmgr/write - what a message in memory brings to its file: marks and reasons, the next attempt,
 * the end. One job at a time for each message; the truth stays in memory until the disk has it, and
 * what fails is tried again. Afterwards the results that it settled are acknowledged, and
 * message_progress() goes on.
 * Callers: message. */
#ifndef QMGR_WRITE_H
#define QMGR_WRITE_H

#include "message.h"

enum write_kind { WRITE_MARKS, WRITE_DEFER, WRITE_REMOVE, WRITE_SET_ASIDE, WRITE_HOLD };

/* What changed since the last write. False when there is nothing to write. */
bool write_marks(struct message *message);
/* What changed, and into a bucket until its next attempt. */
void write_defer(struct message *message);
/* What changed, and into hold/: there it is read again when it is released. */
void write_hold(struct message *message);
/* Removed, or moved to corrupt: nothing of its state needs to be written. */
void write_end(struct message *message, enum write_kind kind);

#endif
