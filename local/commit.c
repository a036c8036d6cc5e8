/* local/commit - see commit.h. */
#include "commit_private.h"

#include <stdlib.h>
#include <unistd.h>

#include "system/random.h"

/* syncfs writes out what everybody left dirty on that file system. When that makes it slow we leave
 * it alone: 10 seconds at first, up to five minutes. */
enum {
    SYNCFS_SLOW_FACTOR = 4,
    SYNCFS_SLOW_FLOOR_US = 20000,
    SYNCFS_SLOW_IN_A_ROW = 2,
    FLUSHES_AT_ONCE = 16, /* that the kernel merges, with a thread each */
    SYNCFS_BACKOFF_MIN_MS = 10000,
    SYNCFS_BACKOFF_MAX_MS = 300000,
    FSYNC_FIRST_GUESS_US = 10000,
    FSYNC_AVERAGE_OVER = 8,
    /* Names under way at a time: each may hold a file and three directories open. */
    NAMES_MAX = 1024,
    /* What one job writes: long enough to be worth waking a thread for, short enough to leave the
     * others something. */
    BATCH_MAX = 16
};

enum commit_policy commit_policy_from_name(struct span name)
{
    if (span_equals(name, SPAN("fsync")))
        return COMMIT_FSYNC;
    if (span_equals(name, SPAN("syncfs")))
        return COMMIT_SYNCFS;
    return span_equals(name, SPAN("no")) ? COMMIT_NO : COMMIT_AUTO;
}

struct commit *commit_create(struct loop *loop, struct pool *pool, enum commit_policy policy)
{
    uint8_t seed[16];
    struct commit *commit = calloc(1, sizeof(*commit));
    if (!commit)
        return NULL;
    if (pthread_mutex_init(&commit->mutex, NULL) != 0) {
        free(commit);
        return NULL;
    }
    random_bytes(seed, sizeof(seed));
    maildir_cache_init(&commit->mailboxes, seed);
    list_init(&commit->held);
    commit->loop = loop;
    commit->pool = pool;
    commit->policy = policy;
    commit->process_id = getpid();
    commit->fsync_average_us = FSYNC_FIRST_GUESS_US;
    commit->syncfs_again_ms = INT64_MIN;
    return commit;
}

void commit_destroy(struct commit **commit)
{
    struct commit *old = *commit;
    *commit = NULL;
    if (!old)
        return;
    ASSERT(old->pending_count == 0 && list_is_empty(&old->held));
    maildir_cache_destroy(&old->mailboxes);
    for (struct commit_group *group; (group = old->groups);) {
        old->groups = group->next;
        free(group);
    }
    for (struct rendition_space *space; (space = old->spaces);) {
        old->spaces = space->next;
        rendition_space_destroy(&space);
    }
    (void)pthread_mutex_destroy(&old->mutex);
    free(old);
}

size_t commit_pending_count(const struct commit *commit)
{
    return commit->pending_count + commit->held.count;
}

struct commit_counts commit_get_counts(const struct commit *commit)
{
    return commit->counts;
}

static void let_go(struct commit_delivery *delivery)
{
    if (delivery->entry)
        maildir_cache_release(delivery->entry);
    if (delivery->opened.directory >= 0)
        maildir_close(&delivery->opened);
    delivery->entry = NULL;
}

static void begin_held(struct commit *commit);

/* All but telling the caller. */
static void settle(struct commit *commit, struct commit_delivery *delivery)
{
    if (delivery->flush_us >= 0) {
        commit->counts.fsync_count++;
        commit->fsync_average_us +=
            (delivery->flush_us - commit->fsync_average_us) / FSYNC_AVERAGE_OVER;
    }
    let_go(delivery);
    for (struct commit_delivery *follower = delivery->followers; follower;
         follower = follower->next_follower)
        let_go(follower);
    commit->pending_count--;
    commit->name_count -= delivery->name_count;
}

