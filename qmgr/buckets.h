/* qmgr/buckets - the directories below deferred/, and when each is to be looked into. Pure but for
 * memory. Callers: scan. */
#ifndef QMGR_BUCKETS_H
#define QMGR_BUCKETS_H

#include "load.h"

struct bucket {
    uint32_t number;
    uint64_t due_us;
    enum load_haste haste; /* of its messages, whatever they say */
    /* Each look reads all that lie there: what is due in turn, one after the other, would have each
     * of many messages read as often as there are others. */
    uint64_t not_before_us;
};

struct buckets {
    struct bucket *list; /* by number */
    size_t count, capacity;
};

/* NULL when it is not known. */
MUST_USE struct bucket *buckets_find(const struct buckets *buckets, uint32_t number);
/* Known from now on, and due at that time, if not before. NULL when memory is out. */
struct bucket *buckets_add(struct buckets *buckets, uint32_t number, uint64_t due_us);
void buckets_drop(struct buckets *buckets, uint32_t number);
/* All that lies there is to be tried now. */
void buckets_flush(struct buckets *buckets);
/* NULL: there is none. */
MUST_USE struct bucket *buckets_earliest(const struct buckets *buckets);

/* It is read from here on: whatever comes meanwhile sets anew when it is due. */
void bucket_begin_look(struct bucket *bucket);
/* And is looked into again after that time, unless it is flushed. */
void bucket_end_look(struct bucket *bucket, uint64_t not_before_us);
/* The look, with that haste, came to no end, and has to be begun again. */
void bucket_resume(struct bucket *bucket, enum load_haste haste);

#endif
