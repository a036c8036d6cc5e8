/* qmgr/message - see message.h. */
#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "backoff.h"
#include "maillog/delivery.h"
#include "maillog/queue.h"
#include "report.h"
#include "route.h"
#include "scan.h"
#include "schedule.h"
#include "system/clock.h"
#include "system/random.h"

enum {
    MESSAGE_ARENA_BYTES = 256 << 20,
    JOURNAL_REASONS_BYTES = 8 << 20,
    JOURNAL_JOB_BYTES = JOURNAL_REASONS_BYTES + 65536
};

/* ---- birth and death ---- */

static struct message *make(struct qmgr *qmgr, const struct store_place *place)
{
    struct message *message = calloc(1, sizeof(*message));
    if (!message)
        return NULL;
    message->qmgr = qmgr;
    message->place = *place;
    message->ready_descriptor = -1;
    arena_init(&message->arena, MESSAGE_ARENA_BYTES, 0);
    return message;
}

/* The header record at the front of the envelope. */
static struct span header_record(struct span envelope)
{
    struct span rest = envelope;
    struct queue_envelope header;
    if (queue_envelope_next_header(&rest, &header) != PARSE_OK)
        return span_empty();
    return span_first(envelope, envelope.length - rest.length);
}

static bool add_recipients(struct message *message)
{
    const size_t count = message->envelope.recipient_count;
    message->recipients = arena_alloc(&message->arena, count * sizeof(*message->recipients));
    if (!message->recipients)
        return false;
    message->recipient_count = count;
    message->qmgr->recipient_count += count;
    return true;
}

static void destroy(struct message *message)
{
    if (message->node.key.length)
        map_remove(&message->qmgr->messages, &message->node);
    if (list_is_linked(&message->unrouted_link))
        list_remove(&message->qmgr->unrouted, &message->unrouted_link);
    if (list_is_linked(&message->unreported_link))
        list_remove(&message->qmgr->unreported, &message->unreported_link);
    message->qmgr->recipient_count -= message->recipient_count;
    file_close(message->ready_descriptor);
    free(message->acknowledgements);
    arena_destroy(&message->arena);
    scan_room_changed(message->qmgr);
    free(message);
}

static bool enter_map(struct message *message)
{
    message->node.key = message_id(message);
    if (map_insert(&message->qmgr->messages, &message->node))
        return true;
    message->node.key = span_empty();
    return false;
}

struct message *message_create(struct qmgr *qmgr, const char *queue_id, struct span envelope,
                               bool *is_malformed)
{
    struct store_place place = {.bucket = 0};
    memcpy(place.queue_id, queue_id, strlen(queue_id) + 1);
    struct message *message = make(qmgr, &place);
    *is_malformed = false;
    if (!message)
        return NULL;
    const struct span kept = arena_copy(&message->arena, envelope);
    if (kept.bytes) {
        *is_malformed =
            queue_envelope_decode(kept, SIZE_MAX, &message->arena, &message->envelope) != PARSE_OK;
        message->envelope_header = header_record(kept);
    }
    if (!kept.bytes || *is_malformed || !add_recipients(message) || !enter_map(message)) {
        destroy(message);
        return NULL;
    }
    for (size_t i = 0; i < message->recipient_count; i++)
        message->recipients[i] =
            (struct recipient){.status = QUEUE_STATUS_PENDING, .stage = STAGE_UNROUTED};
    message->open_count = message->recipient_count;
    message->active_us = clock_realtime_us();
    return message;
}

