/* qmgr/load - see load.h. */
#include "load.h"

#include <errno.h>
#include <stdlib.h>

#include "agent.h"
#include "backoff.h"
#include "origin.h"
#include "poison.h"
#include "queuestore/alter.h"
#include "recovered.h"
#include "scan.h"
#include "schedule.h"
#include "system/clock.h"
#include "system/note.h"
#include "system/task.h"

enum { MESSAGE_ARENA_BYTES = 256 << 20 };

struct locked {
    struct list_link link;
    struct store_place place;
    enum load_haste haste; /* of who found it locked */
    int64_t flushed_ms;
    int64_t wait_ms, until_ms; /* of this wait for it, and its end */
};

struct wanted {
    struct list_link link;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    enum load_wish wish;
    int64_t flushed_ms;
    uint32_t bucket; /* where it may lie */
};

void loader_init(struct loader *loader, struct qmgr *qmgr, const struct store *store)
{
    *loader = (struct loader){.qmgr = qmgr, .store = store, .locked_retry_ms = CLOCK_NEVER};
    list_init(&loader->locked);
    list_init(&loader->wanted);
    list_init(&loader->alterations);
}

/* ---- locked messages ---- */

static struct locked *find_locked(const struct loader *loader, struct span queue_id)
{
    LIST_FOR_EACH (&loader->locked, link) {
        struct locked *locked = LIST_ITEM(link, struct locked, link);
        if (span_equals(span_from_string(locked->place.queue_id), queue_id))
            return locked;
    }
    return NULL;
}

/* waited_ms: the last wait for it; 0: somebody has only now asked for it, or its agent is about to
 * hear, and to let go of the file. False when memory is out. */
static bool remember_locked(struct loader *loader, const struct store_place *place,
                            int64_t waited_ms)
{
    struct locked *locked = find_locked(loader, span_from_string(place->queue_id));
    if (!locked) {
        locked = calloc(1, sizeof(*locked));
        if (!locked)
            return false;
        locked->haste = LOAD_NOW;
        list_append(&loader->locked, &locked->link);
    }
    locked->place = *place;
    locked->wait_ms = backoff_next_look_ms(waited_ms);
    locked->until_ms = clock_deadline_after(locked->wait_ms);
    if (locked->until_ms < loader->locked_retry_ms)
        loader->locked_retry_ms = locked->until_ms;
    return true;
}

/* It is tried when the lock has gone, although its next hop may be left alone by then. */
static void flush_locked(const struct loader *loader, const struct store_place *place,
                         int64_t flushed_ms)
{
    struct locked *locked = find_locked(loader, span_from_string(place->queue_id));
    if (!locked)
        return;
    locked->haste = LOAD_FLUSHED;
    locked->flushed_ms = flushed_ms;
}

void loader_settled(struct loader *loader, const struct store_place *place)
{
    if (!remember_locked(loader, place, 0))
        scan_want_new(loader->qmgr);
}

/* ---- messages that somebody asks for ---- */

/* NULL when memory is out. */
static struct wanted *add_wanted(struct loader *loader, struct span queue_id, enum load_wish wish,
                                 int64_t flushed_ms)
{
    if (queue_id.length > QUEUE_ID_MAX_BYTES)
        return NULL;
    struct wanted *wanted = calloc(1, sizeof(*wanted));
    if (!wanted)
        return NULL;
    memcpy(wanted->queue_id, queue_id.bytes, queue_id.length);
    wanted->wish = wish;
    wanted->flushed_ms = flushed_ms;
    list_append(&loader->wanted, &wanted->link);
    loader->settled_count += wish == LOAD_WISH_SETTLED;
    return wanted;
}

bool loader_want(struct loader *loader, struct span queue_id, enum load_wish wish,
                 int64_t flushed_ms)
{
    return add_wanted(loader, queue_id, wish, flushed_ms) != NULL;
}

size_t loader_wanted_count(const struct loader *loader)
{
    return loader->wanted.count;
}

/* ---- reading ---- */

/* NULL: it is in memory, or locked. */
static struct load *add_load(const struct loader *loader, struct load_job *job,
                             const struct store_place *place)
{
    const struct span queue_id = span_from_string(place->queue_id);
    ASSERT(job->count < LOADS_PER_JOB);
    if (message_find(loader->qmgr, queue_id) || find_locked(loader, queue_id))
        return NULL;
    job->store = loader->store;
    struct load *load = &job->loads[job->count++];
    *load = (struct load){.place = *place, .is_poison = poison_is_known(loader->qmgr, queue_id)};
    return load;
}

