/* qmgr/write - see write.h. */
#include "write.h"

#include <errno.h>
#include <stdlib.h>

#include "agent.h"
#include "backoff.h"
#include "maillog/queue.h"
#include "origin.h"
#include "scan.h"
#include "space.h"
#include "system/clock.h"
#include "system/note.h"
#include "system/random.h"
#include "timing.h"
#include "wish.h"
#include "warn.h"

enum { JOURNAL_REASONS_BYTES = 8 << 20, JOURNAL_JOB_BYTES = JOURNAL_REASONS_BYTES + 65536 };

static void pay_acknowledgements(struct message *message, size_t count)
{
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        agent_acknowledge(message->qmgr, message_id(message), &message->acknowledgements[i]);
    message->acknowledgement_count -= count;
    memmove(message->acknowledgements, message->acknowledgements + count,
            message->acknowledgement_count * sizeof(*message->acknowledgements));
}

/* ---- writing ---- */

struct write_job {
    struct pool_job job;
    struct message *message;
    const struct store *store;
    struct store_place place;
    struct queue_preamble preamble;
    enum write_kind kind;
    struct store_mark *marks;
    size_t mark_count;
    struct buffer journal;
    bool has_notes; /* it says who was told of what */
    uint64_t journal_end;
    uint32_t bucket;
    uint64_t next_us;
    size_t acknowledgement_count; /* those that this write settles */
    int result, error;
    bool is_gone;     /* somebody has taken the file away */
    bool is_requeued; /* an attempt is wished for, whatever became of the last one */
};

/* From now on the place says that it is held, and a release needs only to move it. */
static void note_arrival(struct write_job *job)
{
    struct buffer journal;
    buffer_init(&journal, NULL, 256);
    wish_append_fulfilled(&journal);
    if (store_mark(job->store, &job->place, &job->preamble, NULL, 0, buffer_span(&journal),
                   &job->journal_end) != 0)
        errno = 0; /* then it will be held once more after its release */
    buffer_release(&journal);
}

static void write_work(struct pool_job *pool_job)
{
    struct write_job *job = CONTAINER_OF(pool_job, struct write_job, job);
    note_set(span_from_string(job->place.queue_id));
    errno = 0;
    if (job->kind == WRITE_REMOVE)
        job->result = store_remove(job->store, &job->place);
    else if (job->kind == WRITE_SET_ASIDE)
        job->result = store_set_aside(job->store, &job->place, "corrupt");
    else if (job->mark_count || job->journal.length)
        job->result = store_mark(job->store, &job->place, &job->preamble, job->marks,
                                 job->mark_count, buffer_span(&job->journal), &job->journal_end);
    if (job->kind == WRITE_HOLD && job->result == 0 && !job->place.is_held) {
        job->result = store_set_aside(job->store, &job->place, "hold");
        job->place.is_held = job->result == 0;
        if (job->place.is_held)
            note_arrival(job);
    }
    /* On a full disk the marks wait in memory, but the message must still leave new/ in time. */
    if (job->kind == WRITE_DEFER) {
        const int marked = job->result;
        job->result = store_defer(job->store, &job->place, job->bucket);
        if (marked != 0 && job->result == 0)
            job->result = 1;
    }
    job->error = errno;
    job->is_gone = job->result != 0 && store_is_gone(job->store, &job->place);
    note_clear();
}

static void write_done(struct pool_job *pool_job);

static struct write_job *make_write(struct message *message, enum write_kind kind)
{
    struct write_job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    job->job.work = write_work;
    job->job.done = write_done;
    job->message = message;
    job->store = scan_store(message->qmgr);
    job->place = message->place;
    job->preamble = message->preamble;
    job->kind = kind;
    job->journal_end = message->journal_end;
    buffer_init(&job->journal, NULL, JOURNAL_JOB_BYTES);
    job->acknowledgement_count = message->acknowledgement_count;
    return job;
}

/* Whether two recipients' records can be one. */
static bool is_same_attempt(const struct recipient *left, const struct recipient *right)
{
    return left->outcome.kind == right->outcome.kind &&
           span_equals(left->outcome.reason, right->outcome.reason) &&
           span_equals(left->remote, right->remote) && span_equals(left->next_hop, right->next_hop);
}