/* By their links. What waited for their descriptors begins together; the callers come last, because
 * their functions may begin deliveries, or free theirs. */
static void finish(struct commit *commit, struct list *finished)
{
    LIST_FOR_EACH (finished, link)
        settle(commit, CONTAINER_OF(link, struct commit_delivery, link));
    begin_held(commit);
    for (struct list_link *link; (link = list_pop(finished));) {
        struct commit_delivery *delivery = CONTAINER_OF(link, struct commit_delivery, link);
        for (struct commit_delivery *follower = delivery->followers, *next; follower;
             follower = next) {
            next = follower->next_follower;
            follower->done(follower);
        }
        delivery->done(delivery);
    }
}

static struct commit_group *find_group(struct commit *commit, dev_t device)
{
    struct commit_group *group = commit->groups;
    while (group && group->device != device)
        group = group->next;
    if (!group && (group = calloc(1, sizeof(*group)))) {
        group->commit = commit;
        group->device = device;
        list_init(&group->waiting);
        list_init(&group->flushing);
        group->next = commit->groups;
        commit->groups = group;
    }
    return group;
}

int64_t commit_fair_syncfs_us(int64_t fsync_average_us, size_t file_count)
{
    /* A flush each, at once, is about as long as two of them; there are so many threads. */
    const int64_t rounds = 1 + (int64_t)(file_count / FLUSHES_AT_ONCE);
    return SYNCFS_SLOW_FLOOR_US + fsync_average_us * rounds * SYNCFS_SLOW_FACTOR;
}

/* written_since: files that are not part of the group, and that syncfs may have written out. */
static void judge_syncfs(struct commit *commit, int64_t flush_us, size_t count,
                         size_t written_since)
{
    commit->counts.syncfs_count++;
    if (commit->policy != COMMIT_AUTO)
        return;
    if (flush_us <= commit_fair_syncfs_us(commit->fsync_average_us, count + written_since)) {
        commit->slow_syncfs_count = 0;
        if (count >= COMMIT_GROUP_MINIMUM)
            commit->backoff_ms = 0;
        return;
    }
    if (++commit->slow_syncfs_count < SYNCFS_SLOW_IN_A_ROW)
        return;
    commit->backoff_ms = commit->backoff_ms == 0 ? SYNCFS_BACKOFF_MIN_MS : commit->backoff_ms * 2;
    if (commit->backoff_ms > SYNCFS_BACKOFF_MAX_MS)
        commit->backoff_ms = SYNCFS_BACKOFF_MAX_MS;
    commit->syncfs_again_ms = clock_monotonic_ms() + commit->backoff_ms;
    commit->slow_syncfs_count = 0;
    commit->counts.backoff_count++;
}

/* A group that is small waits for those that are being written now: that takes much less time than
 * a flush. */
static bool is_time_to_flush(const struct commit_group *group)
{
    return !group->is_flushing && !list_is_empty(&group->waiting) &&
           (group->waiting.count >= COMMIT_GROUP_MINIMUM || group->commit->writing_count == 0);
}

static void start_flush(struct commit_group *group)
{
    while (!list_is_empty(&group->waiting))
        list_append(&group->flushing, list_pop(&group->waiting));
    group->is_flushing = true;
    pool_submit(group->commit->pool, &group->job);
}

static void group_done(struct pool_job *job)
{
    struct commit_group *group = CONTAINER_OF(job, struct commit_group, job);
    struct list finished;
    list_init(&finished);
    judge_syncfs(group->commit, group->flush_us, group->flushing.count, group->waiting.count);
    while (!list_is_empty(&group->flushing))
        list_append(&finished, list_pop(&group->flushing));
    group->is_flushing = false;
    if (is_time_to_flush(group))
        start_flush(group);
    finish(group->commit, &finished);
}