void load_add(struct loader *loader, struct load_job *job, const struct store_place *place,
              enum load_haste haste)
{
    struct load *load = add_load(loader, job, place);
    if (!load) {
        if (haste == LOAD_FLUSHED)
            flush_locked(loader, place, loader->flushed_ms);
        return;
    }
    load->haste = haste;
    load->flushed_ms = loader->flushed_ms;
}

static void load_work(void *argument)
{
    struct load_job *job = argument;
    for (size_t i = 0; i < job->count; i++) {
        struct load *load = &job->loads[i];
        arena_init(&load->arena, MESSAGE_ARENA_BYTES, 0);
        load->result = STORE_GONE;
        /* What is settled may lie in hold/, and stays there. */
        const int found = !load->is_sought     ? 1
                          : load->ignores_lock ? store_find_anywhere(job->store, &load->place)
                                               : store_find(job->store, &load->place);
        if (found < 0) {
            load->result = STORE_FAILED;
            load->message.error = errno;
        }
        if (found != 1)
            continue;
        if (load->is_poison) {
            load->result = store_set_aside(job->store, &load->place, "corrupt") == 0 ? STORE_CORRUPT
                                                                                     : STORE_FAILED;
            load->message.error = errno;
            continue;
        }
        note_set(span_from_string(load->place.queue_id));
        load->result = store_load(job->store, &load->place, load->ignores_lock, true, &load->arena,
                                  &load->message);
        note_clear();
    }
}

/* The last deferral that the message tells of, if any. */
static struct queue_record last_deferral(const struct store_message *message)
{
    struct span rest = message->journal;
    struct queue_record record, found = {.next_attempt_us = 0};
    while (queue_journal_next(&rest, &record))
        if (record.kind == QUEUE_RECORD_NEXT)
            found = record;
    return found;
}

/* Put off in this flush, into a bucket that the flush has yet to read: not twice. (Where the clock
 * was set, twice is better than never.) */
static bool was_flushed(const struct loader *loader, const struct queue_record *deferral)
{
    return deferral->time_us >= loader->flushed_us && deferral->time_us <= clock_realtime_us();
}

/* A bucket is at most half a minute wide: the message itself says when it is due. */
static bool is_too_early(struct loader *loader, const struct load *load)
{
    const uint64_t now_us = clock_realtime_us();
    if (load->place.bucket == 0 || load->is_sought || load->haste == LOAD_NOW ||
        queue_bucket_time(load->place.bucket + 1) <= now_us)
        return false;
    const struct queue_record deferral = last_deferral(&load->message);
    const uint64_t due_us = deferral.next_attempt_us;
    if (due_us <= now_us || queue_bucket_of_time(due_us) != load->place.bucket ||
        (load->haste == LOAD_FLUSHED && !was_flushed(loader, &deferral)))
        return false;
    scan_expect(loader->qmgr, load->place.bucket, due_us);
    loader->early_count++;
    return true;
}

static void complain(const struct loader *loader, const struct load *load)
{
    struct maillog *log = &loader->qmgr->service->log;
    const struct span queue_id = span_from_string(load->place.queue_id);
    if (load->is_poison && load->result == STORE_CORRUPT) {
        poison_forget(loader->qmgr, queue_id); /* the alarm was given when it became known */
        return;
    }
    const char *verdict = queue_file_result_name(load->message.verdict);
    if (load->result == STORE_CORRUPT)
        maillog_text(log, LOG_LEVEL_ERROR, queue_id, "queue file is damaged (%s); moved to corrupt",
                     verdict);
    else if (load->result == STORE_NO_FILE)
        maillog_text(log, LOG_LEVEL_WARNING, queue_id, "not a regular file; removed");
    else if (load->result == STORE_HELD)
        maillog_text(log, LOG_LEVEL_WARNING, queue_id,
                     "queue file is not from this queue (%s); moved to hold", verdict);
    else if (load->result == STORE_FAILED)
        maillog_text(log, LOG_LEVEL_WARNING, queue_id,
                     "cannot read the queue file: %s; trying again later",
                     strerror(load->message.error));
}

/* A file that is no message of the queue any more. True when it has to be looked at again. */
static bool take_trouble(struct loader *loader, const struct load *load)
{
    const struct span queue_id = span_from_string(load->place.queue_id);
    if (load->result == STORE_LOCKED) {
        const bool is_kept = remember_locked(loader, &load->place, load->waited_ms);
        if (load->haste == LOAD_FLUSHED)
            flush_locked(loader, &load->place, load->flushed_ms);
        return !is_kept;
    }
    complain(loader, load);
    if (load->result == STORE_FAILED)
        return true;
    origin_gone(loader->qmgr, queue_id);
    if (!message_find(loader->qmgr, queue_id))
        result_forget_orphans(loader->qmgr, queue_id);
    return false;
}