/* What the journal knows of earlier attempts, for reports and the retry times. */
static void read_journal(struct message *message, const struct store_message *loaded)
{
    struct span rest = loaded->journal;
    struct queue_record record;
    while (queue_journal_next(&rest, &record)) {
        if (record.kind == QUEUE_RECORD_NEXT) {
            message->attempt_count = record.attempt_count;
            /* A deferral that this qmgr wrote itself saw the end of every attempt before it. */
            const bool is_ours = record.time_us >= message->qmgr->start_us;
            for (size_t i = 0; i < message->recipient_count && is_ours; i++)
                message->recipients[i].is_maybe_repeated = record.text.length > 0;
            continue;
        }
        if (!record.has_outcome || record.first_recipient >= message->recipient_count)
            continue;
        for (uint32_t i = 0; i < record.recipient_count; i++) {
            const uint32_t index = record.first_recipient + i;
            if (index >= message->recipient_count)
                break;
            message->recipients[index].outcome = record.outcome;
            message->recipients[index].remote = record.remote;
            message->recipients[index].diagnostic = record.text;
            message->recipients[index].last_attempt_us = record.time_us;
        }
    }
}

struct message *message_adopt(struct qmgr *qmgr, const struct store_place *place,
                              struct arena *arena, const struct store_message *loaded)
{
    struct message *message = make(qmgr, place);
    if (!message) {
        arena_destroy(arena);
        return NULL;
    }
    message->arena = *arena;
    message->preamble = loaded->preamble;
    message->envelope = loaded->decoded;
    message->envelope_header = header_record(loaded->envelope);
    message->journal_end = loaded->journal_end;
    message->is_committed = true;
    if (!add_recipients(message) || !enter_map(message)) {
        destroy(message);
        return NULL;
    }
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct recipient *recipient = &message->recipients[i];
        recipient->status = (uint8_t)queue_status_from_byte(loaded->statuses.bytes[i]);
        recipient->outcome = outcome_temporary(451, 3, 0, "unknown mail transport error");
        recipient->is_maybe_repeated = true;
        if (recipient->status == QUEUE_STATUS_PENDING) {
            recipient->stage = STAGE_UNROUTED;
            message->open_count++;
        }
    }
    read_journal(message, loaded);
    message->active_us = clock_realtime_us();
    return message;
}

struct message *message_find(struct qmgr *qmgr, struct span queue_id)
{
    struct map_node *node = map_find(&qmgr->messages, queue_id);
    return node ? CONTAINER_OF(node, struct message, node) : NULL;
}

struct span message_recipient_address(const struct message *message, uint32_t index)
{
    const struct recipient *recipient = &message->recipients[index];
    return recipient->address.length ? recipient->address
                                     : message->envelope.recipients[index].forward_path;
}

void message_use(struct message *message)
{
    message->user_count++;
}

void message_unuse(struct message *message)
{
    ASSERT(message->user_count > 0);
    if (--message->user_count == 0 && message->is_discarded)
        destroy(message);
}

void message_discard(struct message *message)
{
    message->is_discarded = true;
    schedule_wake(message->qmgr); /* its entries go */
    message_use(message);
    message_unuse(message);
}

/* ---- a round ---- */

void message_activate(struct message *message)
{
    message->is_committed = true;
    maillog_active(&message->qmgr->service->log, message_id(message),
                   message->envelope.reverse_path, message->envelope.facts.size_bytes,
                   message->open_count);
    if (message->journal_end == 0)
        message->journal_end = queue_state_journal_offset(&message->preamble);
    message_use(message);
    route_message(message);
    schedule_message(message);
    message_progress(message);
    message_unuse(message);
}

void message_settle(struct message *message)
{
    message->is_settling = true;
    message_progress(message);
}

static struct span keep(struct message *message, struct span text)
{
    const struct span kept = arena_copy(&message->arena, text);
    return kept.bytes ? kept : span_empty();
}

static void close_recipient(struct message *message, struct recipient *recipient)
{
    if (recipient->stage == STAGE_DONE)
        return;
    recipient->stage = STAGE_DONE;
    message->open_count--;
}

