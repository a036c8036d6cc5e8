/* qmgr/scan - see scan.h. */
#include "scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

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
    BUCKET_RETRY_S = 30
};

struct bucket {
    uint32_t number;
    uint64_t due_us;
    enum load_haste haste; /* of its messages, whatever they say */
};

struct scan {
    struct qmgr *qmgr;
    struct store store;
    struct task *task;
    struct bucket *buckets; /* by number */
    size_t bucket_count, bucket_capacity;
    struct loader loader;
    bool has_listed_buckets; /* until then they belong to the thread that lists them */
    bool is_flush_wanted;    /* asked for before that */
    bool is_new_wanted;
    bool has_read_new; /* once to its end */
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

/* ---- buckets in memory ---- */

static size_t position_of(const struct scan *scan, uint32_t number)
{
    size_t low = 0, high = scan->bucket_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (scan->buckets[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct bucket *add_bucket(struct scan *scan, uint32_t number, uint64_t due_us)
{
    const size_t position = position_of(scan, number);
    if (position < scan->bucket_count && scan->buckets[position].number == number) {
        if (due_us < scan->buckets[position].due_us)
            scan->buckets[position].due_us = due_us;
        return &scan->buckets[position];
    }
    if (scan->bucket_count == scan->bucket_capacity) {
        const size_t capacity = scan->bucket_capacity * 2 + 64;
        struct bucket *buckets = realloc(scan->buckets, capacity * sizeof(*buckets));
        if (!buckets)
            return NULL; /* the directory is found again at the next start */
        scan->buckets = buckets;
        scan->bucket_capacity = capacity;
    }
    memmove(scan->buckets + position + 1, scan->buckets + position,
            (scan->bucket_count - position) * sizeof(*scan->buckets));
    scan->bucket_count++;
    scan->buckets[position] = (struct bucket){.number = number, .due_us = due_us};
    return &scan->buckets[position];
}

static void drop_bucket(struct scan *scan, uint32_t number)
{
    const size_t position = position_of(scan, number);
    if (position >= scan->bucket_count || scan->buckets[position].number != number)
        return;
    scan->bucket_count--;
    memmove(scan->buckets + position, scan->buckets + position + 1,
            (scan->bucket_count - position) * sizeof(*scan->buckets));
}

void scan_expect(struct qmgr *qmgr, uint32_t bucket, uint64_t due_us)
{
    (void)add_bucket(qmgr->scan, bucket, due_us);
    wake(qmgr->scan);
}

void scan_clock_changed(struct qmgr *qmgr)
{
    wake(qmgr->scan);
}

void scan_flush(struct qmgr *qmgr)
{
    struct scan *scan = qmgr->scan;
    scan->loader.flushed_ms = clock_monotonic_ms();
    scan->loader.flushed_us = clock_realtime_us();
    if (!scan->has_listed_buckets) {
        scan->is_flush_wanted = true;
        return;
    }
    for (size_t i = 0; i < scan->bucket_count; i++) {
        scan->buckets[i].due_us = 0;
        scan->buckets[i].haste = LOAD_FLUSHED;
    }
    wake(scan);
}

/* ---- room ---- */

bool qmgr_has_room(const struct qmgr *qmgr)
{
    return qmgr->messages.count < qmgr->settings->qmgr_message_active_limit &&
           qmgr->recipient_count < qmgr->settings->qmgr_message_recipient_limit;
}

static bool has_room_for_deferred(const struct qmgr *qmgr)
{
    return qmgr->messages.count < qmgr->settings->qmgr_message_active_limit * UINT64_C(3) / 4 &&
           qmgr->recipient_count < qmgr->settings->qmgr_message_recipient_limit * UINT64_C(3) / 4;
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
};

static void names_work(void *argument)
{
    struct names_job *job = argument;
    job->count = 0;
    while (job->count < NAMES_PER_READ) {
        struct dirent *entry = readdir(job->directory);
        if (!entry) {
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
    for (;;) {
        /* Agents keep their places until their results are taken, and make no room before. */
        while (loader_serve(&scan->loader))
            task_yield();
        if (bucket ? has_room_for_deferred(scan->qmgr) : qmgr_has_room(scan->qmgr))
            return PASS_DONE;
        if (bucket && scan->is_new_wanted && qmgr_has_room(scan->qmgr))
            return PASS_INTERRUPTED;
        scan->waits_for_room = scan->is_in_pass = true;
        const bool is_cancelled = task_park(loader_deadline(&scan->loader)) == TASK_CANCELLED;
        scan->is_in_pass = false;
        if (is_cancelled)
            return PASS_CANCELLED;
    }
}

static enum pass_result load_names(struct scan *scan, const struct names_job *names,
                                   struct load_job *loads, uint32_t bucket, enum load_haste haste)
{
    bool is_whole = true;
    for (size_t i = 0; i < names->count; i++) {
        struct store_place place = {.bucket = bucket};
        const enum pass_result room = wait_for_room(scan, bucket);
        if (room != PASS_DONE)
            return room;
        memcpy(place.queue_id, names->names[i], sizeof(place.queue_id));
        load_add(&scan->loader, loads, &place, haste);
        if (loads->count == LOADS_PER_JOB)
            is_whole &= load_run(&scan->loader, loads);
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

static void scan_bucket(struct scan *scan, uint32_t number, enum load_haste haste)
{
    size_t position = position_of(scan, number);
    scan->buckets[position].due_us = UINT64_MAX; /* whatever comes meanwhile sets it anew */
    scan->buckets[position].haste = LOAD_WHEN_DUE;
    const enum pass_result result = read_directory(scan, number, haste);
    position = position_of(scan, number);
    if (position >= scan->bucket_count || scan->buckets[position].number != number)
        return;
    struct bucket *bucket = &scan->buckets[position];
    if (result == PASS_INTERRUPTED) {
        bucket->due_us = 0;
        if (bucket->haste < haste)
            bucket->haste = haste;
        return;
    }
    if (queue_bucket_time(number + 1) <= clock_realtime_us()) {
        struct remove_job job = {.store = &scan->store, .bucket = number};
        /* Forgotten first: a message that comes meanwhile makes the bucket anew, here and there. */
        drop_bucket(scan, number);
        pool_run(scan->qmgr->pool, remove_work, &job);
        if (job.result == 0)
            return;
    }
    (void)add_bucket(scan, number, next_look_us(scan, number, result == PASS_DONE));
}

static void want_new_again(void *context)
{
    scan_want_new(context);
}

static void scan_new(struct scan *scan)
{
    scan->is_new_wanted = false;
    const enum pass_result result = read_directory(scan, 0, LOAD_NOW);
    if (result == PASS_LEFT) /* some could not be read just now */
        scan_later(scan->qmgr, want_new_again, scan->qmgr);
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
    for (size_t i = scan->bucket_count; i > 0; i--) {
        struct bucket *bucket = &scan->buckets[i - 1];
        if (queue_bucket_time(bucket->number) <= limit_us)
            break; /* they are in order */
        if (bucket->due_us > limit_us && bucket->due_us != UINT64_MAX) {
            bucket->due_us = 0;
            bucket->haste = LOAD_NOW;
        }
    }
}

static struct bucket *earliest(const struct scan *scan)
{
    struct bucket *found = NULL;
    for (size_t i = 0; i < scan->bucket_count; i++)
        if (!found || scan->buckets[i].due_us < found->due_us)
            found = &scan->buckets[i];
    return found;
}

bool scan_waits_for_room(const struct qmgr *qmgr)
{
    const struct scan *scan = qmgr->scan;
    const struct bucket *bucket = scan->has_listed_buckets ? earliest(scan) : NULL;
    return scan->is_in_pass || (scan->is_new_wanted && !qmgr_has_room(qmgr)) ||
           (bucket && bucket->due_us <= clock_realtime_us() && !has_room_for_deferred(qmgr));
}

static int64_t next_deadline(const struct scan *scan)
{
    const struct bucket *bucket = earliest(scan);
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
    const struct bucket *bucket = earliest(scan);
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

static void list_buckets_work(void *argument)
{
    struct scan *scan = argument;
    const int descriptor =
        openat(scan->store.queue, "deferred", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    const uint64_t limit_us = plausible_limit_us(scan);
    if (!directory) {
        file_close(descriptor);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        uint32_t number;
        if (!queue_bucket_parse(span_from_string(entry->d_name), &number) || number == 0 ||
            scan->bucket_count >= BUCKETS_MAX)
            continue;
        const uint64_t begin_us = queue_bucket_time(number);
        const bool is_implausible = begin_us > limit_us;
        struct bucket *bucket = add_bucket(scan, number, is_implausible ? 0 : begin_us);
        if (!bucket)
            continue;
        bucket->haste = is_implausible ? LOAD_NOW : LOAD_WHEN_DUE;
    }
    (void)closedir(directory);
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

static void scan_body(void *argument)
{
    struct scan *scan = argument;
    struct qmgr *qmgr = scan->qmgr;
    if (!take_lock(scan))
        return;
    pool_run(qmgr->pool, sweep_work, scan);
    pool_run(qmgr->pool, list_buckets_work, scan);
    scan->has_listed_buckets = true;
    if (scan->is_flush_wanted)
        scan_flush(qmgr);
    qmgr->start_us = clock_realtime_us();
    random_bytes(qmgr->id_mark, sizeof(qmgr->id_mark));
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
