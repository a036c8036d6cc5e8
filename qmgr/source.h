/* qmgr/source - messages that were dropped by local users, and the files that they came in.
 * pickup removes the file when the message is in the queue. Until it has, the queue file stays,
 * even when everything is delivered: a file that is found after a crash is then a message that is
 * in the queue, or one that never was. What is in the queue from before this qmgr counts as having
 * its file until pickup says that it has asked about all files that it found. Callers: intake_peer,
 * message. Design: man/posthouse-drop.5. */
#ifndef QMGR_SOURCE_H
#define QMGR_SOURCE_H

#include "message.h"

struct intake_peer;

void source_init(struct qmgr *qmgr);
/* The message was committed by this pickup, or it has been told that it is in the queue; NULL: one
 * that is gone was. */
void source_expect(struct qmgr *qmgr, struct span queue_id, const struct intake_peer *pickup);
/* Its address may be another's soon. */
void source_forget_pickup(struct qmgr *qmgr, const struct intake_peer *pickup);
/* Nothing lies in the maildrop directory that would become this message a second time. */
MUST_USE bool source_is_gone(const struct message *message);

/* What pickup says and asks; both may end rounds. */
void source_gone(struct qmgr *qmgr, struct span queue_id);
void source_settled(struct qmgr *qmgr, const struct intake_peer *pickup);

enum source_state {
    SOURCE_UNKNOWN, /* not in memory: look at the disk */
    SOURCE_BUSY,    /* about to be committed, or not */
    SOURCE_IN_QUEUE
};
MUST_USE enum source_state source_look(struct qmgr *qmgr, struct span queue_id);
/* From a task: appends those of the ids (spaces between them) that are in the queue to known. False
 * when it cannot be said of all of them. */
MUST_USE bool source_find_known(struct qmgr *qmgr, struct span queue_ids, struct buffer *known);

#endif
