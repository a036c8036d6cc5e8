/* qmgr/report - see report.h. */
#include "report.h"

#include <errno.h>
#include <stdlib.h>

#include "dsn/report.h"
#include "poison.h"
#include "queuefile/ranges.h"
#include "scan.h"
#include "timing.h"
#include "verp.h"

enum { ADDRESS_ARENA_BYTES = 16384 };
enum { REPORT_TIMEOUT_MS = 600 * 1000, REPORT_BATCH_BYTES = 49152, BOUNCER_WAIT_MS = 60 * 1000 };

struct bouncer {
    struct list_link link;
    struct qmgr *qmgr;
    struct ipc_channel *channel;
    uint32_t process_number;
};

struct report_job {
    struct pool_job job;
    const struct store *store;
    struct store_place place;
    struct message *message;
    int descriptor;
};

/* RFC 3461 section 4.1: who gave conditions and left failure out is not told of it either. */
static bool is_wanted(const struct message *message, uint32_t index)
{
    const uint8_t notify = message->envelope.recipients[index].notify;
    /* A report asks for none itself; what becomes of one that fails (2bounce) bounce knows. */
    return message->report_kind != DSN_FAILURE || notify == 0 ||
           (notify & QUEUE_NOTIFY_FAILURE) != 0 || message->envelope.origin == QUEUE_ORIGIN_BOUNCE;
}

/* RFC 3464 section 2.3.3. */
static enum dsn_action action_of(const struct message *message, uint32_t index)
{
    const struct recipient *recipient = &message->recipients[index];
    const bool is_success = recipient->outcome.kind == OUTCOME_OK;
    if (message->envelope.flags & QUEUE_FLAG_VERIFY)
        return is_success ? DSN_ACTION_DELIVERABLE : DSN_ACTION_UNDELIVERABLE;
    switch (queue_status_from_byte(recipient->status)) {
    case QUEUE_STATUS_PENDING:
        return DSN_ACTION_DELAYED;
    case QUEUE_STATUS_FAILED:
    case QUEUE_STATUS_EXPIRED:
    case QUEUE_STATUS_REPORTED:
        return DSN_ACTION_FAILED;
    case QUEUE_STATUS_DELIVERED:
    case QUEUE_STATUS_SUCCEEDED:
        break;
    }
    if (recipient->is_expanded || message_is_expanded(message, index))
        return DSN_ACTION_EXPANDED;
    /* RFC 3461 section 5.2.2: handed to another system, which may or may not report. */
    return span_is_empty(recipient->remote) && !recipient->is_relayed ? DSN_ACTION_DELIVERED
                                                                      : DSN_ACTION_RELAYED;
}

/* What the report says of an outcome that the journal lost, or that is not the last word. */
static struct outcome outcome_for(enum dsn_action action, struct outcome outcome)
{
    const bool is_success = action == DSN_ACTION_DELIVERED || action == DSN_ACTION_RELAYED ||
                            action == DSN_ACTION_EXPANDED;
    if (is_success && outcome.kind != OUTCOME_OK)
        return outcome_ok();
    if (action == DSN_ACTION_FAILED && outcome.kind != OUTCOME_PERMANENT) {
        /* What expired failed in the end, whatever its last attempt said (RFC 3463: X.4.7). */
        outcome.kind = OUTCOME_PERMANENT;
        outcome.status.class = 5;
    }
    if (action == DSN_ACTION_DELAYED && outcome.kind == OUTCOME_PERMANENT) {
        outcome.kind = OUTCOME_TEMPORARY; /* soft_bounce */
        outcome.status.class = 4;
    }
    return outcome;
}

static uint32_t first_unreported(const struct message *message)
{
    return message->unreported_from[message->report_kind];
}

