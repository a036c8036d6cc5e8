/* intake/intake - see intake.h. */
#include "intake/intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "intake/duplicates.h"
#include "queuefile/digest.h"
#include "system/file.h"
#include "system/task.h"

enum {
    PENDING_MAX_BYTES = 65536,      /* one write for most messages */
    RECIPIENTS_BATCH_BYTES = 32768, /* more than this goes to qmgr ahead of the commit */
    RECIPIENTS_MAX_BYTES = 49152,
    AHEAD_MAX_BYTES = 2 << 20, /* what went ahead is kept for another qmgr, up to here */
    RESEND_DELAY_MS = 10,
    COMMIT_MAX_BYTES = IPC_RECORDS_MAX,
    DIGESTS_KEPT = 64
};

struct grant {
    struct list_link link;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    int descriptor;
};

struct waiter {
    struct list_link link;
    struct task *task;
};

/* A qmgr, as long as its channel is open and it is the present one, or somebody waits for it. */
struct intake_qmgr {
    struct list_link link; /* in intake->former, when it is no longer the present one */
    struct intake *intake;
    struct ipc_channel *channel; /* NULL: closed */
    uint32_t call_count;
};

struct intake_digest {
    struct list_link link;
    struct digest digest;
};

/* ---- what qmgr sends ---- */

/* Each grant is for one waiter; who takes one passes the word on, as two grants may come before the
 * first waiter has run. */
static void wake_next(struct intake *intake)
{
    struct waiter *waiter = LIST_ITEM(list_first(&intake->waiters), struct waiter, link);
    if (waiter && !list_is_empty(&intake->grants))
        task_wake(waiter->task);
}

static void wake_all(struct list *waiters)
{
    LIST_FOR_EACH (waiters, link)
        task_wake(LIST_ITEM(link, struct waiter, link)->task);
}

static void on_grant(struct intake *intake, struct ipc_queue_grant *message)
{
    struct grant *grant = NULL;
    if (message->queue_id.length <= QUEUE_ID_MAX_BYTES && queue_id_is_valid(message->queue_id))
        grant = calloc(1, sizeof(*grant));
    if (!grant)
        return;
    memcpy(grant->queue_id, message->queue_id.bytes, message->queue_id.length);
    grant->descriptor = message->content;
    message->content = -1;
    list_append(&intake->grants, &grant->link);
    wake_next(intake);
}

/* qmgr has two or three things to say of new mail; one that had ever more is not quoted. */
static struct span kept_text(struct intake *intake, struct span text)
{
    const size_t room = sizeof(intake->state_texts[0]) - 1;
    text = span_first(text, room);
    for (size_t i = 0; i < intake->state_text_count; i++)
        if (span_equals(span_from_string(intake->state_texts[i]), text))
            return span_from_string(intake->state_texts[i]);
    if (intake->state_text_count == INTAKE_STATE_TEXTS)
        return span_from_string("Error: queue file write error");
    char *kept = intake->state_texts[intake->state_text_count++];
    (void)snprintf(kept, room + 1, "%.*s", SPAN_PRINTF(text));
    return span_from_string(kept);
}

static void on_state(struct intake *intake, const struct ipc_queue_state *state)
{
    intake->state = state->outcome;
    intake->state.reason = kept_text(intake, state->outcome.reason);
    intake->available_bytes = state->available_bytes;
    intake->is_away = false;
    wake_all(&intake->waiters);
    wake_all(&intake->hopefuls);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    const struct intake_qmgr *qmgr = context;
    struct intake *intake = qmgr->intake;
    (void)channel;
    if (qmgr != intake->qmgr)
        return; /* its ids are good for nothing, and its word on new mail is out of date */
    if (delivery->type == IPC_QUEUE_GRANT)
        on_grant(intake, delivery->message);
    else if (delivery->type == IPC_QUEUE_STATE)
        on_state(intake, delivery->message);
}

static void forget_grants(struct intake *intake)
{
    struct list_link *link;
    while ((link = list_pop(&intake->grants)) != NULL) {
        struct grant *grant = LIST_ITEM(link, struct grant, link);
        file_close(grant->descriptor);
        free(grant);
    }
}

