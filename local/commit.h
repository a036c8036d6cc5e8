/* local/commit - many deliveries at a time, made durable in groups.
 * A delivery is written in a pool thread. With few under way each thread flushes its own file, and
 * the kernel merges what happens at once; with eight or more the files written meanwhile are
 * flushed by one syncfs. Of a message with many recipients a thread writes several files at one go,
 * where their mailboxes are open from a moment ago: it reads the content once. The caller hears of
 * a delivery when it is durable, or not at all. Callers: local/virtual and local's workers. */
#ifndef LOCAL_COMMIT_H
#define LOCAL_COMMIT_H

#include "maildir.h"
#include "system/pool.h"

/* Setting mailbox_sync. */
enum commit_policy {
    COMMIT_AUTO,
    COMMIT_FSYNC,
    COMMIT_SYNCFS,
    COMMIT_NO /* reported before it is durable: for those who want speed and accept loss */
};

/* From this many deliveries under way on, one syncfs costs less than a flush each. */
enum { COMMIT_GROUP_MINIMUM = 8 };

struct commit;
struct commit_group;
struct maildir_entry;

/* The caller fills in the first part and keeps it until done, which gets result. The request's
 * share is commit's own, too. */
struct commit_delivery {
    struct maildir_request request;
    void (*done)(struct commit_delivery *delivery);
    struct maildir_result result;

    /* commit's own */
    struct pool_job job;
    struct list_link link;
    struct commit *commit;
    struct maildir_entry *entry; /* kept open from earlier, or NULL: */
    struct maildir opened;       /* opened for this delivery */
    struct maildir_file file;
    uint64_t serial;
    int64_t flush_us; /* what the flush of its own took, -1: there was none */
    bool flushes_itself;
    bool is_written;
    bool is_settled; /* of a follower: linked, or failed for good */
    /* Those that want the same file under a name of their own. */
    struct commit_delivery *followers;
    struct commit_delivery *next_follower;
    size_t name_count;     /* itself and its followers */
    int shared_descriptor; /* of that file, when somebody follows; else -1 */
    /* Those that the same job writes, of the same message; the rest in the first of them. */
    struct commit_delivery *next_in_batch;
    struct commit_delivery *last_in_batch;
    size_t batch_count;
};

/* NULL when memory is out. The pool's threads do the work. */
MUST_USE struct commit *commit_create(struct loop *loop, struct pool *pool,
                                      enum commit_policy policy);
/* No delivery may be under way. */
void commit_destroy(struct commit **commit);

void commit_deliver(struct commit *commit, struct commit_delivery *delivery);
/* The same message (request.content is one) for several mailboxes, a file in each. */
void commit_deliver_each(struct commit *commit, struct commit_delivery *const *deliveries,
                         size_t count);
/* The same message for several mailboxes of one owner: where they lie on one file system it is
 * written once and linked. The requests must not differ in what they write, and none may be maybe
 * repeated. */
void commit_deliver_shared(struct commit *commit, struct commit_delivery *const *deliveries,
                           size_t count);
/* Files, not names. */
size_t commit_pending_count(const struct commit *commit);

MUST_USE enum commit_policy commit_policy_from_name(struct span name);

/* For tests and counters. */
struct commit_counts {
    uint64_t fsync_count;
    uint64_t syncfs_count;
    uint64_t backoff_count; /* times that syncfs proved slow and was left alone for a while */
    uint64_t job_count;     /* that wrote files */
};
struct commit_counts commit_get_counts(const struct commit *commit);

#endif