/* Reasons that do not fit are left out: the marks are what keeps a recipient from a second
 * delivery. */
static void append_reason(struct write_job *job, const struct queue_record *record)
{
    struct buffer *journal = &job->journal;
    const size_t before = journal->length;
    const uint64_t there = job->journal_end - queue_state_journal_offset(&job->preamble);
    if (before < JOURNAL_REASONS_BYTES && there + before < STORE_REASONS_MAX_BYTES)
        queue_journal_append(record, journal);
    if (!buffer_ok(journal)) {
        journal->length = before;
        journal->has_failed = false;
    }
}

/* What changed since the last write, taken as written until write_done() knows better. False, and
 * nothing taken, when memory is out. */
static bool collect_changes(struct message *message, struct write_job *job)
{
    size_t changed = 0;
    for (size_t i = message->changed_first; i < message->changed_end; i++)
        changed += message->recipients[i].has_changed;
    if (changed > 0 && !(job->marks = calloc(changed, sizeof(*job->marks))))
        return false;
    warn_append_records(message, &job->journal);
    wish_append_records(message, &job->journal);
    job->has_notes = job->journal.length > 0;
    const size_t end = message->changed_end;
    for (uint32_t i = (uint32_t)message->changed_first; i < end; i++) {
        struct recipient *recipient = &message->recipients[i];
        if (!recipient->has_changed)
            continue;
        struct queue_record record = {.kind = QUEUE_RECORD_ATTEMPT,
                                      .time_us = recipient->last_attempt_us,
                                      .first_recipient = i,
                                      .recipient_count = 0,
                                      .has_outcome = true,
                                      .outcome = recipient->outcome,
                                      .remote = recipient->remote,
                                      .next_hop = recipient->next_hop,
                                      .text = recipient->diagnostic};
        while (i < end && message->recipients[i].has_changed &&
               is_same_attempt(recipient, &message->recipients[i])) {
            job->marks[job->mark_count++] = (struct store_mark){i, message->recipients[i].status};
            message->recipients[i].has_changed = false;
            record.recipient_count++;
            i++;
        }
        i--;
        append_reason(job, &record);
    }
    message->changed_first = message->changed_end = 0;
    return true;
}

static void forget_write(struct write_job *job)
{
    if (!job)
        return;
    buffer_release(&job->journal);
    free(job->marks);
    free(job);
}

static void retry_write(void *context)
{
    struct message *message = context;
    message->is_writing = false;
    message_progress(message);
    message_unuse(message);
}

/* Stays in memory, and so out of a second delivery, until it can be written. */
static void write_later(struct message *message)
{
    message->is_writing = true;
    message_use(message);
    scan_later(message->qmgr, retry_write, message);
}

static void submit_write(struct message *message, struct write_job *job)
{
    message->is_writing = true;
    message_use(message);
    pool_submit(message->qmgr->pool, &job->job);
}

/* The disk refuses: nothing is lost, the truth is in memory; say so and try again later. Only when
 * somebody has removed the file there is nothing left to try. */
static void complain(struct message *message, const struct write_job *job)
{
    static const char *const what[] = {"mark", "defer", "remove", "set aside", "hold"};
    maillog_text(&message->qmgr->service->log, LOG_LEVEL_WARNING, message_id(message),
                 "cannot %s the queue file: %s; %s", what[job->kind], strerror(job->error),
                 job->is_gone ? "it was removed by somebody else, and the message with it"
                              : "trying again");
}

static void restore_changes(struct message *message, const struct write_job *job)
{
    for (size_t i = 0; i < job->mark_count; i++)
        message_note_change(message, job->marks[i].recipient);
    for (size_t i = 0; i < message->recipient_count && job->has_notes; i++)
        message->recipients[i].has_note =
            message->recipients[i].is_warned || message->recipients[i].is_traced;
    message->has_notes |= job->has_notes;
    message->has_hold_note |= job->has_notes;
    message->has_expire_note |= job->has_notes && message->is_forced_expire;
    message->is_requeued |= job->is_requeued;
}