void message_set_result(struct message *message, uint32_t index, const struct outcome *outcome,
                        struct span remote, struct span diagnostic)
{
    struct recipient *recipient = &message->recipients[index];
    const struct conf_qmgr *settings = message->qmgr->settings;
    recipient->outcome = *outcome;
    recipient->outcome.reason = keep(message, outcome->reason);
    recipient->remote = keep(message, remote);
    recipient->diagnostic = keep(message, diagnostic);
    recipient->last_attempt_us = clock_realtime_us();
    recipient->has_changed = true;
    if (outcome->kind == OUTCOME_OK)
        recipient->status = message->envelope.recipients[index].notify & QUEUE_NOTIFY_SUCCESS
                                ? QUEUE_STATUS_SUCCEEDED
                                : QUEUE_STATUS_DELIVERED;
    else if (outcome->kind == OUTCOME_PERMANENT && !settings->soft_bounce)
        recipient->status = QUEUE_STATUS_FAILED;
    close_recipient(message, recipient);
}

static uint64_t since(uint64_t now_us, uint64_t then_us)
{
    return now_us > then_us ? now_us - then_us : 0;
}

void message_fail_locally(struct message *message, uint32_t index, const struct outcome *outcome)
{
    const struct queue_recipient *envelope = &message->envelope.recipients[index];
    const uint64_t now_us = clock_realtime_us();
    const bool is_bounced =
        outcome->kind == OUTCOME_PERMANENT && !message->qmgr->settings->soft_bounce;
    const struct log_delivery line = {
        .recipient = message_recipient_address(message, index),
        .original_recipient = envelope->original_recipient,
        .before_queue_us = since(message->active_us, message->envelope.arrival_us),
        .in_queue_us = since(now_us, message->active_us),
        .dsn = outcome->status,
        .status = is_bounced ? LOG_DELIVERY_BOUNCED : LOG_DELIVERY_DEFERRED,
        .text = outcome->reason,
    };
    maillog_delivery(&message->qmgr->service->log, message_id(message), &line);
    message_set_result(message, index, outcome, span_empty(), span_empty());
}

void message_owe_acknowledgement(struct message *message, const struct acknowledgement *owed)
{
    if (message->is_discarded) { /* nothing will be written any more */
        agent_acknowledge(message->qmgr, message_id(message), owed);
        return;
    }
    if (message->acknowledgement_count == message->acknowledgement_capacity) {
        const size_t capacity = message->acknowledgement_capacity * 2 + 4;
        struct acknowledgement *grown =
            realloc(message->acknowledgements, capacity * sizeof(*grown));
        if (!grown)
            return; /* unacknowledged, the agent will repeat it */
        message->acknowledgements = grown;
        message->acknowledgement_capacity = capacity;
    }
    message->acknowledgements[message->acknowledgement_count++] = *owed;
}

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

enum write_kind { WRITE_MARKS, WRITE_DEFER, WRITE_REMOVE, WRITE_SET_ASIDE };

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
    uint64_t journal_end;
    uint32_t bucket;
    uint64_t next_us;
    size_t acknowledgement_count; /* those that this write settles */
    int result, error;
    bool is_gone; /* somebody has taken the file away */
};

static void write_work(struct pool_job *pool_job)
{
    struct write_job *job = CONTAINER_OF(pool_job, struct write_job, job);
    errno = 0;
    if (job->kind == WRITE_REMOVE)
        job->result = store_remove(job->store, &job->place);
    else if (job->kind == WRITE_SET_ASIDE)
        job->result = store_set_aside(job->store, &job->place, "corrupt");
    else if (job->mark_count || job->journal.length)
        job->result = store_mark(job->store, &job->place, &job->preamble, job->marks,
                                 job->mark_count, buffer_span(&job->journal), &job->journal_end);
    /* On a full disk the marks wait in memory, but the message must still leave new/ in time. */
    if (job->kind == WRITE_DEFER) {
        const int marked = job->result;
        job->result = store_defer(job->store, &job->place, job->bucket);
        if (marked != 0 && job->result == 0)
            job->result = 1;
    }
    job->error = errno;
    job->is_gone = job->result != 0 && store_is_gone(job->store, &job->place);
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
           span_equals(left->remote, right->remote);
}

/* Reasons that do not fit are left out: the marks are what keeps a recipient from a second
 * delivery. */