/* True when the file will have to be looked at again. */
static bool take_load(struct loader *loader, struct load *load)
{
    const struct span queue_id = span_from_string(load->place.queue_id);
    if (load->result != STORE_LOADED || message_find(loader->qmgr, queue_id) ||
        is_too_early(loader, load)) {
        arena_destroy(&load->arena);
        return load->result != STORE_LOADED && take_trouble(loader, load);
    }
    struct message *message =
        message_adopt(loader->qmgr, &load->place, &load->arena, &load->message);
    if (!message)
        return true;
    task_note(message_id(message));
    message_use(message);
    if (load->haste == LOAD_FLUSHED)
        message->flushed_ms = load->flushed_ms;
    result_apply_orphans(loader->qmgr, message);
    const bool is_held = load->place.is_held;
    const bool is_new = load->place.bucket == 0 && !is_held;
    if (is_new)
        recovered_note(loader->qmgr, queue_id);
    origin_loaded(message, is_new);
    if (is_held || (load->ignores_lock && message->open_count > 0))
        message_settle(message);
    else
        origin_activate(message, !is_new);
    message_unuse(message);
    task_note(span_empty());
    return false;
}

bool load_run(struct loader *loader, struct load_job *job)
{
    bool is_left = false;
    if (job->count == 0)
        return true;
    pool_run(loader->qmgr->pool, load_work, job);
    for (size_t i = 0; i < job->count; i++)
        is_left |= take_load(loader, &job->loads[i]);
    job->count = 0;
    return !is_left;
}

/* ---- what cannot wait ---- */

/* Those with a result, or of whose recipients another message was made, come in whether there is
 * room or not: they leave at once, or end. */
static bool is_servable(const struct loader *loader, const struct wanted *wanted)
{
    return qmgr_has_room(loader->qmgr) || wanted->wish == LOAD_WISH_SETTLED ||
           result_is_awaited(loader->qmgr, span_from_string(wanted->queue_id));
}

/* False when a file could not be read. */
static bool serve_wanted(struct loader *loader, struct load_job *job)
{
    for (size_t count = loader->wanted.count; count > 0 && job->count < LOADS_PER_JOB; count--) {
        struct wanted *wanted = LIST_ITEM(list_pop(&loader->wanted), struct wanted, link);
        if (!is_servable(loader, wanted)) {
            list_append(&loader->wanted, &wanted->link);
            continue;
        }
        const struct span queue_id = span_from_string(wanted->queue_id);
        struct message *message = message_find(loader->qmgr, queue_id);
        struct load load = {.haste = wanted->wish == LOAD_WISH_FLUSHED ? LOAD_FLUSHED : LOAD_NOW,
                            .is_sought = true,
                            .flushed_ms = wanted->flushed_ms,
                            .is_poison = poison_is_known(loader->qmgr, queue_id),
                            .ignores_lock = wanted->wish == LOAD_WISH_SETTLED ||
                                            result_is_awaited(loader->qmgr, queue_id)};
        memcpy(load.place.queue_id, wanted->queue_id, sizeof(wanted->queue_id));
        load.place.bucket = wanted->bucket;
        loader->settled_count -= wanted->wish == LOAD_WISH_SETTLED;
        free(wanted);
        if (!message) {
            job->loads[job->count++] = load;
            continue;
        }
        if (load.haste == LOAD_FLUSHED)
            message_flush(message, load.flushed_ms);
        if (load.ignores_lock) {
            message_use(message);
            result_apply_orphans(loader->qmgr, message);
            message_progress(message);
            message_unuse(message);
        }
    }
    return load_run(loader, job);
}

static void take_those_whose_wait_is_over(struct loader *loader, struct list *taken)
{
    const int64_t now_ms = clock_monotonic_ms();
    loader->locked_retry_ms = CLOCK_NEVER;
    LIST_FOR_EACH (&loader->locked, link) {
        const int64_t until_ms = LIST_ITEM(link, struct locked, link)->until_ms;
        if (until_ms <= now_ms) {
            list_remove(&loader->locked, link);
            list_append(taken, link);
        } else if (until_ms < loader->locked_retry_ms) {
            loader->locked_retry_ms = until_ms;
        }
    }
}

