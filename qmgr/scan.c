/* qmgr/scan - see scan.h. */
#include "scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "buckets.h"
#include "intake_peer.h"
#include "load.h"
#include "report.h"
#include "space.h"
#include "system/random.h"
#include "system/task.h"

enum {
    LATER_MS = 1000,
    LOCK_POLL_MS = 50,
    NAMES_PER_READ = 256,
    BUCKETS_MAX = 65536,
    BUCKET_RETRY_S = 30,
    EARLY_PAUSE_US = 2000 /* for each message that was read too early: a part of our time only */
};

struct scan {
    struct qmgr *qmgr;
    struct store store;
    struct task *task;
    struct buckets buckets;
    struct loader loader;
    bool has_listed_buckets; /* until then they belong to the thread that lists them */
    bool is_flush_wanted;    /* asked for before that */
    bool is_new_wanted;
    bool has_read_new; /* once to its end */
    bool is_new_retry_set;
    bool waits_for_room;
    bool is_in_pass; /* it waits in the middle of a directory */
};

const struct store *scan_store(const struct qmgr *qmgr)
{
    return &qmgr->scan->store;
}

static void wake(struct scan *scan)
{
    if (scan->task)
        task_wake(scan->task);
}

/* ---- timers of others ---- */

struct later {
    struct loop_timer timer;
    void (*fire)(void *context);
    void *context;
};

static void on_later(void *context)
{
    struct later *later = context;
    loop_timer_release(&later->timer);
    later->fire(later->context);
    free(later);
}

void scan_later(struct qmgr *qmgr, void (*fire)(void *context), void *context)
{
    struct later *later = calloc(1, sizeof(*later));
    ASSERT(later); /* losing the call would leave a message for good */
    later->fire = fire;
    later->context = context;
    loop_timer_init(&later->timer, qmgr->loop, on_later, later);
    loop_timer_set(&later->timer, clock_deadline_after(LATER_MS));
}

/* ---- buckets ---- */

void scan_expect(struct qmgr *qmgr, uint32_t bucket, uint64_t due_us)
{
    (void)buckets_add(&qmgr->scan->buckets, bucket, due_us);
    wake(qmgr->scan);
}

void scan_clock_changed(struct qmgr *qmgr)
{
    wake(qmgr->scan);
}

static bool flush_active(struct map_node *node, void *context)
{
    const struct scan *scan = context;
    message_flush(CONTAINER_OF(node, struct message, node), scan->loader.flushed_ms);
    return true;
}

void scan_flush(struct qmgr *qmgr)
{
    struct scan *scan = qmgr->scan;
    scan->loader.flushed_ms = clock_monotonic_ms();
    scan->loader.flushed_us = clock_realtime_us();
    map_for_each(&qmgr->messages, flush_active, scan);
    if (!scan->has_listed_buckets) {
        scan->is_flush_wanted = true;
        return;
    }
    buckets_flush(&scan->buckets);
    wake(scan);
}

/* ---- room ---- */

bool qmgr_has_room(const struct qmgr *qmgr)
{
    return qmgr->messages.count < qmgr->settings->qmgr_message_active_limit &&
           qmgr->recipient_count < qmgr->settings->qmgr_message_recipient_limit;
}

/* Three quarters; of a few places all but one; of one place, that one (by turns: wait_for_room()).
 */
static uint64_t share_of_deferred(uint64_t limit)
{
    return limit < 4 ? limit - (limit > 1) : limit - limit / 4;
}

static bool has_room_for_deferred(const struct qmgr *qmgr)
{
    const struct conf_qmgr *settings = qmgr->settings;
    return qmgr->messages.count < share_of_deferred(settings->qmgr_message_active_limit) &&
           qmgr->recipient_count < share_of_deferred(settings->qmgr_message_recipient_limit);
}

static bool has_room_for(const struct qmgr *qmgr, uint32_t bucket)
{
    return bucket ? has_room_for_deferred(qmgr) : qmgr_has_room(qmgr);
}

void scan_room_changed(struct qmgr *qmgr)
{
    if (qmgr->scan && qmgr->scan->waits_for_room) {
        qmgr->scan->waits_for_room = false;
        wake(qmgr->scan);
    }
}

void scan_want_new(struct qmgr *qmgr)
{
    qmgr->scan->is_new_wanted = true;
    wake(qmgr->scan);
}

/* ---- messages that somebody asks for ---- */

