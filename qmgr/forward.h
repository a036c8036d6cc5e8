/* qmgr/forward - recipients that became messages of their own: local's aliases and .forward files.
 * The commit of such a message delivers the recipient that it was made of, and says so in its
 * envelope. A qmgr that is killed between the two leaves the message in new/, where its successor
 * finds it: then the recipient is done, and is not forwarded once more.
 * Callers: intake_peer, load. */
#ifndef QMGR_FORWARD_H
#define QMGR_FORWARD_H

#include "message.h"
#include "queuestore/store.h"

/* The mark that the recipient of the original is done, for a thread of the pool: on disk before the
 * message can be delivered and be gone, or a power cut would forward twice. */
struct forward_mark {
    bool is_wanted;
    struct store_place place;
    struct queue_preamble preamble;
    struct store_mark mark;
};
/* Before the commit; nothing is wanted for a message that was made of no other. */
void forward_mark_prepare(const struct message *message, struct forward_mark *mark);
/* In the pool, when the message itself is on disk. */
void forward_mark_write(const struct forward_mark *mark, const struct store *store);

void forward_init(struct qmgr *qmgr);
/* The message is on disk: what it was made of is delivered. */
void forward_committed(const struct message *message);
/* The message was read from disk, and its round has not begun: it may have been made of another's
 * recipient, and some of its own may have become messages. is_new: it lay in new/. */
void forward_loaded(struct message *message, bool is_new);

enum forward_answer {
    FORWARD_NEW,
    FORWARD_KNOWN, /* it is in the queue already */
    FORWARD_LATER  /* new/ has not been read to its end, or it is just being committed: it may be */
};
/* Before a commit. */
MUST_USE enum forward_answer forward_ask(struct qmgr *qmgr, const struct message *message);

#endif