static void alone_done(struct pool_job *job)
{
    struct commit_delivery *delivery = CONTAINER_OF(job, struct commit_delivery, job);
    struct list finished;
    list_init(&finished);
    list_append(&finished, &delivery->link);
    finish(delivery->commit, &finished);
}

static void join_group(struct commit_delivery *delivery)
{
    struct commit_group *group = find_group(delivery->commit, commit_mailbox(delivery)->device);
    if (!group) { /* no memory for one: by itself, after all */
        delivery->job = (struct pool_job){.work = commit_flush_work, .done = alone_done};
        pool_submit(delivery->commit->pool, &delivery->job);
        return;
    }
    group->job.work = commit_flush_group_work;
    group->job.done = group_done;
    list_append(&group->waiting, &delivery->link);
}

static void start_flushes(struct commit *commit)
{
    for (struct commit_group *group = commit->groups; group; group = group->next)
        if (is_time_to_flush(group))
            start_flush(group);
}

static void keep_mailbox(struct commit_delivery *delivery)
{
    struct commit *commit = delivery->commit;
    if (delivery->opened.directory < 0)
        return;
    struct maildir_entry *entry = maildir_cache_put(
        &commit->mailboxes, delivery->request.place.path, &delivery->opened, clock_monotonic_ms());
    if (!entry)
        return;
    if (delivery->entry)
        maildir_cache_release(delivery->entry);
    delivery->entry = entry;
    delivery->opened.directory = -1;
}

static void start_alone(struct commit *commit, struct commit_delivery *first);

/* Those that could not be linked are delivered among themselves, if there are any. */
static void deliver_rest(struct commit_delivery *delivery)
{
    struct commit_delivery *first = NULL, **last = &first;
    for (struct commit_delivery **place = &delivery->followers, *follower; (follower = *place);) {
        keep_mailbox(follower);
        if (follower->is_settled) {
            place = &follower->next_follower;
            continue;
        }
        *place = follower->next_follower;
        follower->next_follower = NULL;
        let_go(follower);
        *last = follower;
        last = &follower->next_follower;
    }
    if (first)
        start_alone(delivery->commit, first);
}

static void deliver_done(struct pool_job *job)
{
    struct commit_delivery *delivery = CONTAINER_OF(job, struct commit_delivery, job);
    struct commit *commit = delivery->commit;
    struct list finished;
    list_init(&finished);
    commit->counts.job_count++;
    for (struct commit_delivery *next; delivery; delivery = next) {
        const bool needs_flush = delivery->is_written && delivery->file.descriptor >= 0;
        next = delivery->next_in_batch;
        commit->writing_count--;
        if (delivery->is_written && delivery->file.lacks_unnamed)
            commit->lacks_unnamed = true;
        keep_mailbox(delivery);
        deliver_rest(delivery);
        if (needs_flush)
            join_group(delivery);
        else
            list_append(&finished, &delivery->link);
    }
    start_flushes(commit);
    finish(commit, &finished);
}

static void prepare(struct commit *commit, struct commit_delivery *delivery, int64_t now_ms)
{
    delivery->commit = commit;
    delivery->serial = commit->next_serial++;
    delivery->entry = maildir_cache_take(&commit->mailboxes, delivery->request.place.path, now_ms);
    delivery->opened.directory = -1;
    delivery->file.descriptor = -1;
    delivery->shared_descriptor = -1;
    delivery->flush_us = -1;
    delivery->is_written = delivery->is_settled = false;
    delivery->followers = NULL;
    delivery->request.share = NULL;
    if (commit->lacks_unnamed)
        delivery->request.avoids_unnamed = true;
    delivery->next_in_batch = NULL;
}

/* A mailbox that is still to be opened, or made, may take long, and so may a flush. */
static bool may_be_in_batch(const struct commit_delivery *delivery)
{
    return delivery->entry && !delivery->followers && !delivery->flushes_itself;
}