/* Recipients to report on; report_end says how far the batch reaches. */
static size_t collect(struct message *message, struct buffer *records)
{
    size_t count = 0, range_count = 0;
    const bool is_alone = message->report_kind == DSN_FAILURE && verp_reports_apart(message);
    uint32_t i = first_unreported(message), range_end = 0;
    for (; i < message->recipient_count && records->length < REPORT_BATCH_BYTES; i++) {
        const struct recipient *recipient = &message->recipients[i];
        const struct queue_recipient *envelope = &message->envelope.recipients[i];
        if (!message_reports_on(message, i, message->report_kind) || !is_wanted(message, i))
            continue;
        /* The report's envelope names them. */
        if ((range_count == 0 || i > range_end) && range_count++ == QUEUE_RANGES_MAX)
            break;
        range_end = i + 1;
        const enum dsn_action action = action_of(message, i);
        const struct ipc_bounce_recipient record = {
            .index = i,
            .recipient = message_recipient_address(message, i),
            .original = envelope->original_recipient,
            .orcpt = envelope->orcpt,
            .action = action,
            .outcome = action == DSN_ACTION_DELAYED && timing_is_late(message)
                           ? timing_outcome(OUTCOME_TEMPORARY)
                           : outcome_for(action, recipient->outcome),
            .remote = recipient->remote,
            .diagnostic = recipient->diagnostic,
            .last_attempt_us = recipient->last_attempt_us,
        };
        ipc_records_append(IPC_BOUNCE_RECIPIENT, &record, records);
        count++;
        if (is_alone) {
            i++;
            break;
        }
    }
    message->report_end = i;
    return count;
}

static void on_reply(enum ipc_call_result result, void *reply, void *context)
{
    struct message *message = context;
    const struct ipc_bounce_reply *answer = reply;
    const bool is_done = result == IPC_CALL_OK && outcome_is_ok(&answer->outcome);
    if (result == IPC_CALL_CLOSED)
        poison_note_loss(message->qmgr, message->reporter, message_id(message));
    if (result == IPC_CALL_OK && answer->outcome.kind == OUTCOME_PERMANENT) {
        message->is_corrupt = true;
        maillog_text(&message->qmgr->service->log, LOG_LEVEL_ERROR, message_id(message),
                     "no report can ever be made of it (%.*s); the message goes to corrupt",
                     SPAN_PRINTF(answer->outcome.reason));
    }
    message_report_done(message, is_done);
    message_unuse(message);
}

static uint64_t retry_until_us(const struct message *message)
{
    return timing_birth_us(message) +
           (uint64_t)message->qmgr->settings->maximal_queue_lifetime_ms * 1000U;
}

static void ask(struct message *message, int descriptor)
{
    struct qmgr *qmgr = message->qmgr;
    struct bouncer *bouncer = LIST_ITEM(list_first(&qmgr->bouncers), struct bouncer, link);
    struct buffer records, extents;
    struct arena arena;
    struct span sender = span_empty();
    bool is_asked = false;
    buffer_init(&records, NULL, IPC_RECORDS_MAX);
    buffer_init(&extents, NULL, QUEUE_EXTENT_MAX * QUEUE_EXTENT_BYTES);
    queue_extents_encode(message->preamble.extents, message->preamble.extent_count, &extents);
    arena_init(&arena, ADDRESS_ARENA_BYTES, 0);
    const size_t count = collect(message, &records);
    if (count == 1 && message->report_kind == DSN_FAILURE && verp_reports_apart(message))
        sender = verp_report_address(message, (uint32_t)message->report_end - 1, &arena);
    if (bouncer && buffer_ok(&records)) {
        const struct ipc_bounce question = {.queue_id = message_id(message),
                                            .content = descriptor,
                                            .extents = buffer_span(&extents),
                                            .envelope = message->envelope_header,
                                            .recipients = buffer_span(&records),
                                            .kind = message->report_kind,
                                            .retry_until_us = retry_until_us(message),
                                            .sender = sender};
        message->reporter = bouncer->process_number;
        message_use(message);
        is_asked =
            ipc_channel_call_async(bouncer->channel, IPC_BOUNCE, &question, IPC_BOUNCE_REPLY,
                                   clock_deadline_after(REPORT_TIMEOUT_MS), on_reply, message);
        if (!is_asked)
            message_unuse(message);
    } else {
        file_close(descriptor);
    }
    buffer_release(&records);
    buffer_release(&extents);
    arena_destroy(&arena);
    if (!is_asked)
        message_report_done(message, false);
}