static bool want(struct qmgr *qmgr, struct span queue_id, enum load_wish wish, int64_t flushed_ms)
{
    const bool is_taken = loader_want(&qmgr->scan->loader, queue_id, wish, flushed_ms);
    wake(qmgr->scan);
    return is_taken;
}

bool scan_want(struct qmgr *qmgr, struct span queue_id)
{
    return want(qmgr, queue_id, LOAD_WISH_RESULT, 0);
}

bool scan_flush_message(struct qmgr *qmgr, struct span queue_id, int64_t flushed_ms)
{
    return want(qmgr, queue_id, LOAD_WISH_FLUSHED, flushed_ms);
}

bool scan_want_origin(struct qmgr *qmgr, struct span queue_id)
{
    return want(qmgr, queue_id, LOAD_WISH_SETTLED, 0);
}

bool scan_seeks_origins(const struct qmgr *qmgr)
{
    return qmgr->scan->loader.settled_count > 0;
}

size_t scan_wanted_count(const struct qmgr *qmgr)
{
    return loader_wanted_count(&qmgr->scan->loader);
}

void scan_alter(struct qmgr *qmgr, struct alteration *alteration)
{
    loader_alter(&qmgr->scan->loader, alteration);
    wake(qmgr->scan);
}

void scan_settled(struct qmgr *qmgr, const struct store_place *place)
{
    loader_settled(&qmgr->scan->loader, place);
    wake(qmgr->scan);
}

/* ---- reading directories ---- */

struct names_job {
    DIR *directory;
    char names[NAMES_PER_READ][QUEUE_ID_MAX_BYTES + 1];
    size_t count;
    bool is_end;
    int error; /* why it ended before it was read */
};

static void names_work(void *argument)
{
    struct names_job *job = argument;
    job->count = 0;
    while (job->count < NAMES_PER_READ) {
        errno = 0;
        struct dirent *entry = readdir(job->directory);
        if (!entry) {
            job->error = errno;
            job->is_end = true;
            break;
        }
        const struct span name = span_from_string(entry->d_name);
        if (queue_id_is_valid(name))
            memcpy(job->names[job->count++], entry->d_name, name.length + 1);
    }
}

