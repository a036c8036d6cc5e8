/* queuestore/alter - what an operator does to one message by its id: delete, hold, release,
 * requeue, have it returned. For messages that nobody has in memory; may run in a thread.
 * Callers: qmgr, for messages that it has not read; postsuper under the queue's lock. */
#ifndef QUEUESTORE_ALTER_H
#define QUEUESTORE_ALTER_H

#include "queuestore/store.h"

/* Numbers are those of QUEUE_ALTER in lib/ipc/schema.def. */
enum store_alter_action {
    STORE_ALTER_DELETE = 1,
    STORE_ALTER_HOLD = 2,          /* to hold/: not tried until it is released */
    STORE_ALTER_RELEASE = 3,       /* from hold/, due now */
    STORE_ALTER_REQUEUE = 4,       /* due now, held or not, its routes asked for anew */
    STORE_ALTER_EXPIRE = 5,        /* back to the sender if the next attempt does not deliver it */
    STORE_ALTER_EXPIRE_RELEASE = 6 /* and released from hold/ */
};

enum store_alter_result {
    STORE_ALTERED,
    STORE_NOT_ALTERED, /* not in the queue, or already so */
    STORE_ALTER_BUSY,  /* a delivery that an earlier qmgr began is under way */
    STORE_ALTER_FAILED /* errno */
};

/* store_find(), and hold/ as well; there first where place->is_held is set before. */
MUST_USE int store_find_anywhere(const struct store *store, struct store_place *place);

/* What the disk says of a recipient of a message that may have left the queue. */
enum store_recipient_state {
    STORE_RECIPIENT_OPEN,    /* or nobody can say: the file lies in corrupt/ */
    STORE_RECIPIENT_SETTLED, /* delivered or returned; or the message is no more */
    STORE_RECIPIENT_UNKNOWN  /* errno says why it cannot be read now */
};
MUST_USE enum store_recipient_state store_look_at_recipient(const struct store *store,
                                                            const char *queue_id, uint32_t index);

/* place->queue_id says which; the rest is filled in with where it lies afterwards. */
MUST_USE enum store_alter_result store_alter(const struct store *store,
                                             enum store_alter_action action, uint64_t now_us,
                                             struct store_place *place);

#endif