/* Those whose lock may have gone. */
static bool serve_locked(struct loader *loader, struct load_job *job)
{
    bool is_whole = true;
    struct list again;
    struct list_link *link;
    list_init(&again);
    take_those_whose_wait_is_over(loader, &again);
    while ((link = list_pop(&again)) != NULL) {
        struct locked *locked = LIST_ITEM(link, struct locked, link);
        struct load *load = add_load(loader, job, &locked->place);
        if (load) {
            load->haste = locked->haste;
            load->is_sought = true; /* whenever it is due */
            load->flushed_ms = locked->flushed_ms;
            load->waited_ms = locked->wait_ms;
        }
        free(locked);
        if (job->count == LOADS_PER_JOB)
            is_whole &= load_run(loader, job);
    }
    return load_run(loader, job) && is_whole;
}

/* ---- what operators do to messages ---- */

struct alter_job {
    const struct store *store;
    struct alteration *alteration;
    struct store_place found; /* before */
    uint64_t now_us;
};

static void alter_work(void *argument)
{
    struct alter_job *job = argument;
    struct alteration *alteration = job->alteration;
    errno = 0;
    const int found = store_find_anywhere(job->store, &alteration->place);
    job->found = alteration->place;
    if (found == 1)
        alteration->result =
            store_alter(job->store, alteration->action, job->now_us, &alteration->place);
    else
        alteration->result = found < 0 ? STORE_ALTER_FAILED : STORE_NOT_ALTERED;
    alteration->error = errno;
}

void loader_alter(struct loader *loader, struct alteration *alteration)
{
    list_append(&loader->alterations, &alteration->link);
}

static void alter_on_disk(struct loader *loader, struct alteration *alteration)
{
    struct alter_job job = {
        .store = loader->store, .alteration = alteration, .now_us = clock_realtime_us()};
    const enum store_alter_action action = alteration->action;
    alteration->place.bucket = loader->guess.bucket;
    alteration->place.is_held = loader->guess.is_held;
    pool_run(loader->qmgr->pool, alter_work, &job);
    loader->guess = job.found;
    if (alteration->result != STORE_ALTERED)
        return;
    if (action == STORE_ALTER_RELEASE || action == STORE_ALTER_REQUEUE ||
        (action == STORE_ALTER_EXPIRE_RELEASE && !alteration->place.is_held)) {
        scan_expect(loader->qmgr, alteration->place.bucket, job.now_us);
        /* And although its next hop is left alone; failing that, when the bucket is read. */
        struct wanted *wanted = add_wanted(loader, span_from_string(alteration->place.queue_id),
                                           LOAD_WISH_FLUSHED, clock_monotonic_ms());
        if (wanted)
            wanted->bucket = alteration->place.bucket;
    }
}

static bool serve_alterations(struct loader *loader)
{
    struct list_link *link = list_pop(&loader->alterations);
    if (!link)
        return false;
    struct alteration *alteration = LIST_ITEM(link, struct alteration, link);
    struct message *message =
        message_find(loader->qmgr, span_from_string(alteration->place.queue_id));
    if (!message)
        alter_on_disk(loader, alteration);
    else if (!message->is_committed)
        alteration->result = STORE_NOT_ALTERED; /* not acknowledged yet: not in the queue */
    else if (message->is_settling && alteration->action != STORE_ALTER_DELETE)
        alteration->result = STORE_ALTER_BUSY;
    else
        alteration->result =
            message_alter(message, alteration->action) ? STORE_ALTERED : STORE_NOT_ALTERED;
    alteration->done(alteration);
    return true;
}

static bool has_servable(const struct loader *loader)
{
    LIST_FOR_EACH (&loader->wanted, link)
        if (is_servable(loader, LIST_ITEM(link, struct wanted, link)))
            return true;
    return false;
}

/* What lies in new/ and could not be read is not found by a bucket's next turn, and where an agent
 * waits for its result to be taken, the message is locked. */
static void look_again(void *context)
{
    struct loader *loader = context;
    loader->is_retry_set = false;
    scan_want_new(loader->qmgr);
    result_want_orphans(loader->qmgr);
}

bool loader_serve(struct loader *loader)
{
    if (serve_alterations(loader))
        return true;
    const bool has_wanted = has_servable(loader);
    const bool is_time = clock_monotonic_ms() >= loader->locked_retry_ms;
    if (!has_wanted && !is_time)
        return false;
    struct load_job *job = calloc(1, sizeof(*job));
    ASSERT(job); /* as in scan_later(): a message would be lost to us for good */
    job->store = loader->store;
    bool is_whole = !has_wanted || serve_wanted(loader, job);
    if (is_time)
        is_whole &= serve_locked(loader, job);
    if (!is_whole && !loader->is_retry_set)
        scan_later(loader->qmgr, look_again, loader);
    loader->is_retry_set |= !is_whole;
    free(job);
    return true;
}

int64_t loader_deadline(const struct loader *loader)
{
    return loader->locked_retry_ms;
}