static DIR *open_bucket(const struct scan *scan, uint32_t bucket)
{
    char name[QUEUE_BUCKET_NAME_BYTES + 1];
    queue_bucket_name(bucket, name);
    const int descriptor =
        bucket ? openat(scan->store.deferred, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
               : openat(scan->store.queue, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (!directory)
        file_close(descriptor);
    return directory;
}

enum pass_result {
    PASS_DONE,        /* each file was looked at */
    PASS_LEFT,        /* some have to be looked at again */
    PASS_INTERRUPTED, /* new mail wants the room */
    PASS_CANCELLED
};

static enum pass_result wait_for_room(struct scan *scan, uint32_t bucket)
{
    bool was_full = false;
    for (;;) {
        /* Agents keep their places until their results are taken, and make no room before. */
        while (loader_serve(&scan->loader))
            task_yield();
        const bool has_room = qmgr_has_room(scan->qmgr);
        const bool has_share = has_room_for(scan->qmgr, bucket);
        /* Of the place that has come free it is new mail's turn, or it would wait for a whole
         * bucket where deferred mail may have all there is. */
        if (bucket && scan->is_new_wanted && has_room && (was_full || !has_share))
            return PASS_INTERRUPTED;
        if (has_share)
            return PASS_DONE;
        was_full |= !has_room;
        scan->waits_for_room = scan->is_in_pass = true;
        const bool is_cancelled = task_park(loader_deadline(&scan->loader)) == TASK_CANCELLED;
        scan->is_in_pass = false;
        if (is_cancelled)
            return PASS_CANCELLED;
    }
}

/* They are counted when they have been read: so many beyond the limit there may be, and they must
 * not take the places that are kept for new mail. */
static size_t loads_at_once(const struct qmgr *qmgr)
{
    const uint64_t limit = qmgr->settings->qmgr_message_active_limit / 64;
    return limit < 1 ? 1 : limit < LOADS_PER_JOB ? (size_t)limit : LOADS_PER_JOB;
}

static enum pass_result load_names(struct scan *scan, const struct names_job *names,
                                   struct load_job *loads, uint32_t bucket, enum load_haste haste)
{
    const size_t at_once = loads_at_once(scan->qmgr);
    bool is_whole = true;
    for (size_t i = 0; i < names->count; i++) {
        struct store_place place = {.bucket = bucket};
        /* Where they lie is known now, and need not be so after a wait. */
        if (loads->count >= at_once || !has_room_for(scan->qmgr, bucket))
            is_whole &= load_run(&scan->loader, loads);
        const enum pass_result room = wait_for_room(scan, bucket);
        if (room != PASS_DONE)
            return room;
        memcpy(place.queue_id, names->names[i], sizeof(place.queue_id));
        load_add(&scan->loader, loads, &place, haste);
    }
    is_whole &= load_run(&scan->loader, loads);
    return is_whole ? PASS_DONE : PASS_LEFT;
}

static enum pass_result read_directory(struct scan *scan, uint32_t bucket, enum load_haste haste)
{
    struct names_job *names = calloc(1, sizeof(*names));
    struct load_job *loads = calloc(1, sizeof(*loads));
    enum pass_result result = PASS_DONE;
    if (!names || !loads || !(names->directory = open_bucket(scan, bucket))) {
        result = errno == ENOENT ? PASS_DONE : PASS_LEFT;
        goto done;
    }
    while (!names->is_end && (result == PASS_DONE || result == PASS_LEFT)) {
        pool_run(scan->qmgr->pool, names_work, names);
        const enum pass_result loaded = load_names(scan, names, loads, bucket, haste);
        if (loaded != PASS_DONE)
            result = loaded;
        else if (names->error != 0)
            result = PASS_LEFT;
    }
    (void)closedir(names->directory);
done:
    free(names);
    free(loads);
    return result;
}

/* ---- the parts of the task ---- */

struct remove_job {
    const struct store *store;
    uint32_t bucket;
    int result;
};

static void remove_work(void *argument)
{
    struct remove_job *job = argument;
    char name[QUEUE_BUCKET_NAME_BYTES + 1];
    queue_bucket_name(job->bucket, name);
    job->result = unlinkat(job->store->deferred, name, AT_REMOVEDIR);
    if (job->result != 0 && errno == ENOENT)
        job->result = 0;
}

/* A bucket further ahead than any back-off was named when the clock was somewhere else: due now. */
static uint64_t plausible_limit_us(const struct scan *scan)
{
    const struct conf_qmgr *settings = scan->qmgr->settings;
    const int64_t longest_ms = settings->maximal_backoff_time_ms > settings->minimal_backoff_time_ms
                                   ? settings->maximal_backoff_time_ms
                                   : settings->minimal_backoff_time_ms;
    return clock_realtime_us() + (uint64_t)longest_ms * 1200U +
           UINT64_C(2000000) * QUEUE_BUCKET_SECONDS;
}

/* What came into memory leaves the bucket by itself, and what was too early has said when it is
 * due: until then there is nothing to look for, unless something could not be read. */
static uint64_t next_look_us(const struct scan *scan, uint32_t number, bool is_whole)
{
    const uint64_t now_us = clock_realtime_us();
    const uint64_t begin_us = queue_bucket_time(number), end_us = queue_bucket_time(number + 1);
    if (!is_whole || end_us <= now_us || begin_us > plausible_limit_us(scan))
        return now_us + BUCKET_RETRY_S * UINT64_C(1000000);
    return begin_us > now_us ? begin_us : end_us;
}

/* When it may be looked into again, after a look that found so many messages to be not due yet. */
static uint64_t pause_end_us(uint32_t number, size_t early_count)
{
    const uint64_t end_us = queue_bucket_time(number + 1);
    const uint64_t pause_us = early_count * (uint64_t)EARLY_PAUSE_US;
    const uint64_t then_us = clock_realtime_us() + pause_us;
    return early_count == 0 ? 0 : then_us < end_us ? then_us : end_us;
}

static void scan_bucket(struct scan *scan, uint32_t number, enum load_haste haste)
{
    struct bucket *bucket = buckets_find(&scan->buckets, number);
    bucket_begin_look(bucket);
    scan->loader.early_count = 0;
    const enum pass_result result = read_directory(scan, number, haste);
    bucket = buckets_find(&scan->buckets, number);
    if (!bucket)
        return;
    bucket_end_look(bucket, pause_end_us(number, scan->loader.early_count));
    if (result == PASS_INTERRUPTED) {
        bucket_resume(bucket, haste);
        return;
    }
    if (queue_bucket_time(number + 1) <= clock_realtime_us()) {
        struct remove_job job = {.store = &scan->store, .bucket = number};
        /* Messages in it that were too early, or came while it was read, have said when. */
        const struct bucket before = *bucket;
        /* Forgotten first: a message that comes meanwhile makes the bucket anew, here and there. */
        buckets_drop(&scan->buckets, number);
        pool_run(scan->qmgr->pool, remove_work, &job);
        if (job.result == 0)
            return;
        bucket = buckets_add(&scan->buckets, number, before.due_us);
        if (bucket && bucket->haste < before.haste)
            bucket->haste = before.haste;
    }
    (void)buckets_add(&scan->buckets, number, next_look_us(scan, number, result == PASS_DONE));
}

static void want_new_again(void *context)
{
    struct qmgr *qmgr = context;
    qmgr->scan->is_new_retry_set = false;
    scan_want_new(qmgr);
}

static void scan_new(struct scan *scan)
{
    scan->is_new_wanted = false;
    const enum pass_result result = read_directory(scan, 0, LOAD_NOW);
    if (result == PASS_LEFT && !scan->is_new_retry_set) { /* some could not be read just now */
        scan->is_new_retry_set = true;
        scan_later(scan->qmgr, want_new_again, scan->qmgr);
    }
    scan->has_read_new = scan->has_read_new || result == PASS_DONE;
}

/* What is locked was left out and comes later. */
bool scan_has_read_new(const struct qmgr *qmgr)
{
    return qmgr->scan->has_read_new && loader_deadline(&qmgr->scan->loader) == CLOCK_NEVER;
}

static void pull_implausible(struct scan *scan)
{
    const uint64_t limit_us = plausible_limit_us(scan);
    for (size_t i = scan->buckets.count; i > 0; i--) {
        struct bucket *bucket = &scan->buckets.list[i - 1];
        if (queue_bucket_time(bucket->number) <= limit_us)
            break; /* they are in order */
        if (bucket->due_us > limit_us && bucket->due_us != UINT64_MAX) {
            bucket->due_us = 0;
            bucket->haste = LOAD_NOW;
        }
    }
}

bool scan_waits_for_room(const struct qmgr *qmgr)
{
    const struct scan *scan = qmgr->scan;
    const struct bucket *bucket =
        scan->has_listed_buckets ? buckets_earliest(&scan->buckets) : NULL;
    return scan->is_in_pass || (scan->is_new_wanted && !qmgr_has_room(qmgr)) ||
           (bucket && bucket->due_us <= clock_realtime_us() && !has_room_for_deferred(qmgr));
}

static int64_t next_deadline(const struct scan *scan)
{
    const struct bucket *bucket = buckets_earliest(&scan->buckets);
    int64_t deadline_ms = CLOCK_NEVER;
    /* What is due and finds no room waits for scan_room_changed(), not for a time that has come. */
    if (bucket && bucket->due_us != UINT64_MAX && has_room_for_deferred(scan->qmgr)) {
        const uint64_t now_us = clock_realtime_us();
        const uint64_t wait_ms = bucket->due_us > now_us ? (bucket->due_us - now_us) / 1000 + 1 : 0;
        /* Not further than a minute: the clock may be set. */
        deadline_ms = clock_deadline_after(wait_ms < 60000 ? (int64_t)wait_ms : 60000);
    }
    const int64_t locked_ms = loader_deadline(&scan->loader);
    return locked_ms < deadline_ms ? locked_ms : deadline_ms;
}

/* One piece of work; false when there is none now. */
static bool scan_step(struct scan *scan)
{
    if (loader_serve(&scan->loader))
        return true;
    if (scan->is_new_wanted && qmgr_has_room(scan->qmgr)) {
        scan_new(scan);
        return true;
    }
    pull_implausible(scan);
    const struct bucket *bucket = buckets_earliest(&scan->buckets);
    if (bucket && bucket->due_us <= clock_realtime_us() && has_room_for_deferred(scan->qmgr)) {
        scan_bucket(scan, bucket->number, bucket->haste);
        return true;
    }
    return false;
}

/* ---- the start ---- */

static void sweep_work(void *argument)
{
    struct scan *scan = argument;
    const int descriptor = openat(scan->store.queue, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (!directory) {
        file_close(descriptor);
        return;
    }
    /* Unread: nothing in tmp/ was ever acknowledged. */
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            (void)unlinkat(scan->store.tmp, entry->d_name, 0);
    (void)closedir(directory);
}

struct list_job {
    struct scan *scan;
    int error; /* some may be missing */
};

static void list_buckets_work(void *argument)
{
    struct list_job *job = argument;
    struct scan *scan = job->scan;
    const int descriptor =
        openat(scan->store.queue, "deferred", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    const uint64_t limit_us = plausible_limit_us(scan);
    job->error = errno;
    if (!directory) {
        file_close(descriptor);
        return;
    }
    errno = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL; errno = 0) {
        uint32_t number;
        if (!queue_bucket_parse(span_from_string(entry->d_name), &number) || number == 0 ||
            scan->buckets.count >= BUCKETS_MAX)
            continue;
        const uint64_t begin_us = queue_bucket_time(number);
        const bool is_implausible = begin_us > limit_us;
        struct bucket *bucket = buckets_add(&scan->buckets, number, is_implausible ? 0 : begin_us);
        if (!bucket)
            continue;
        bucket->haste = is_implausible ? LOAD_NOW : LOAD_WHEN_DUE;
    }
    job->error = errno;
    (void)closedir(directory);
}

/* Mail in a bucket that is not known would wait for the next start. False: this process is to
 * leave. */
static bool list_buckets(struct scan *scan)
{
    struct list_job job = {.scan = scan};
    for (;;) {
        pool_run(scan->qmgr->pool, list_buckets_work, &job);
        if (job.error == 0)
            return true;
        maillog_text(&scan->qmgr->service->log, LOG_LEVEL_WARNING, span_empty(),
                     "cannot list the deferred queue: %s; trying again", strerror(job.error));
        if (task_sleep(LATER_MS) == TASK_CANCELLED)
            return false;
    }
}

/* A new qmgr waits here until the one before has left the queue. */
static bool take_lock(struct scan *scan)
{
    struct maillog *log = &scan->qmgr->service->log;
    bool has_told = false;
    while (flock(scan->qmgr->lock_descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (!has_told)
            maillog_text(log, LOG_LEVEL_INFO, span_empty(),
                         "waiting for another queue manager to leave the queue");
        has_told = true;
        if (task_sleep(LOCK_POLL_MS) == TASK_CANCELLED)
            return false;
    }
    return true;
}

/* Clocks can be set: it tells what this process wrote from what others wrote. */
static void make_mark(struct qmgr *qmgr)
{
    const uint8_t *mark = qmgr->id_mark;
    random_bytes(qmgr->id_mark, sizeof(qmgr->id_mark));
    (void)snprintf(qmgr->mark, sizeof(qmgr->mark), "%02x%02x%02x%02x", mark[0], mark[1], mark[2],
                   mark[3]);
}

static void scan_body(void *argument)
{
    struct scan *scan = argument;
    struct qmgr *qmgr = scan->qmgr;
    if (!take_lock(scan))
        return;
    pool_run(qmgr->pool, sweep_work, scan);
    if (!list_buckets(scan))
        return;
    scan->has_listed_buckets = true;
    if (scan->is_flush_wanted)
        scan_flush(qmgr);
    make_mark(qmgr);
    qmgr->has_lock = true;
    qmgr->agents_expected_until_ms = clock_deadline_after(20000);
    intake_peer_open_gates(qmgr);
    space_start(qmgr);
    scan->is_new_wanted = true;
    while (!task_is_cancelled()) {
        while (scan_step(scan))
            task_yield();
        if (scan_has_read_new(qmgr))
            report_try_waiting(qmgr);
        scan->waits_for_room = true;
        (void)task_park(next_deadline(scan));
    }
}

int scan_start(struct qmgr *qmgr)
{
    struct scan *scan = calloc(1, sizeof(*scan));
    if (!scan)
        return -1;
    scan->qmgr = qmgr;
    scan->store = (struct store){.queue = qmgr->queue_directory,
                                 .tmp = qmgr->tmp_directory,
                                 .new = qmgr->new_directory,
                                 .deferred = qmgr->deferred_directory,
                                 .syncs_directory = qmgr->settings->queue_sync_directory};
    memcpy(scan->store.key_bytes, qmgr->key_bytes, sizeof(scan->store.key_bytes));
    loader_init(&scan->loader, qmgr, &scan->store);
    qmgr->scan = scan;
    scan->task = task_start(qmgr->loop, "scan", scan_body, scan);
    return scan->task ? 0 : -1;
}
