/* qmgr/scan - read the queue from disk: everything at the start, then what is due.
 * One task does it: takes the queue's lock, empties tmp/, reads new/ and every bucket that is due.
 * Messages are read only while the active set has room, so memory does not grow with the backlog.
 * Deferred mail gets three quarters of the room, and leaves one place of a few; the rest is kept
 * for new mail. */
#ifndef QMGR_SCAN_H
#define QMGR_SCAN_H

#include "message.h"

/* Starts the task. 0, or -1 when memory is out. */
MUST_USE int scan_start(struct qmgr *qmgr);
const struct store *scan_store(const struct qmgr *qmgr);

/* What lay in new/ when this qmgr came has been read, all of it. */
bool scan_has_read_new(const struct qmgr *qmgr);

/* A message left the active set. */
void scan_room_changed(struct qmgr *qmgr);
/* Something lies on disk that would be read if there were room. */
MUST_USE bool scan_waits_for_room(const struct qmgr *qmgr);
/* A committed message found no room and stays in new/ for a later look. */
void scan_want_new(struct qmgr *qmgr);
/* A message goes into this bucket and is due then. */
void scan_expect(struct qmgr *qmgr, uint32_t bucket, uint64_t due_us);
/* The clock was set: what is due has to be thought over. */
void scan_clock_changed(struct qmgr *qmgr);
/* Everything deferred is due now. */
void scan_flush(struct qmgr *qmgr);

/* Read this message, wherever it lies: a result for it has come. False when memory is out. */
bool scan_want(struct qmgr *qmgr, struct span queue_id);
/* The same: a command asked for an attempt at that time. */
bool scan_flush_message(struct qmgr *qmgr, struct span queue_id, int64_t flushed_ms);
/* The same: a message that was made of it waits (origin.h). */
bool scan_want_origin(struct qmgr *qmgr, struct span queue_id);
/* Some that were asked for so have yet to be looked for. */
MUST_USE bool scan_seeks_origins(const struct qmgr *qmgr);
/* Those asked for and not read yet. */
size_t scan_wanted_count(const struct qmgr *qmgr);
/* A message left memory, while other deliveries of it may be under way. */
void scan_settled(struct qmgr *qmgr, const struct store_place *place);

struct alteration;
/* Done by the reading task as soon as it can; the caller keeps it until it is done. */
void scan_alter(struct qmgr *qmgr, struct alteration *alteration);

/* Calls fire(context) once in about a second. */
void scan_later(struct qmgr *qmgr, void (*fire)(void *context), void *context);

#endif
