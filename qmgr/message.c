/* qmgr/message - see message.h. */
#include "message.h"

#include <stdlib.h>

#include "agent.h"
#include "maillog/delivery.h"
#include "maillog/queue.h"
#include "origin.h"
#include "probe.h"
#include "report.h"
#include "route.h"
#include "scan.h"
#include "schedule.h"
#include "space.h"
#include "source.h"
#include "system/clock.h"
#include "timing.h"
#include "unreported.h"
#include "warn.h"
#include "wish.h"
#include "write.h"

enum { MESSAGE_ARENA_BYTES = 256 << 20 };

/* ---- birth and death ---- */

static struct message *make(struct qmgr *qmgr, const struct store_place *place)
{
    struct message *message = calloc(1, sizeof(*message));
    if (!message)
        return NULL;
    message->qmgr = qmgr;
    message->place = *place;
    message->ready_descriptor = -1;
    list_init(&message->waiting);
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

void message_keep_ready(struct message *message, int descriptor)
{
    message->ready_descriptor = descriptor;
    message->qmgr->ready_count += descriptor >= 0;
}

int message_take_ready(struct message *message)
{
    const int descriptor = message->ready_descriptor;
    message->ready_descriptor = -1;
    message->qmgr->ready_count -= descriptor >= 0;
    return descriptor;
}

/* Nobody finds it any more. */
static void leave_map(struct message *message)
{
    if (!message->node.key.length)
        return;
    map_remove(&message->qmgr->messages, &message->node);
    message->node.key = span_empty();
    origin_gone(message->qmgr, message_id(message));
    scan_room_changed(message->qmgr);
}

static void destroy(struct message *message)
{
    leave_map(message);
    origin_forget(message);
    if (list_is_linked(&message->unrouted_link))
        list_remove(&message->qmgr->unrouted, &message->unrouted_link);
    if (list_is_linked(&message->unreported_link))
        list_remove(&message->qmgr->unreported, &message->unreported_link);
    message->qmgr->recipient_count -= message->recipient_count;
    file_close(message_take_ready(message));
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

static void close_recipient(struct message *message, struct recipient *recipient)
{
    if (recipient->stage == STAGE_DONE)
        return;
    recipient->stage = STAGE_DONE;
    message->open_count--;
}

/* No agent has them yet. */
static void close_what_waits(struct message *message)
{
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct recipient *recipient = &message->recipients[i];
        if (recipient->stage == STAGE_UNROUTED || recipient->stage == STAGE_QUEUED)
            close_recipient(message, recipient);
    }
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
    message->is_holding = (message->envelope.flags & QUEUE_FLAG_HOLD) != 0;
    if (message->is_holding)
        close_what_waits(message);
    message->active_us = clock_realtime_us();
    return message;
}

/* What the journal knows of earlier attempts, for reports and the retry times. */
static void read_journal(struct message *message, const struct store_message *loaded)
{
    struct span rest = loaded->journal;
    struct queue_record record;
    bool has_no_loss = false; /* no attempt may have succeeded unseen */
    while (queue_journal_next(&rest, &record)) {
        if (record.kind == QUEUE_RECORD_NEXT) {
            message->attempt_count = record.attempt_count;
            /* A deferral that this qmgr wrote itself saw the end of every attempt before it. */
            has_no_loss = span_equals(record.text, span_from_string(message->qmgr->mark));
            continue;
        }
        /* It went to hold/ after another round, of which nothing else may be written. */
        if (record.kind == QUEUE_RECORD_HOLD || record.kind == QUEUE_RECORD_RELEASE)
            has_no_loss = false;
        if (record.kind == QUEUE_RECORD_WARNED || record.kind == QUEUE_RECORD_REPORTED)
            warn_take_record(message, &record);
        wish_take_record(message, &record);
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
    for (size_t i = 0; i < message->recipient_count && has_no_loss; i++)
        message->recipients[i].is_maybe_repeated = false;
}

/* This process committed it, had no room for it in memory, and reads it now for the first time: no
 * agent has seen it. Clocks are not asked, they can be set; the id tells, and an attempt or a wish
 * leaves something in the journal or takes the message out of new/. */
static bool is_untried(const struct qmgr *qmgr, const struct store_place *place,
                       const struct store_message *loaded)
{
    uint8_t random[QUEUE_ID_RANDOM_BYTES];
    return place->bucket == 0 && !place->is_held && span_is_empty(loaded->journal) &&
           queue_id_random(span_from_string(place->queue_id), random) &&
           memcmp(random, qmgr->id_mark, sizeof(qmgr->id_mark)) == 0;
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
    const bool has_been_tried = !is_untried(qmgr, place, loaded);
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct recipient *recipient = &message->recipients[i];
        recipient->status = (uint8_t)queue_status_from_byte(loaded->statuses.bytes[i]);
        recipient->outcome = outcome_temporary(451, 3, 0, "unknown mail transport error");
        recipient->is_maybe_repeated = has_been_tried;
        recipient->has_stray_delivery = loaded->is_locked;
        if (recipient->status == QUEUE_STATUS_PENDING) {
            recipient->stage = STAGE_UNROUTED;
            message->open_count++;
        }
    }
    /* Only at first: what has been in hold/ was released, or lies there. */
    message->is_holding =
        (message->envelope.flags & QUEUE_FLAG_HOLD) != 0 && place->bucket == 0 && !place->is_held;
    read_journal(message, loaded);
    if (message->is_holding)
        close_what_waits(message);
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
    message_use(message);
    /* A call may keep it for a while yet, and what lies on disk is to be read, altered, tried. */
    leave_map(message);
    schedule_drop(message);
    message_unuse(message);
}

/* ---- a round ---- */

static void settle_expanded(struct message *message)
{
    const struct outcome outcome = outcome_make(OUTCOME_OK, 250, 0, 0, SPAN("alias expanded"));

    for (uint32_t i = 0; i < message->recipient_count; i++)
        if (message_is_expanded(message, i) && message->recipients[i].stage == STAGE_UNROUTED)
            message_set_result(message, i, &outcome, span_empty(), span_empty(), false);
}

/* Whoever brought it could not refuse it (pickup), so its sender is told. */
static void fail_returned(struct message *message)
{
    const uint32_t flags = message->envelope.flags;
    const struct outcome outcome =
        flags & QUEUE_FLAG_BAD_SENDER ? outcome_permanent(553, 1, 7, "the sender is no address")
        : flags & QUEUE_FLAG_TOO_BIG
            ? outcome_permanent(552, 3, 4, "Error: message size exceeds the limit")
            : outcome_permanent(554, 4, 0, "Error: too many hops");

    for (uint32_t i = 0; i < message->recipient_count; i++)
        if (message->recipients[i].stage == STAGE_UNROUTED)
            message_fail_locally(message, i, &outcome);
}

/* Back to where it waits, or to its sender, untried. */
static bool is_out_of_time(const struct message *message)
{
    return timing_is_early(message) || timing_is_over(message);
}

void message_activate(struct message *message)
{
    message->is_committed = true;
    if (!message->is_holding && !timing_is_early(message))
        maillog_active(&message->qmgr->service->log, message_id(message),
                       message->envelope.reverse_path, message->envelope.facts.size_bytes,
                       message->open_count);
    else if (!message->is_holding && message->attempt_count == 0)
        timing_log_hold(message);
    if (message->journal_end == 0)
        message->journal_end = queue_state_journal_offset(&message->preamble);
    message_use(message);
    settle_expanded(message);
    if (message->envelope.flags & QUEUE_FLAGS_RETURNED)
        fail_returned(message);
    else if (is_out_of_time(message))
        close_what_waits(message);
    else
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

static void note_unwritten(struct message *message, uint32_t index)
{
    message->recipients[index].has_changed = true;
    if (message->changed_first == message->changed_end) {
        message->changed_first = index;
        message->changed_end = (size_t)index + 1;
        return;
    }
    if (index < message->changed_first)
        message->changed_first = index;
    if (index >= message->changed_end)
        message->changed_end = (size_t)index + 1;
}

void message_note_change(struct message *message, uint32_t index)
{
    unreported_note(message, index);
    note_unwritten(message, index);
}

static struct span keep(struct message *message, struct span text)
{
    const struct span kept = arena_copy(&message->arena, text);
    return kept.bytes ? kept : span_empty();
}

void message_set_result(struct message *message, uint32_t index, const struct outcome *outcome,
                        struct span remote, struct span diagnostic, bool will_report)
{
    struct recipient *recipient = &message->recipients[index];
    const struct conf_qmgr *settings = message->qmgr->settings;
    recipient->outcome = *outcome;
    recipient->outcome.reason = keep(message, outcome->reason);
    recipient->remote = keep(message, remote);
    recipient->diagnostic = keep(message, diagnostic);
    recipient->last_attempt_us = clock_realtime_us();
    if (message->envelope.flags & QUEUE_FLAG_VERIFY) {
        /* Nothing was delivered: until the sender has the report there is all of it to do again. */
        close_recipient(message, recipient);
        return;
    }
    message_note_change(message, index);
    if (outcome->kind == OUTCOME_OK)
        recipient->status =
            warn_reports_success(message, index) && !will_report && !recipient->is_reported
                ? QUEUE_STATUS_SUCCEEDED
                : QUEUE_STATUS_DELIVERED;
    else if (outcome->kind == OUTCOME_PERMANENT && !settings->soft_bounce)
        recipient->status = recipient->is_reported ? QUEUE_STATUS_REPORTED : QUEUE_STATUS_FAILED;
    close_recipient(message, recipient);
}

void message_note_forward(struct message *message, uint32_t index, struct span queue_id)
{
    struct recipient *recipient = &message->recipients[index];
    const struct span reason =
        arena_format(&message->arena, "forwarded as %.*s", SPAN_PRINTF(queue_id));
    if (recipient->stage != STAGE_IN_FLIGHT || message->envelope.flags & QUEUE_FLAG_VERIFY)
        return;
    recipient->outcome = outcome_ok();
    recipient->outcome.reason = reason.bytes ? reason : span_empty();
    recipient->last_attempt_us = clock_realtime_us();
    recipient->is_expanded = true;
    message_note_change(message, index);
    recipient->status =
        warn_reports_success(message, index) ? QUEUE_STATUS_SUCCEEDED : QUEUE_STATUS_DELIVERED;
}

void message_write_marks(struct message *message)
{
    if (!message->is_writing && !message->is_discarded)
        (void)write_marks(message);
}

void message_note_report(struct message *message, uint32_t index, enum dsn_kind kind)
{
    struct recipient *recipient = &message->recipients[index];
    if (kind == DSN_DELAY || kind == DSN_VERIFY) {
        warn_note(message, index, kind);
        return;
    }
    if (queue_status_is_done((enum queue_status)recipient->status) ||
        message->envelope.flags & QUEUE_FLAG_VERIFY)
        return;
    recipient->status = kind == DSN_SUCCESS ? QUEUE_STATUS_DELIVERED : QUEUE_STATUS_REPORTED;
    note_unwritten(message, index);
    recipient->is_reported = true;
    if (recipient->stage == STAGE_IN_FLIGHT)
        return; /* its result closes it */
    close_recipient(message, recipient);
    schedule_wake(message->qmgr); /* its entry goes */
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
        .is_verification = (message->envelope.flags & QUEUE_FLAG_VERIFY) != 0,
        .text = outcome->reason,
    };
    maillog_delivery(&message->qmgr->service->log, message_id(message), &line);
    message_set_result(message, index, outcome, span_empty(), span_empty(), false);
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

/* ---- the end of a round ---- */

static bool is_all_done(const struct message *message)
{
    for (size_t i = 0; i < message->recipient_count; i++)
        if (!queue_status_is_done((enum queue_status)message->recipients[i].status))
            return false;
    return true;
}

bool message_reports_on(const struct message *message, uint32_t index, enum dsn_kind kind)
{
    const uint8_t status = message->recipients[index].status;
    switch (kind) {
    case DSN_FAILURE:
        return status == QUEUE_STATUS_FAILED || status == QUEUE_STATUS_EXPIRED;
    case DSN_SUCCESS:
        return status == QUEUE_STATUS_SUCCEEDED;
    case DSN_DELAY:
    case DSN_VERIFY:
        break;
    }
    return warn_concerns(message, index, kind);
}

/* Which report is due at the end of a round; false when none is. */
static bool choose_report(struct message *message)
{
    if (message->has_report_failed || message->is_corrupt)
        return false;
    if (warn_traces(message))
        message->report_kind = DSN_VERIFY;
    else if (unreported_find(message, DSN_FAILURE))
        message->report_kind = DSN_FAILURE;
    else if (unreported_find(message, DSN_SUCCESS))
        message->report_kind = DSN_SUCCESS;
    else if (!message->is_holding && warn_is_due(message))
        message->report_kind = DSN_DELAY;
    else
        return false;
    return true;
}

/* sendmail -bv: when the sender knows, or there is none to be told, nothing is left to do. */
static bool is_verified(struct message *message)
{
    return (message->envelope.flags & QUEUE_FLAG_VERIFY) && !warn_traces(message);
}

/* Nothing expires that was not tried since this qmgr started: attempts come first. */
static void expire(struct message *message)
{
    const struct conf_qmgr *settings = message->qmgr->settings;
    const int64_t lifetime_ms = message->envelope.reverse_path.length
                                    ? settings->maximal_queue_lifetime_ms
                                    : settings->bounce_queue_lifetime_ms;
    const uint64_t now_us = clock_realtime_us();
    const bool is_over = timing_is_over(message);
    bool has_expired = false;
    if (!message->is_forced_expire && !is_over &&
        (since(now_us, timing_birth_us(message)) < (uint64_t)lifetime_ms * 1000U ||
         !space_trusts_clock(message->qmgr) || message->is_crowded_out))
        return;
    for (; message->pending_from < message->recipient_count; message->pending_from++) {
        const uint32_t i = message->pending_from;
        struct recipient *recipient = &message->recipients[i];
        if (recipient->status != QUEUE_STATUS_PENDING)
            continue;
        recipient->status = QUEUE_STATUS_EXPIRED;
        message_note_change(message, i);
        if (is_over)
            recipient->outcome = timing_outcome(OUTCOME_PERMANENT);
        has_expired = true;
    }
    if (has_expired)
        maillog_expired(&message->qmgr->service->log, message_id(message),
                        message->envelope.reverse_path, message->is_forced_expire);
}

static void mark_reported(struct message *message)
{
    for (uint32_t i = message->unreported_from[message->report_kind]; i < message->report_end; i++)
        if (message_reports_on(message, i, message->report_kind))
            message_note_report(message, i, message->report_kind);
}

void message_report_committed(struct message *message)
{
    if (!message->is_reporting || message->is_reported)
        return;
    message->is_reported = true;
    mark_reported(message);
    message_write_marks(message);
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

/* Unless the file that it was dropped in would become the same message again. */
static void remove_file(struct message *message)
{
    if (source_is_gone(message))
        write_end(message, WRITE_REMOVE);
    else
        (void)write_marks(message);
}

void message_progress(struct message *message)
{
    if (message->is_discarded || !message->is_committed || message->is_writing ||
        message->is_reporting)
        return;
    if (message->is_probe) {
        probe_progress(message);
        return;
    }
    if (message->is_deleted) {
        remove_file(message);
        return;
    }
    if (message->is_settling) {
        if (write_marks(message))
            return;
        if (!message->place.is_held) /* that waits for the operator */
            scan_settled(message->qmgr, &message->place);
        message_discard(message);
        return;
    }
    if (message->open_count > 0) {
        (void)write_marks(message);
        return;
    }
    if (!message->is_holding && !(message->envelope.flags & QUEUE_FLAG_VERIFY))
        expire(message);
    if (choose_report(message)) {
        message->is_reporting = true;
        report_message(message);
        return;
    }
    if (message->is_corrupt)
        write_end(message, WRITE_SET_ASIDE);
    else if (is_all_done(message) || is_verified(message))
        remove_file(message);
    else if (message->is_holding)
        write_hold(message);
    else
        write_defer(message);
}

/* What waits stays where it is; what is under way goes on, because its result has to be written. */
static void close_waiting(struct message *message)
{
    close_what_waits(message);
    message_use(message);
    schedule_drop(message);
    message_progress(message);
    message_unuse(message);
}

void message_take_back(struct message *message)
{
    if (message->is_deleted || message->is_holding || message->is_corrupt || message->is_discarded)
        close_waiting(message);
    else
        message_progress(message);
}

void message_set_aside(struct message *message)
{
    message->is_corrupt = true;
    if (message->is_committed)
        close_waiting(message);
}

static void go_on(struct message *message)
{
    message_use(message);
    message_progress(message);
    message_unuse(message);
}

/* The journal may say already that it is held: the caller has it written. */
static void release(struct message *message)
{
    message->is_holding = false;
    message->is_requeued = true; /* some of it was taken back from where it waited */
    wish_note(message, QUEUE_RECORD_RELEASE);
}

static bool force_expire(struct message *message, bool releases)
{
    const bool is_new = !message->is_forced_expire;
    const bool is_released = releases && message->is_holding;
    message->is_forced_expire = true;
    if (is_new)
        wish_note(message, QUEUE_RECORD_EXPIRE);
    if (is_released)
        release(message);
    go_on(message);
    return is_new || is_released;
}

void message_flush(struct message *message, int64_t flushed_ms)
{
    message->flushed_ms = flushed_ms;
    message->is_requeued |= message_is_round_over(message); /* it is just being put off */
    schedule_wake(message->qmgr);
}

bool message_alter(struct message *message, enum store_alter_action action)
{
    if (message->is_deleted || message->is_discarded || message->is_probe)
        return false;
    if (action == STORE_ALTER_RELEASE || action == STORE_ALTER_REQUEUE) {
        const bool was_holding = message->is_holding;
        message_flush(message, clock_monotonic_ms());
        if (was_holding) {
            release(message);
            go_on(message);
        }
        return action == STORE_ALTER_REQUEUE || was_holding;
    }
    if (action == STORE_ALTER_EXPIRE || action == STORE_ALTER_EXPIRE_RELEASE)
        return force_expire(message, action == STORE_ALTER_EXPIRE_RELEASE);
    if (action == STORE_ALTER_HOLD && message->is_holding)
        return false;
    message->is_deleted = action == STORE_ALTER_DELETE;
    message->is_holding = action == STORE_ALTER_HOLD;
    if (message->is_holding)
        wish_note(message, QUEUE_RECORD_HOLD);
    close_waiting(message);
    return true;
}