static void open_work(struct pool_job *job)
{
    struct report_job *report = CONTAINER_OF(job, struct report_job, job);
    report->descriptor = store_open_delivery(report->store, &report->place);
}

static void open_done(struct pool_job *job)
{
    struct report_job *report = CONTAINER_OF(job, struct report_job, job);
    struct message *message = report->message;
    if (report->descriptor < 0)
        message_report_done(message, false);
    else
        ask(message, report->descriptor);
    free(report);
    message_unuse(message);
}

/* The qmgr before this one may have got as far as the report: then it lies in new/. */
static bool may_be_known(const struct message *message)
{
    if (scan_has_read_new(message->qmgr))
        return false;
    for (uint32_t i = first_unreported(message); i < message->report_end; i++)
        if (message->recipients[i].is_maybe_repeated)
            return true;
    return false;
}

void report_message(struct message *message)
{
    struct qmgr *qmgr = message->qmgr;
    struct buffer records;
    buffer_init(&records, NULL, IPC_RECORDS_MAX);
    const bool is_needed = collect(message, &records) > 0;
    buffer_release(&records);
    if (!is_needed) {
        message_report_done(message, true);
        return;
    }
    if (list_is_empty(&qmgr->bouncers) || may_be_known(message)) {
        if (list_is_empty(&qmgr->unreported))
            qmgr->unreported_deadline_ms = clock_deadline_after(BOUNCER_WAIT_MS);
        if (!list_is_linked(&message->unreported_link))
            list_append(&qmgr->unreported, &message->unreported_link);
        return;
    }
    struct report_job *job = calloc(1, sizeof(*job));
    if (!job) {
        message_report_done(message, false);
        return;
    }
    job->job.work = open_work;
    job->job.done = open_done;
    job->store = scan_store(qmgr);
    job->place = message->place;
    job->message = message;
    message_use(message);
    pool_submit(qmgr->pool, &job->job);
}

void report_give_up_waiting(struct qmgr *qmgr)
{
    struct list_link *link;
    if (clock_monotonic_ms() < qmgr->unreported_deadline_ms)
        return;
    while ((link = list_pop(&qmgr->unreported)) != NULL)
        message_report_done(LIST_ITEM(link, struct message, unreported_link), false);
}

void report_try_waiting(struct qmgr *qmgr)
{
    for (size_t count = qmgr->unreported.count; count > 0; count--)
        report_message(LIST_ITEM(list_pop(&qmgr->unreported), struct message, unreported_link));
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct bouncer *bouncer = context;
    (void)channel;
    (void)reason;
    list_remove(&bouncer->qmgr->bouncers, &bouncer->link);
    ipc_channel_destroy(&bouncer->channel);
    free(bouncer);
}

static const struct ipc_channel_handlers handlers = {NULL, on_closed, NULL};

void report_attach(struct qmgr *qmgr, uint32_t process_number, int descriptor)
{
    struct bouncer *bouncer = calloc(1, sizeof(*bouncer));
    if (!bouncer) {
        file_close(descriptor);
        return;
    }
    bouncer->qmgr = qmgr;
    bouncer->process_number = process_number;
    bouncer->channel =
        ipc_channel_create(qmgr->loop, descriptor, IPC_ROLE_BOUNCE, &handlers, bouncer);
    if (!bouncer->channel) {
        free(bouncer);
        return;
    }
    list_append(&qmgr->bouncers, &bouncer->link);
    report_try_waiting(qmgr);
}