static void set_away(struct intake *intake)
{
    intake->state = outcome_temporary(451, 3, 0, "Error: queue file write error");
    intake->available_bytes = 0;
    intake->is_away = true;
    forget_grants(intake);
}

static void free_qmgr_if_done(struct intake_qmgr *qmgr)
{
    if (qmgr == qmgr->intake->qmgr || qmgr->call_count > 0)
        return;
    list_remove(&qmgr->intake->former, &qmgr->link);
    ipc_channel_destroy(&qmgr->channel);
    free(qmgr);
}

/* Another one takes its place. A qmgr that leaves answers first what it was asked, but its answers
 * and its successor may arrive in any order. */
static void set_former(struct intake *intake)
{
    struct intake_qmgr *qmgr = intake->qmgr;
    intake->qmgr = NULL;
    set_away(intake);
    if (!qmgr)
        return;
    list_append(&intake->former, &qmgr->link);
    free_qmgr_if_done(qmgr);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct intake_qmgr *qmgr = context;
    struct intake *intake = qmgr->intake;
    (void)channel;
    (void)reason; /* master brings another qmgr; waiting tasks go on waiting for it */
    ipc_channel_destroy(&qmgr->channel);
    if (qmgr == intake->qmgr)
        set_former(intake);
    else
        free_qmgr_if_done(qmgr);
}

