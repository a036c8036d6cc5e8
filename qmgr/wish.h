/* qmgr/wish - what an operator wants of a message in memory, kept in its journal until it is so: a
 * qmgr that comes after this one must know.
 * A hold that is wished for ends when the message lies in hold/, or was released before; a wish to
 * return it to the sender stays. Callers: message, write, listing. */
#ifndef QMGR_WISH_H
#define QMGR_WISH_H

#include "message.h"

/* Notes the record for the next write. */
void wish_note(struct message *message, enum queue_record_kind kind);
void wish_append_records(struct message *message, struct buffer *journal);
/* While the journal is read, in its order. */
void wish_take_record(struct message *message, const struct queue_record *record);
/* The record that a message gets when it has arrived in hold/. */
void wish_append_fulfilled(struct buffer *journal);

#endif