static void append_reason(struct write_job *job, const struct queue_record *record)
{
    struct buffer *journal = &job->journal;
    const size_t before = journal->length;
    if (before < JOURNAL_REASONS_BYTES)
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
    for (size_t i = 0; i < message->recipient_count; i++)
        changed += message->recipients[i].has_changed;
    if (changed == 0)
        return true;
    job->marks = calloc(changed, sizeof(*job->marks));
    if (!job->marks)
        return false;
    for (uint32_t i = 0; i < message->recipient_count; i++) {
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
                                      .text = recipient->diagnostic};
        while (i < message->recipient_count && message->recipients[i].has_changed &&
               is_same_attempt(recipient, &message->recipients[i])) {
            job->marks[job->mark_count++] = (struct store_mark){i, message->recipients[i].status};
            message->recipients[i].has_changed = false;
            record.recipient_count++;
            i++;
        }
        i--;
        append_reason(job, &record);
    }
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
    static const char *const what[] = {"mark", "defer", "remove", "set aside"};
    maillog_text(&message->qmgr->service->log, LOG_LEVEL_WARNING, message_id(message),
                 "cannot %s the queue file: %s; %s", what[job->kind], strerror(job->error),
                 job->is_gone ? "it was removed by somebody else, and the message with it"
                              : "trying again");
}

static void restore_changes(struct message *message, const struct write_job *job)
{
    for (size_t i = 0; i < job->mark_count; i++)
        message->recipients[job->marks[i].recipient].has_changed = true;
}

static void write_done(struct pool_job *pool_job)
{
    struct write_job *job = CONTAINER_OF(pool_job, struct write_job, job);
    struct message *message = job->message;
    const bool is_failed = job->result != 0;
    if (is_failed) {
        complain(message, job);
        restore_changes(message, job);
    } else {
        message->journal_end = job->journal_end;
    }
    message->place = job->place;
    const bool is_lost = job->is_gone && (message->open_count == 0 || message->is_settling);
    const bool is_over = is_lost || (job->kind != WRITE_MARKS && !is_failed);
    /* At the end those are settled, too, that were repeated while the last job ran. */
    if (is_over || !is_failed)
        pay_acknowledgements(message,
                             is_over ? message->acknowledgement_count : job->acknowledgement_count);
    if (is_over) {
        if (!is_lost && job->kind == WRITE_REMOVE)
            maillog_removed(&message->qmgr->service->log, message_id(message));
        if (!is_lost && job->kind == WRITE_DEFER)
            scan_expect(message->qmgr, job->bucket, job->next_us);
        message->is_discarded = true;
    } else if (is_failed) {
        write_later(message);
    } else {
        message->is_writing = false;
        message_progress(message);
    }
    forget_write(job);
    message_unuse(message);
}

/* ---- the end of a round ---- */

static bool is_all_done(const struct message *message)
{
    for (size_t i = 0; i < message->recipient_count; i++)
        if (!queue_status_is_done((enum queue_status)message->recipients[i].status))
            return false;
    return true;
}

static bool needs_report(const struct message *message)
{
    for (size_t i = 0; i < message->recipient_count; i++) {
        const uint8_t status = message->recipients[i].status;
        if (status == QUEUE_STATUS_FAILED || status == QUEUE_STATUS_EXPIRED ||
            status == QUEUE_STATUS_SUCCEEDED)
            return true;
    }
    return false;
}

/* Nothing expires that was not tried since this qmgr started: attempts come first. */
static void expire(struct message *message)
{
    const struct conf_qmgr *settings = message->qmgr->settings;
    const int64_t lifetime_ms = message->envelope.reverse_path.length
                                    ? settings->maximal_queue_lifetime_ms
                                    : settings->bounce_queue_lifetime_ms;
    const uint64_t now_us = clock_realtime_us();
    bool has_expired = false;
    if (since(now_us, message->envelope.arrival_us) < (uint64_t)lifetime_ms * 1000U)
        return;
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct recipient *recipient = &message->recipients[i];
        if (recipient->status != QUEUE_STATUS_PENDING)
            continue;
        recipient->status = QUEUE_STATUS_EXPIRED;
        recipient->has_changed = true;
        has_expired = true;
    }
    if (has_expired)
        maillog_expired(&message->qmgr->service->log, message_id(message),
                        message->envelope.reverse_path, false);
}

