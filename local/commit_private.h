/* local/commit_private - what the two halves of local/commit share: the loop's decisions
 * (commit.c), and the work of the pool's threads (commit_work.c). A thread touches its job's
 * deliveries and what the mutex guards, nothing else that the loop writes. */
#ifndef LOCAL_COMMIT_PRIVATE_H
#define LOCAL_COMMIT_PRIVATE_H

#include <pthread.h>

#include "commit.h"
#include "maildir_cache.h"

/* The deliveries of one file system. */
struct commit_group {
    struct commit_group *next;
    struct commit *commit;
    dev_t device;
    struct list waiting;
    struct list flushing; /* the pool's while a flush is under way */
    struct pool_job job;
    bool is_flushing;
    int64_t flush_us;
};

struct commit {
    struct loop *loop;
    struct pool *pool;
    enum commit_policy policy;
    struct list held;  /* wait for descriptors: the first of each file */
    size_t name_count; /* of those under way */
    size_t pending_count;
    size_t writing_count; /* of them: not yet done by deliver_work */
    pid_t process_id;
    uint64_t next_serial;
    struct maildir_cache mailboxes;
    struct commit_group *groups; /* as many as there are file systems with mailboxes */
    int64_t fsync_average_us;
    unsigned slow_syncfs_count; /* in a row */
    int64_t backoff_ms;
    int64_t syncfs_again_ms;
    struct commit_counts counts;
    bool lacks_unnamed;    /* files without a name: not here */
    pthread_mutex_t mutex; /* guards spaces */
    struct rendition_space *spaces;
};

/* How long syncfs may take for so many files of ours before it is called slow: as long as flushing
 * each would take, and then some. */
int64_t commit_fair_syncfs_us(int64_t fsync_average_us, size_t file_count);

const struct maildir *commit_mailbox(const struct commit_delivery *delivery);
/* For maildir_request.share, with the delivery that the others follow. */
void commit_link_followers(const struct maildir_source *source, void *context);
/* Jobs: write a batch; flush one file by itself; flush those of a group. */
void commit_deliver_work(struct pool_job *job);
void commit_flush_work(struct pool_job *job);
void commit_flush_group_work(struct pool_job *job);

#endif
