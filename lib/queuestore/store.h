/* queuestore/store - the queue on disk: what threads do with files. Nothing here looks at a message
 * in memory; each function may be called in a pool thread with all it needs and touches nothing
 * else. Callers: qmgr, which alone writes; postqueue when no qmgr runs. Order of the steps matters
 * for durability and is explained where it is made. Format: man/posthouse-queue.5. */
#ifndef QUEUESTORE_STORE_H
#define QUEUESTORE_STORE_H

#include "base/buffer.h"
#include "queuefile/bucket.h"
#include "queuefile/envelope.h"
#include "queuefile/id.h"
#include "queuefile/preamble.h"
#include "queuefile/state.h"

/* Of a journal this much is read. Reasons end before, so that what has to be remembered of a
 * message (a warning, a wish, the next attempt) always has room behind them. */
enum { STORE_JOURNAL_MAX_BYTES = 24 << 20, STORE_REASONS_MAX_BYTES = 16 << 20 };

/* Directory descriptors and the key; constant after the start, so threads may read it. */
struct store {
    int queue, tmp, new, deferred;
    uint8_t key_bytes[QUEUE_KEY_BYTES];
    bool syncs_directory;
    bool is_unverified; /* for listings by a command that has no key: MACs are not checked */
};

/* Where a message's file lies. bucket 0: in new/. */
struct store_place {
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    uint32_t bucket; /* as in deferred/<bucket> */
    bool is_held;    /* in hold/ */
};

/* tmp/<id>, empty, mode 0600: a descriptor for reading and writing, or -1. */
MUST_USE int store_create(const struct store *store, const char *queue_id);
/* Makes tmp/<id>, whose content is written through the descriptor, a message of the queue: envelope
 * and state behind the content, the preamble in front, the new name, one flush. 0, or -1 with errno
 * when it is not accepted (the file is gone then). Fills the place of everything in *preamble. On
 * success *delivery_descriptor is a read-only open with a shared lock, or -1 when none was to be
 * had (open_delivery false, or an error that does not matter). Closes the descriptor. */
MUST_USE int store_commit(const struct store *store, const char *queue_id, int descriptor,
                          struct queue_preamble *preamble, struct span envelope,
                          uint32_t recipient_count, bool open_delivery, int *delivery_descriptor);
/* Copies the content, as far as it was written through another descriptor of the kind; at most
 * limit_bytes (0: any number). 0 or -1. */
MUST_USE int store_copy_content(int from, int to, uint64_t limit_bytes);
/* Flushes a message that somebody else may have committed, and not to the end. 0 or -1. */
MUST_USE int store_make_durable(const struct store *store, const struct store_place *place);
/* Removes tmp/<id> and closes the descriptor (-1: none). */
void store_abandon(const struct store *store, const char *queue_id, int descriptor);

/* Looks for place->queue_id in new/ and in every bucket, and fills in the rest of *place. 1, or 0
 * when it lies in none, or -1 when that cannot be said now. What stands in place->bucket before is
 * a guess: that one is looked into first. */
MUST_USE int store_find(const struct store *store, struct store_place *place);
/* Whether it lies in that place: 1, 0, or -1. */
MUST_USE int store_look(const struct store *store, const struct store_place *place);

/* A fresh read-only open for one delivery, with a shared lock. -1 on failure. */
MUST_USE int store_open_delivery(const struct store *store, const struct store_place *place);

/* Status bytes and a journal in one go; lazily durable. 0 or -1. */
struct store_mark {
    uint32_t recipient;
    uint8_t status;
};
MUST_USE int store_mark(const struct store *store, const struct store_place *place,
                        const struct queue_preamble *preamble, const struct store_mark *marks,
                        size_t mark_count, struct span journal, uint64_t *journal_end);
/* The same without a journal, durably. */
MUST_USE int store_mark_durably(const struct store *store, const struct store_place *place,
                                const struct queue_preamble *preamble,
                                const struct store_mark *marks, size_t mark_count);
/* Moves it to deferred/<bucket>; makes the bucket. 0 or -1; *place is changed on success. */
MUST_USE int store_defer(const struct store *store, struct store_place *place, uint32_t bucket);
/* Somebody has taken the file away. */
bool store_is_gone(const struct store *store, const struct store_place *place);
/* 0, or -1. A file that is gone already is fine. */
MUST_USE int store_remove(const struct store *store, const struct store_place *place);
/* Moves it out of the way: "hold" or "corrupt". */
MUST_USE int store_set_aside(const struct store *store, const struct store_place *place,
                             const char *directory);

enum store_load_result {
    STORE_LOADED,
    STORE_GONE,        /* no such file any more */
    STORE_LOCKED,      /* a delivery of it is under way */
    STORE_UNCOMMITTED, /* in new/ without preamble: never acknowledged; it was removed */
    STORE_HELD,        /* unknown version or key: moved to hold/ */
    STORE_CORRUPT,     /* moved to corrupt/ */
    STORE_NO_FILE,     /* a pipe, a link or a socket, which cannot be moved: it was removed */
    STORE_FAILED       /* errno in *error: left where it is */
};

struct store_message {
    struct queue_preamble preamble;
    struct span envelope; /* everything from here on lives in the arena */
    struct queue_envelope decoded;
    struct span statuses;
    struct span journal;
    uint64_t journal_end; /* in the file: where the next record goes */
    enum queue_file_result verdict;
    bool is_no_file; /* then MALFORMED */
    bool is_locked;  /* a delivery of it is under way: it was read in spite of that */
    int error;
};

/* Reads and proves a message; with ignore_lock also one that is being delivered. mutates false:
 * for listings, touches nothing and takes no lock. */
MUST_USE enum store_load_result store_load(const struct store *store,
                                           const struct store_place *place, bool ignore_lock,
                                           bool mutates, struct arena *arena,
                                           struct store_message *message);

#endif