static bool joins_batch(struct commit_delivery *batch, struct commit_delivery *delivery)
{
    if (!batch || batch->batch_count >= BATCH_MAX || !may_be_in_batch(batch) ||
        !may_be_in_batch(delivery) || batch->request.content != delivery->request.content ||
        batch->entry->mailbox.device != delivery->entry->mailbox.device)
        return false;
    batch->last_in_batch->next_in_batch = delivery;
    batch->last_in_batch = delivery;
    batch->batch_count++;
    return true;
}

/* The first delivers; those after it, by next_follower, follow. coming: how many begin after it in
 * this call; batch: of those before it. Returns the batch for the next one: jobs go to the threads
 * when the turn ends, until then they may grow. */
static struct commit_delivery *begin_shared(struct commit *commit, struct commit_delivery *first,
                                            size_t coming, struct commit_delivery *batch)
{
    const int64_t now_ms = clock_monotonic_ms();
    commit->name_count += first->name_count;
    for (struct commit_delivery *delivery = first; delivery; delivery = delivery->next_follower)
        prepare(commit, delivery, now_ms);
    first->followers = first->next_follower;
    first->next_follower = NULL;
    if (first->followers) {
        first->request.share = commit_link_followers;
        first->request.share_context = first;
    }
    first->flushes_itself =
        commit->policy == COMMIT_FSYNC ||
        (commit->policy == COMMIT_AUTO && (commit->pending_count + coming < COMMIT_GROUP_MINIMUM ||
                                           now_ms < commit->syncfs_again_ms));
    commit->pending_count++;
    commit->writing_count++;
    if (joins_batch(batch, first))
        return batch;
    first->last_in_batch = first;
    first->batch_count = 1;
    first->job = (struct pool_job){.work = commit_deliver_work, .done = deliver_done};
    pool_submit(commit->pool, &first->job);
    return first;
}

static bool has_descriptors(const struct commit *commit, const struct commit_delivery *first)
{
    return commit->name_count == 0 || commit->name_count + first->name_count <= NAMES_MAX;
}

static void begin_held(struct commit *commit)
{
    struct commit_delivery *first, *batch = NULL;
    while ((first = LIST_ITEM(list_first(&commit->held), struct commit_delivery, link)) != NULL &&
           has_descriptors(commit, first)) {
        list_remove(&commit->held, &first->link);
        batch = begin_shared(commit, first, 0, batch);
    }
}

static struct commit_delivery *start_shared(struct commit *commit, struct commit_delivery *first,
                                            size_t coming, struct commit_delivery *batch)
{
    first->link = (struct list_link){NULL, NULL};
    first->name_count = 0;
    for (const struct commit_delivery *name = first; name; name = name->next_follower)
        first->name_count++;
    if (list_is_empty(&commit->held) && has_descriptors(commit, first))
        return begin_shared(commit, first, coming, batch);
    list_append(&commit->held, &first->link);
    return batch;
}

static void start_alone(struct commit *commit, struct commit_delivery *first)
{
    (void)start_shared(commit, first, 0, NULL); /* no batch to go on with */
}

void commit_deliver(struct commit *commit, struct commit_delivery *delivery)
{
    delivery->next_follower = NULL;
    start_alone(commit, delivery);
}

void commit_deliver_each(struct commit *commit, struct commit_delivery *const *deliveries,
                         size_t count)
{
    struct commit_delivery *batch = NULL;
    for (size_t i = 0; i < count; i++) {
        deliveries[i]->next_follower = NULL;
        batch = start_shared(commit, deliveries[i], count - i - 1, batch);
    }
}

void commit_deliver_shared(struct commit *commit, struct commit_delivery *const *deliveries,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ASSERT(!deliveries[i]->request.is_maybe_repeated);
        deliveries[i]->next_follower = i + 1 < count ? deliveries[i + 1] : NULL;
    }
    if (count > 0)
        start_alone(commit, deliveries[0]);
}