/* Removed, or moved out of the queue: nothing of its state needs to be written. */
static void end_message(struct message *message, enum write_kind kind)
{
    struct write_job *job = make_write(message, kind);
    if (job)
        submit_write(message, job);
    else
        write_later(message);
}

static void defer_message(struct message *message)
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
    const uint64_t next_us = backoff_next_attempt_us(
        now_us, message->envelope.arrival_us, qmgr->settings->minimal_backoff_time_ms,
        qmgr->settings->maximal_backoff_time_ms, jitter);
    bool is_maybe_repeated = false;
    for (size_t i = 0; i < message->recipient_count; i++)
        if (message->recipients[i].status == QUEUE_STATUS_PENDING)
            is_maybe_repeated |= message->recipients[i].is_maybe_repeated;
    const struct queue_record next = {.kind = QUEUE_RECORD_NEXT,
                                      .time_us = now_us,
                                      .next_attempt_us = next_us,
                                      .attempt_count = ++message->attempt_count,
                                      .text = is_maybe_repeated ? SPAN("maybe repeated")
                                                                : span_empty()};
    queue_journal_append(&next, &job->journal);
    job->bucket = queue_bucket_of_time(next_us);
    job->next_us = next_us;
    submit_write(message, job);
}

/* False when there is nothing to write. */
static bool write_marks(struct message *message)
{
    struct write_job *job = make_write(message, WRITE_MARKS);
    if (!job || !collect_changes(message, job)) {
        forget_write(job);
        write_later(message);
        return true;
    }
    if (job->mark_count == 0 && job->acknowledgement_count == 0) {
        forget_write(job);
        return false;
    }
    submit_write(message, job);
    return true;
}

static void mark_reported(struct message *message)
{
    for (size_t i = 0; i < message->report_end; i++) {
        struct recipient *recipient = &message->recipients[i];
        if (recipient->status == QUEUE_STATUS_FAILED || recipient->status == QUEUE_STATUS_EXPIRED) {
            recipient->status = QUEUE_STATUS_REPORTED;
            recipient->has_changed = true;
        } else if (recipient->status == QUEUE_STATUS_SUCCEEDED) {
            recipient->status = QUEUE_STATUS_DELIVERED;
            recipient->has_changed = true;
        }
    }
}

void message_report_committed(struct message *message)
{
    if (!message->is_reporting || message->is_reported)
        return;
    message->is_reported = true;
    mark_reported(message);
    /* At once: a qmgr that comes after us must not ask again. */
    if (!message->is_writing)
        (void)write_marks(message);
}

void message_report_done(struct message *message, bool is_done)
{
    message->is_reporting = false;
    message->has_report_failed = !is_done && !message->is_reported;
    if (is_done && !message->is_reported)
        mark_reported(message);
    message->is_reported = false;
    message_progress(message);
}

void message_progress(struct message *message)
{
    if (message->is_discarded || !message->is_committed || message->is_writing ||
        message->is_reporting)
        return;
    if (message->is_settling) {
        if (write_marks(message))
            return;
        scan_settled(message->qmgr, &message->place);
        message_discard(message);
        return;
    }
    if (message->open_count > 0) {
        (void)write_marks(message);
        return;
    }
    expire(message);
    if (needs_report(message) && !message->has_report_failed && !message->is_corrupt) {
        message->is_reporting = true;
        report_message(message);
        return;
    }
    if (message->is_corrupt)
        end_message(message, WRITE_SET_ASIDE);
    else if (is_all_done(message))
        end_message(message, WRITE_REMOVE);
    else
        defer_message(message);
}