/* While it was put away an operator wished otherwise: the round has another end. */
static bool has_other_end(const struct message *message, enum write_kind kind)
{
    return (kind == WRITE_DEFER || kind == WRITE_HOLD) &&
           (message->is_deleted || message->has_expire_note ||
            message->is_holding != (kind == WRITE_HOLD) ||
            (kind == WRITE_DEFER && message->is_requeued));
}

static void write_done(struct pool_job *pool_job)
{
    struct write_job *job = CONTAINER_OF(pool_job, struct write_job, job);
    struct message *message = job->message;
    const bool is_failed = job->result != 0;
    if (is_failed) {
        if (space_is_short(job->error))
            space_spend_reserve(message->qmgr);
        complain(message, job);
        restore_changes(message, job);
    } else {
        message->journal_end = job->journal_end;
        origin_written(message);
    }
    message->place = job->place;
    if (job->place.is_held && message->is_holding)
        message->has_hold_note = false; /* the place says so */
    const bool is_lost = job->is_gone && (message->open_count == 0 || message->is_settling);
    const bool is_over =
        is_lost || (job->kind != WRITE_MARKS && !is_failed && !has_other_end(message, job->kind));
    /* At the end those are settled, too, that were repeated while the last job ran. */
    if (is_over || !is_failed)
        pay_acknowledgements(message,
                             is_over ? message->acknowledgement_count : job->acknowledgement_count);
    if (!is_failed && job->kind == WRITE_DEFER)
        scan_expect(message->qmgr, job->bucket, job->next_us);
    if (is_over && job->is_requeued)
        (void)scan_flush_message(message->qmgr, message_id(message), clock_monotonic_ms());
    if (is_over) {
        if (!is_lost && job->kind == WRITE_REMOVE)
            maillog_removed(&message->qmgr->service->log, message_id(message));
        message_discard(message);
    } else if (is_failed) {
        write_later(message);
    } else {
        message->is_writing = false;
        message_progress(message);
    }
    forget_write(job);
    message_unuse(message);
}

void write_end(struct message *message, enum write_kind kind)
{
    struct write_job *job = make_write(message, kind);
    if (job)
        submit_write(message, job);
    else
        write_later(message);
}

void write_defer(struct message *message)
{
    struct qmgr *qmgr = message->qmgr;
    struct write_job *job = make_write(message, WRITE_DEFER);
    const uint64_t now_us = clock_realtime_us();
    uint32_t jitter;
    if (!job || !collect_changes(message, job)) {
        forget_write(job);
        write_later(message);
        return;
    }
    random_bytes(&jitter, sizeof(jitter));
    uint64_t next_us = backoff_next_attempt_us(now_us, timing_birth_us(message),
                                               qmgr->settings->minimal_backoff_time_ms,
                                               qmgr->settings->maximal_backoff_time_ms, jitter);
    job->is_requeued = message->is_requeued;
    if (job->is_requeued)
        next_us = now_us;
    next_us = timing_next_us(message, now_us, next_us);
    message->is_requeued = false;
    bool is_maybe_repeated = false;
    for (size_t i = 0; i < message->recipient_count; i++)
        if (message->recipients[i].status == QUEUE_STATUS_PENDING)
            is_maybe_repeated |= message->recipients[i].is_maybe_repeated;
    const struct queue_record next = {
        .kind = QUEUE_RECORD_NEXT,
        .time_us = now_us,
        .next_attempt_us = next_us,
        .attempt_count = ++message->attempt_count,
        .text = is_maybe_repeated ? span_empty() : span_from_string(message->qmgr->mark)};
    queue_journal_append(&next, &job->journal);
    job->bucket = queue_bucket_of_time(next_us);
    job->next_us = next_us;
    submit_write(message, job);
}

void write_hold(struct message *message)
{
    struct write_job *job = make_write(message, WRITE_HOLD);
    if (job && collect_changes(message, job)) {
        submit_write(message, job);
        return;
    }
    forget_write(job);
    write_later(message);
}

bool write_marks(struct message *message)
{
    struct write_job *job = make_write(message, WRITE_MARKS);
    if (!job || !collect_changes(message, job)) {
        forget_write(job);
        write_later(message);
        return true;
    }
    if (job->mark_count == 0 && job->acknowledgement_count == 0 && !job->has_notes) {
        forget_write(job);
        return false;
    }
    submit_write(message, job);
    return true;
}
