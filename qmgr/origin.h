/* qmgr/origin - messages that were made of others: what a recipient became (local's aliases and
 * .forward files), and reports. The commit of such a message settles the recipients that it was
 * made of, and its envelope says which. A qmgr that is killed between the two leaves the message in
 * new/, where its successor finds it: then those recipients are settled, and are not forwarded or
 * reported once more. The message waits until that is on disk, too: delivered and gone, it could
 * tell a third qmgr nothing. An original that lies in hold/ by then is marked there.
 * Callers: intake_peer, load, message, report, write. */
#ifndef QMGR_ORIGIN_H
#define QMGR_ORIGIN_H

#include "message.h"
#include "queuestore/store.h"

/* The marks that recipients of the original are settled, for a thread of the pool: on disk before
 * the message can be delivered and be gone, or a power cut would make it twice. */
struct origin_marks {
    struct store_place place;
    struct queue_preamble preamble;
    struct store_mark *marks; /* NULL: none are wanted */
    size_t count;
    bool are_written;
    /* The original is not in memory: the disk is asked whether the recipient is settled already. A
     * qmgr before us may have had the same message, have let it go, and have told nobody. */
    bool is_sought;
    bool is_known; /* it is */
    char sought_id[QUEUE_ID_MAX_BYTES + 1];
    uint32_t sought_index;
};
/* Before the commit; nothing is wanted for a message that was made of no other. */
void origin_marks_prepare(const struct message *message, struct origin_marks *marks);
/* In the pool, before the message itself is put on disk: 0 where it is to be, or known (is_known);
 * -1 with errno where that cannot be said now. */
MUST_USE int origin_marks_look(struct origin_marks *marks, const struct store *store);
/* In the pool, when the message itself is on disk. */
void origin_marks_write(struct origin_marks *marks, const struct store *store);
void origin_marks_release(struct origin_marks *marks);

void origin_init(struct qmgr *qmgr);
/* Whether the message was made of another. */
MUST_USE bool origin_exists(const struct message *message);

enum origin_answer {
    ORIGIN_NEW,
    ORIGIN_KNOWN, /* it is in the queue already */
    ORIGIN_LATER  /* new/ has not been read to its end, or it is just being committed: it may be */
};
/* Before the commit of such a message. */
MUST_USE enum origin_answer origin_ask(struct qmgr *qmgr, const struct message *message);

/* Its commit begins. */
void origin_begin_commit(struct message *message);
/* The message is on disk: what it was made of is settled. */
void origin_committed(struct message *message);
/* The message was read from disk, and its round has not begun: it may have been made of another's
 * recipients, and some of its own may have become messages that wait. is_new: it lay in new/. */
void origin_loaded(struct message *message, bool is_new);

/* Begins the round: at once, or when what the message was made of is marked. */
void origin_activate(struct message *message, bool is_marked);
/* A message leaves memory, was not found, or cannot be read ever: nobody waits for it any more. */
void origin_gone(struct qmgr *qmgr, struct span queue_id);
/* What had changed in the message is on disk. */
void origin_written(const struct message *message);
/* The message, which waits, leaves memory. */
void origin_forget(struct message *message);

#endif