static const struct ipc_permission permissions[] = {
    {IPC_QUEUE_GRANT, IPC_ROLE_BIT(IPC_ROLE_QMGR)},
    {IPC_QUEUE_STATE, IPC_ROLE_BIT(IPC_ROLE_QMGR)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

/* ---- ids ---- */

void intake_init(struct intake *intake, struct loop *loop, uint32_t spare_count)
{
    *intake = (struct intake){.loop = loop, .spare_count = spare_count};
    list_init(&intake->grants);
    list_init(&intake->waiters);
    list_init(&intake->hopefuls);
    list_init(&intake->idle_digests);
    list_init(&intake->former);
    set_away(intake);
}

/* Asks for more in steps, so that a busy time does not cost a message to qmgr for each session. */
static void want_enough(struct intake *intake)
{
    const uint32_t needed =
        intake->taken_count + (uint32_t)intake->waiters.count + intake->spare_count;
    if (!intake->qmgr || needed <= intake->wanted_count)
        return;
    const struct ipc_queue_want want = {.count = needed + intake->spare_count};
    if (ipc_channel_send(intake->qmgr->channel, IPC_QUEUE_WANT, &want))
        intake->wanted_count = want.count;
}

void intake_attach(struct intake *intake, int descriptor)
{
    struct intake_qmgr *qmgr = calloc(1, sizeof(*qmgr));
    set_former(intake);
    intake->generation++;
    intake->taken_count = 0; /* messages of the old channel no longer count, see release() */
    intake->wanted_count = 0;
    if (!qmgr) {
        file_close(descriptor); /* master sees that it closed, and gives us another */
        return;
    }
    qmgr->intake = intake;
    qmgr->channel = ipc_channel_create(intake->loop, descriptor, IPC_ROLE_QMGR, &handlers, qmgr);
    if (!qmgr->channel) {
        free(qmgr);
        return;
    }
    intake->qmgr = qmgr;
    want_enough(intake);
}

struct ipc_channel *intake_channel(const struct intake *intake)
{
    return intake->qmgr ? intake->qmgr->channel : NULL;
}

struct outcome intake_wait_for_state(struct intake *intake, int64_t deadline_ms)
{
    struct waiter waiter = {.task = task_current()};
    enum task_wake wake = TASK_WOKEN;
    list_append(&intake->hopefuls, &waiter.link);
    while (intake->is_away && wake == TASK_WOKEN)
        wake = task_park(deadline_ms);
    list_remove(&intake->hopefuls, &waiter.link);
    return intake->state;
}

static struct intake_digest *take_digest(struct intake *intake)
{
    struct intake_digest *digest =
        LIST_ITEM(list_pop(&intake->idle_digests), struct intake_digest, link);
    if (digest)
        return digest;
    digest = calloc(1, sizeof(*digest));
    if (digest && !digest_init(&digest->digest)) {
        free(digest);
        digest = NULL;
    }
    return digest;
}

static void give_digest(struct intake *intake, struct intake_digest *digest)
{
    if (intake->idle_digests.count < DIGESTS_KEPT) {
        list_append(&intake->idle_digests, &digest->link);
        return;
    }
    digest_destroy(&digest->digest);
    free(digest);
}

void intake_destroy(struct intake *intake)
{
    struct list_link *link;
    set_former(intake);
    ASSERT(list_is_empty(&intake->former)); /* every message is over */
    forget_grants(intake);
    while ((link = list_pop(&intake->idle_digests)) != NULL) {
        struct intake_digest *digest = LIST_ITEM(link, struct intake_digest, link);
        digest_destroy(&digest->digest);
        free(digest);
    }
}

bool intake_begin(struct intake *intake, struct intake_message *message, int64_t deadline_ms,
                  struct outcome *outcome)
{
    struct waiter waiter = {.task = task_current()};
    *message = (struct intake_message){.intake = intake, .descriptor = -1};
    buffer_init(&message->pending, NULL, PENDING_MAX_BYTES);
    buffer_init(&message->recipients, NULL, RECIPIENTS_MAX_BYTES);
    buffer_init(&message->ahead, NULL, AHEAD_MAX_BYTES);
    if (list_is_empty(&intake->grants)) {
        enum task_wake wake = TASK_WOKEN;
        list_append(&intake->waiters, &waiter.link);
        want_enough(intake);
        while (list_is_empty(&intake->grants) && wake == TASK_WOKEN)
            wake = task_park(deadline_ms);
        list_remove(&intake->waiters, &waiter.link);
    }
    message->digest = take_digest(intake);
    struct grant *grant =
        message->digest ? LIST_ITEM(list_pop(&intake->grants), struct grant, link) : NULL;
    wake_next(intake);
    if (!grant) {
        *outcome = outcome_is_ok(&intake->state)
                       ? outcome_temporary(451, 3, 0, "Error: queue file write error")
                       : intake->state;
        if (message->digest)
            give_digest(intake, message->digest);
        return false;
    }
    memcpy(message->queue_id, grant->queue_id, sizeof(message->queue_id));
    message->descriptor = grant->descriptor;
    free(grant);
    message->is_open = true;
    message->generation = intake->generation;
    intake->taken_count++;
    want_enough(intake);
    digest_start(&message->digest->digest);
    return true;
}

bool intake_claim(struct intake *intake, struct intake_message *message, struct span queue_id,
                  struct arena *arena, int64_t deadline_ms, struct outcome *outcome, bool *is_known)
{
    const struct ipc_queue_claim claim = {.queue_id = queue_id, .earlier = -1};
    struct ipc_queue_claim_reply reply;
    *message = (struct intake_message){.intake = intake, .descriptor = -1};
    *outcome = outcome_temporary(451, 3, 0, "the queue manager does not answer");
    *is_known = false;
    if (!intake_channel(intake) || !queue_id_is_valid(queue_id) ||
        ipc_channel_call(intake_channel(intake), IPC_QUEUE_CLAIM, &claim, IPC_QUEUE_CLAIM_REPLY,
                         &reply, arena, deadline_ms) != IPC_CALL_OK)
        return false;
    *outcome = reply.outcome;
    *is_known = reply.is_known;
    if (reply.content < 0)
        return false;
    buffer_init(&message->pending, NULL, PENDING_MAX_BYTES);
    buffer_init(&message->recipients, NULL, RECIPIENTS_MAX_BYTES);
    buffer_init(&message->ahead, NULL, AHEAD_MAX_BYTES);
    memcpy(message->queue_id, queue_id.bytes, queue_id.length);
    message->descriptor = reply.content;
    message->generation = intake->generation;
    message->digest = take_digest(intake);
    message->is_open = true;
    if (!message->digest) {
        *outcome = outcome_temporary(451, 3, 0, "out of memory");
        intake_abandon(message);
        return false;
    }
    digest_start(&message->digest->digest);
    return true;
}

/* The id that this message took belongs to a qmgr that is still there. */
static bool is_current(const struct intake_message *message)
{
    return message->intake->qmgr && message->generation == message->intake->generation;
}

static void release(struct intake_message *message)
{
    struct intake *intake = message->intake;
    if (is_current(message) && intake->taken_count > 0)
        intake->taken_count--;
    file_close(message->descriptor);
    message->descriptor = -1;
    buffer_release(&message->pending);
    buffer_release(&message->recipients);
    buffer_release(&message->ahead);
    intake_duplicates_destroy(&message->duplicates);
    if (message->digest)
        give_digest(intake, message->digest);
    message->digest = NULL;
    message->is_open = false;
}

void intake_abandon(struct intake_message *message)
{
    if (!message->is_open)
        return;
    if (is_current(message)) {
        const struct ipc_queue_abandon abandon = {.queue_id = intake_queue_id(message)};
        (void)ipc_channel_send(message->intake->qmgr->channel, IPC_QUEUE_ABANDON, &abandon);
    }
    release(message);
}

/* ---- the envelope ---- */

/* A batch is its length and its bytes. Too many are not kept: then no other qmgr can be told. */
static void keep_batch(struct intake_message *message)
{
    const uint32_t length = (uint32_t)message->recipients.length;
    buffer_append_span(&message->ahead, span_of(&length, sizeof(length)));
    buffer_append_span(&message->ahead, buffer_span(&message->recipients));
}

/* Where the qmgr is another one by now, it is told when it takes the message on. */
static bool send_recipients(struct intake_message *message)
{
    const struct ipc_queue_recipients batch = {.queue_id = intake_queue_id(message),
                                               .recipients = buffer_span(&message->recipients)};
    if (is_current(message) &&
        !ipc_channel_send(message->intake->qmgr->channel, IPC_QUEUE_RECIPIENTS, &batch))
        return false;
    keep_batch(message);
    if (!is_current(message) && !buffer_ok(&message->ahead))
        return false;
    buffer_reset(&message->recipients);
    return true;
}

/* To the qmgr that has just taken the message on. */
static bool send_again(struct intake_message *message, int64_t deadline_ms)
{
    struct span rest = buffer_span(&message->ahead);
    while (rest.length > 0 && is_current(message)) {
        uint32_t length;
        memcpy(&length, rest.bytes, sizeof(length));
        const struct ipc_queue_recipients batch = {
            .queue_id = intake_queue_id(message),
            .recipients = span_first(span_after(rest, sizeof(length)), length)};
        if (ipc_channel_send(message->intake->qmgr->channel, IPC_QUEUE_RECIPIENTS, &batch))
            rest = span_after(rest, sizeof(length) + length);
        else if (clock_monotonic_ms() >= deadline_ms ||
                 task_sleep(RESEND_DELAY_MS) != TASK_TIMED_OUT)
            return false;
    }
    return is_current(message);
}

/* The record at the end of message->recipients. The first one is remembered when a second comes:
 * by then it is still there, alone. */
static bool is_duplicate(struct intake_message *message, size_t begin)
{
    const struct span records = buffer_span(&message->recipients);
    const size_t limit = message->intake->duplicate_limit;

    if (limit == 0 || message->recipient_count == 0)
        return false;
    if (!message->duplicates) {
        message->duplicates = intake_duplicates_create(limit);
        if (!message->duplicates)
            return false; /* delivered twice rather than not at all */
        if (begin > 0)
            (void)intake_duplicates_note(message->duplicates, span_first(records, begin));
    }
    return intake_duplicates_note(message->duplicates, span_after(records, begin));
}

bool intake_add_recipient(struct intake_message *message, const struct queue_recipient *recipient)
{
    struct queue_recipient added = *recipient;

    if (message->recipients.length > RECIPIENTS_BATCH_BYTES && !send_recipients(message))
        return false;
    if (message->intake->keeps_no_originals && !message->needs_originals)
        added.original_recipient = span_empty();
    const size_t begin = message->recipients.length;
    queue_envelope_append_recipient(&added, &message->recipients);
    if (!buffer_ok(&message->recipients)) {
        message->recipients.length = begin;
        message->recipients.has_failed = false;
        return false;
    }
    if (is_duplicate(message, begin)) {
        message->recipients.length = begin;
        return true;
    }
    message->recipient_count++;
    message->recipient_bytes += message->recipients.length - begin;
    return true;
}

bool intake_replace_recipients(struct intake_message *message,
                               const struct queue_recipient *recipient)
{
    message->is_redirected = true;
    message->recipient_count = 0;
    message->recipient_bytes = 0;
    buffer_reset(&message->ahead);
    buffer_reset(&message->recipients);
    intake_duplicates_destroy(&message->duplicates);
    return intake_add_recipient(message, recipient);
}

/* ---- the content ---- */

static void note_failure(struct intake_message *message)
{
    if (!message->has_failed)
        message->error = errno;
    message->has_failed = true;
}

static void write_pending(struct intake_message *message)
{
    const struct span bytes = buffer_span(&message->pending);
    if (!message->has_failed &&
        file_pwrite_all(message->descriptor, bytes.bytes, bytes.length,
                        QUEUE_FILE_CONTENT_OFFSET + message->body_bytes) != 0)
        note_failure(message);
    message->body_bytes += bytes.length;
    buffer_reset(&message->pending);
}

void intake_write_body(struct intake_message *message, struct span bytes)
{
    if (message->is_open)
        digest_update(&message->digest->digest, bytes);
    while (bytes.length && message->is_open && !message->has_failed) {
        const struct span piece = span_first(bytes, PENDING_MAX_BYTES - message->pending.length);
        buffer_append_span(&message->pending, piece);
        if (!buffer_ok(&message->pending)) {
            errno = ENOMEM;
            note_failure(message);
            return;
        }
        bytes = span_after(bytes, piece.length);
        if (message->pending.length == PENDING_MAX_BYTES)
            write_pending(message);
    }
}

/* The last of the body and the header block behind it, in one write. */
static void write_rest(struct intake_message *message, struct span header_block)
{
    struct span body = buffer_span(&message->pending);
    struct iovec pieces[2] = {{(void *)(uintptr_t)body.bytes, body.length},
                              {(void *)(uintptr_t)header_block.bytes, header_block.length}};
    if (!message->has_failed &&
        file_pwritev_all(message->descriptor, pieces, 2,
                         QUEUE_FILE_CONTENT_OFFSET + message->body_bytes) != 0)
        note_failure(message);
    message->body_bytes += body.length;
}

/* Header block first, as a reader wants them. */
static bool make_extents(struct intake_message *message, struct span header_block,
                         struct buffer *extents)
{
    struct queue_extent parts[2];
    struct digest *digest = &message->digest->digest;
    parts[0] = (struct queue_extent){.offset = QUEUE_FILE_CONTENT_OFFSET + message->body_bytes,
                                     .length = header_block.length};
    parts[1] =
        (struct queue_extent){.offset = QUEUE_FILE_CONTENT_OFFSET, .length = message->body_bytes};
    if (!digest_finish(digest, parts[1].digest))
        return false;
    digest_start(digest);
    digest_update(digest, header_block);
    if (!digest_finish(digest, parts[0].digest))
        return false;
    queue_extents_encode(parts, message->body_bytes ? 2 : 1, extents);
    return buffer_ok(extents);
}

/* ---- the commit ---- */

static struct outcome trouble(void)
{
    return outcome_temporary(451, 3, 0, "Error: queue file write error");
}

/* False when the qmgr that was asked has gone: whether it has the message is not known then. */
static bool ask_for_commit(struct intake_message *message, const struct ipc_queue_commit *commit,
                           struct arena *arena, int64_t deadline_ms, struct outcome *outcome)
{
    struct intake_qmgr *qmgr = message->intake->qmgr;
    struct ipc_queue_commit_reply reply;
    qmgr->call_count++;
    const enum ipc_call_result result =
        ipc_channel_call(qmgr->channel, IPC_QUEUE_COMMIT, commit, IPC_QUEUE_COMMIT_REPLY, &reply,
                         arena, deadline_ms);
    qmgr->call_count--;
    free_qmgr_if_done(qmgr);
    *outcome = trouble();
    if (result == IPC_CALL_OK)
        *outcome = reply.outcome;
    /* Past this point a message is accepted or put off, never refused. */
    if (outcome->kind == OUTCOME_PERMANENT)
        *outcome = outcome_make(OUTCOME_TEMPORARY, 451, 3, 0, reply.outcome.reason);
    return result != IPC_CALL_CLOSED;
}

/* Has the next qmgr take the message on under its id, with what was written for the one before.
 * *is_known: it found the message in the queue. */
static bool resume(struct intake_message *message, struct arena *arena, int64_t deadline_ms,
                   bool *is_known)
{
    struct intake *intake = message->intake;
    struct ipc_queue_claim_reply reply;
    if (!buffer_ok(&message->ahead) || message->descriptor < 0)
        return false;
    const struct outcome state = intake_wait_for_state(intake, deadline_ms);
    if (!outcome_is_ok(&state) || !intake->qmgr)
        return false;
    const struct ipc_queue_claim claim = {.queue_id = intake_queue_id(message),
                                          .earlier = message->descriptor};
    const uint32_t generation = intake->generation;
    message->descriptor = -1; /* the channel's now */
    if (ipc_channel_call(intake_channel(intake), IPC_QUEUE_CLAIM, &claim, IPC_QUEUE_CLAIM_REPLY,
                         &reply, arena, deadline_ms) != IPC_CALL_OK)
        return false;
    *is_known = reply.is_known;
    if (reply.is_known || reply.content < 0)
        return false;
    message->descriptor = reply.content;
    message->generation = generation;
    intake->taken_count += generation == intake->generation;
    return send_again(message, deadline_ms);
}

static bool encode_envelope(struct intake_message *message, const struct queue_envelope *envelope,
                            struct buffer *bytes)
{
    queue_envelope_encode_header(envelope, bytes);
    /* What does not fit beside the header goes ahead of it. */
    if (bytes->length + message->recipients.length > COMMIT_MAX_BYTES && !send_recipients(message))
        return false;
    buffer_append_span(bytes, buffer_span(&message->recipients));
    return buffer_ok(bytes);
}

/* Everything is written. */
static struct outcome commit_written(struct intake_message *message,
                                     const struct queue_envelope *envelope, struct span extents,
                                     struct arena *arena, int64_t deadline_ms)
{
    struct outcome outcome = trouble();
    struct buffer bytes;
    bool was_asked = false;
    for (;;) {
        bool is_known = false;
        if (!is_current(message) && !resume(message, arena, deadline_ms, &is_known)) {
            /* The one before had got as far as that; nobody else has ever had this id. */
            if (is_known && was_asked)
                outcome = outcome_ok();
            return outcome;
        }
        buffer_init(&bytes, NULL, COMMIT_MAX_BYTES);
        const bool is_encoded = encode_envelope(message, envelope, &bytes);
        const struct ipc_queue_commit commit = {.queue_id = intake_queue_id(message),
                                                .extents = extents,
                                                .envelope = buffer_span(&bytes),
                                                .is_redirected = message->is_redirected};
        was_asked = is_encoded;
        const bool is_over =
            !is_encoded || ask_for_commit(message, &commit, arena, deadline_ms, &outcome);
        buffer_release(&bytes);
        if (is_over)
            return outcome;
    }
}

struct outcome intake_commit(struct intake_message *message, const struct queue_envelope *envelope,
                             struct span header_block, struct arena *arena, int64_t deadline_ms)
{
    struct buffer extents;
    struct outcome outcome = trouble();
    if (!message->is_open)
        return outcome;
    buffer_init(&extents, arena, QUEUE_EXTENT_MAX * QUEUE_EXTENT_BYTES);
    write_rest(message, header_block);
    if (message->has_failed) {
        if (message->error == ENOSPC || message->error == EDQUOT)
            outcome = outcome_temporary(452, 3, 1, "Insufficient system storage");
    } else if (make_extents(message, header_block, &extents) && message->recipient_count > 0) {
        outcome = commit_written(message, envelope, buffer_span(&extents), arena, deadline_ms);
    }
    if (outcome_is_ok(&outcome))
        release(message);
    else
        intake_abandon(message); /* harmless where qmgr has had its say on this id */
    return outcome;
}

/* ---- what is in the queue already ---- */

struct outcome intake_flush_site(struct intake *intake, struct span site, struct arena *arena,
                                 int64_t deadline_ms)
{
    const struct ipc_queue_flush question = {.site = site};
    struct ipc_queue_flush_reply reply;
    if (!intake_channel(intake) ||
        ipc_channel_call(intake_channel(intake), IPC_QUEUE_FLUSH, &question, IPC_QUEUE_FLUSH_REPLY,
                         &reply, arena, deadline_ms) != IPC_CALL_OK)
        return outcome_temporary(458, 3, 0, "no queue manager");
    return reply.outcome;
}
