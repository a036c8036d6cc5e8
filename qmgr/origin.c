/* qmgr/origin - see origin.h. */
#include "origin.h"

#include <stdio.h>
#include <stdlib.h>

#include "queuefile/ranges.h"
#include "scan.h"
#include "warn.h"

enum { INDEX_TEXT_BYTES = 12 };

/* What an envelope says of the message that it was made of. */
struct origin {
    struct span original; /* its id; empty: of none */
    struct span indexes;  /* of its recipients */
    bool is_report;
    enum dsn_kind kind; /* of the report */
    char text[INDEX_TEXT_BYTES];
};

static void read_origin(const struct message *message, struct origin *origin)
{
    const struct queue_envelope *envelope = &message->envelope;
    *origin = (struct origin){.original = envelope->forward_of};
    /* The order of intake_peer and origin_ask(): what bounce brings settles no recipients but those
     * that it was asked to report on, whatever else its envelope says. */
    if (!span_is_empty(envelope->report_of)) {
        origin->original = envelope->report_of;
        origin->indexes = envelope->report_recipients;
        origin->is_report = true;
        origin->kind = (enum dsn_kind)envelope->report_kind;
    } else if (!span_is_empty(envelope->forward_of)) {
        (void)snprintf(origin->text, sizeof(origin->text), "%u", (unsigned)envelope->forward_index);
        origin->indexes = span_from_string(origin->text);
    }
}

bool origin_exists(const struct message *message)
{
    return !span_is_empty(message->envelope.forward_of) ||
           !span_is_empty(message->envelope.report_of);
}

/* ---- each recipient of the original ---- */

static void forward_recipient(struct message *original, uint32_t index,
                              const struct message *message)
{
    struct recipient *recipient = &original->recipients[index];
    if (queue_status_is_done((enum queue_status)recipient->status))
        return;
    if (recipient->stage == STAGE_IN_FLIGHT) {
        message_note_forward(original, index, message_id(message));
        return;
    }
    struct outcome outcome = outcome_ok();
    const struct span reason =
        arena_format(&original->arena, "forwarded as %.*s", SPAN_PRINTF(message_id(message)));
    if (reason.bytes)
        outcome.reason = reason;
    recipient->is_expanded = true;
    message_set_result(original, index, &outcome, span_empty(), span_empty(), false);
}

static void settle_recipient(struct message *original, uint32_t index, const struct origin *origin,
                             const struct message *message)
{
    if (origin->is_report)
        message_note_report(original, index, origin->kind);
    else
        forward_recipient(original, index, message);
}

/* Settles in memory what the message was made of. */
static void settle(struct message *original, const struct message *message)
{
    struct origin origin;
    struct queue_ranges ranges = {.count = 0};
    read_origin(message, &origin);
    for (struct span rest = origin.indexes;
         rest.length > 0 && queue_ranges_next(&rest, &ranges) == PARSE_OK;)
        for (uint64_t i = ranges.range.first;
             i <= ranges.range.last && i < original->recipient_count; i++)
            settle_recipient(original, (uint32_t)i, &origin, message);
}

static void settle_and_write(struct message *original, const struct message *message)
{
    message_use(original);
    settle(original, message);
    message_write_marks(original);
    message_progress(original);
    message_unuse(original);
}

/* The original that is in the queue, and in memory. */
static struct message *find_original(const struct message *message)
{
    struct origin origin;
    read_origin(message, &origin);
    struct message *original =
        span_is_empty(origin.original) ? NULL : message_find(message->qmgr, origin.original);
    return original && original != message && original->is_committed ? original : NULL;
}

void origin_begin_commit(struct message *message)
{
    if (origin_exists(message))
        list_append(&message->qmgr->origins_in_commit, &message->commit_link);
}

static void end_commit(struct message *message)
{
    if (list_is_linked(&message->commit_link))
        list_remove(&message->qmgr->origins_in_commit, &message->commit_link);
}

void origin_committed(struct message *message)
{
    end_commit(message);
    struct message *original = find_original(message);
    if (!original)
        return;
    if (span_is_empty(message->envelope.report_of))
        settle_and_write(original, message);
    else
        message_report_committed(original);
}

/* ---- marks beside the commit ---- */

static bool is_markable(const struct message *original, uint32_t index, const struct origin *origin)
{
    return origin->is_report ? message_reports_on(original, index, origin->kind)
                             : original->recipients[index].stage == STAGE_IN_FLIGHT;
}

static enum queue_status mark_of(const struct message *original, uint32_t index,
                                 const struct origin *origin)
{
    if (origin->is_report && origin->kind == DSN_FAILURE)
        return QUEUE_STATUS_REPORTED;
    return !origin->is_report && warn_reports_success(original, index) ? QUEUE_STATUS_SUCCEEDED
                                                                       : QUEUE_STATUS_DELIVERED;
}

void origin_marks_prepare(const struct message *message, struct origin_marks *marks)
{
    const struct message *original = find_original(message);
    struct origin origin;
    struct queue_ranges ranges = {.count = 0};
    size_t capacity = 0;
    read_origin(message, &origin);
    *marks = (struct origin_marks){.marks = NULL};
    if (!original && !origin.is_report && origin.original.length > 0 &&
        queue_id_is_valid(origin.original)) {
        marks->is_sought = true;
        memcpy(marks->sought_id, origin.original.bytes, origin.original.length);
        marks->sought_index = message->envelope.forward_index;
    }
    /* That somebody was warned stands in the journal, which is written in the usual way. */
    if (!original || (original->envelope.flags & QUEUE_FLAG_VERIFY) ||
        (origin.is_report && (origin.kind == DSN_DELAY || origin.kind == DSN_VERIFY)))
        return;
    marks->place = original->place;
    marks->preamble = original->preamble;
    for (struct span rest = origin.indexes;
         rest.length > 0 && queue_ranges_next(&rest, &ranges) == PARSE_OK;) {
        for (uint64_t i = ranges.range.first;
             i <= ranges.range.last && i < original->recipient_count; i++) {
            const uint32_t index = (uint32_t)i;
            if (!is_markable(original, index, &origin))
                continue;
            if (marks->count == capacity) {
                capacity = capacity * 2 + 4;
                struct store_mark *grown = realloc(marks->marks, capacity * sizeof(*grown));
                if (!grown) {
                    origin_marks_release(marks); /* the usual write follows */
                    return;
                }
                marks->marks = grown;
            }
            marks->marks[marks->count++] =
                (struct store_mark){index, (uint8_t)mark_of(original, index, &origin)};
        }
    }
}

int origin_marks_look(struct origin_marks *marks, const struct store *store)
{
    if (!marks->is_sought)
        return 0;
    const enum store_recipient_state state =
        store_look_at_recipient(store, marks->sought_id, marks->sought_index);
    marks->is_known = state == STORE_RECIPIENT_SETTLED;
    return state == STORE_RECIPIENT_UNKNOWN ? -1 : 0;
}

void origin_marks_write(struct origin_marks *marks, const struct store *store)
{
    /* If it fails, the usual write follows, and the message waits for that. */
    marks->are_written =
        marks->count > 0 &&
        store_mark_durably(store, &marks->place, &marks->preamble, marks->marks, marks->count) == 0;
}

void origin_marks_release(struct origin_marks *marks)
{
    free(marks->marks);
    marks->marks = NULL;
    marks->count = 0;
}

/* ---- waiting until it is marked ---- */

/* What it settled is in no write that has yet to come or to end. */
static bool is_on_disk(const struct message *original, const struct message *message)
{
    struct origin origin;
    struct queue_ranges ranges = {.count = 0};
    read_origin(message, &origin);
    for (struct span rest = origin.indexes;
         rest.length > 0 && queue_ranges_next(&rest, &ranges) == PARSE_OK;)
        for (uint64_t i = ranges.range.first;
             i <= ranges.range.last && i < original->recipient_count; i++)
            if (original->recipients[i].has_changed || original->recipients[i].has_note)
                return false;
    return true;
}

/* An original that is not marked yet, and the messages that wait for that: it may be one of many
 * after a restart, so that each is found by its id. */
struct awaited {
    struct map_node node;
    struct list messages;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
};

static struct awaited *find_awaited(const struct qmgr *qmgr, struct span queue_id)
{
    struct map_node *node = map_find(&qmgr->origins_awaited, queue_id);
    return node ? CONTAINER_OF(node, struct awaited, node) : NULL;
}

/* NULL when memory is out. */
static struct awaited *make_awaited(struct qmgr *qmgr, struct span queue_id)
{
    struct awaited *awaited = queue_id_is_valid(queue_id) ? calloc(1, sizeof(*awaited)) : NULL;
    if (!awaited)
        return NULL;
    memcpy(awaited->queue_id, queue_id.bytes, queue_id.length);
    list_init(&awaited->messages);
    awaited->node.key = span_from_string(awaited->queue_id);
    if (map_insert(&qmgr->origins_awaited, &awaited->node))
        return awaited;
    free(awaited);
    return NULL;
}

static void free_if_empty(struct qmgr *qmgr, struct awaited *awaited)
{
    if (!list_is_empty(&awaited->messages))
        return;
    map_remove(&qmgr->origins_awaited, &awaited->node);
    free(awaited);
}

static void let_go(struct awaited *awaited, struct message *message)
{
    struct qmgr *qmgr = message->qmgr;
    list_remove(&awaited->messages, &message->origin_link);
    message->is_origin_settled = true;
    list_append(&qmgr->origins_settled, &message->origin_link);
    loop_hook_request(qmgr->loop, &qmgr->origin_hook);
}

static void on_hook(struct loop_hook *hook)
{
    struct qmgr *qmgr = CONTAINER_OF(hook, struct qmgr, origin_hook);
    struct list_link *link;
    while ((link = list_pop(&qmgr->origins_settled)) != NULL)
        message_activate(LIST_ITEM(link, struct message, origin_link));
}

void origin_init(struct qmgr *qmgr)
{
    map_init(&qmgr->origins_awaited, qmgr->messages.seed);
    list_init(&qmgr->origins_settled);
    list_init(&qmgr->origins_in_commit);
    qmgr->origin_hook.run = on_hook;
}

static bool want_awaited(struct map_node *node, void *context)
{
    struct qmgr *qmgr = context;
    const struct message *original = message_find(qmgr, node->key);
    if (!original || !original->is_committed)
        (void)scan_want_origin(qmgr, node->key);
    return true;
}

/* Whatever kept an original from being read: once more, when those that were asked for before have
 * been looked for. */
static void want_again(void *context)
{
    struct qmgr *qmgr = context;
    if (!scan_seeks_origins(qmgr))
        map_for_each(&qmgr->origins_awaited, want_awaited, qmgr);
    qmgr->is_origin_retry_set = qmgr->origins_awaited.count > 0;
    if (qmgr->is_origin_retry_set)
        scan_later(qmgr, want_again, qmgr);
}

/* False when memory is out. */
static bool wait_for_original(struct message *message)
{
    struct qmgr *qmgr = message->qmgr;
    struct origin origin;
    read_origin(message, &origin);
    struct awaited *awaited = find_awaited(qmgr, origin.original);
    const bool is_first = !awaited;
    if (is_first)
        awaited = make_awaited(qmgr, origin.original);
    if (!awaited)
        return false;
    list_append(&awaited->messages, &message->origin_link);
    if (is_first)
        (void)want_awaited(&awaited->node, qmgr);
    if (!qmgr->is_origin_retry_set)
        scan_later(qmgr, want_again, qmgr);
    qmgr->is_origin_retry_set = true;
    return true;
}

void origin_activate(struct message *message, bool is_marked)
{
    const struct message *original = find_original(message);
    if (!origin_exists(message) || is_marked ||
        (original && !original->is_writing && is_on_disk(original, message)) ||
        !wait_for_original(message))
        message_activate(message);
}

void origin_gone(struct qmgr *qmgr, struct span queue_id)
{
    struct awaited *awaited = find_awaited(qmgr, queue_id);
    if (!awaited)
        return;
    LIST_FOR_EACH (&awaited->messages, link)
        let_go(awaited, LIST_ITEM(link, struct message, origin_link));
    free_if_empty(qmgr, awaited);
}

void origin_written(const struct message *original)
{
    struct awaited *awaited = find_awaited(original->qmgr, message_id(original));
    if (!awaited)
        return;
    LIST_FOR_EACH (&awaited->messages, link) {
        struct message *message = LIST_ITEM(link, struct message, origin_link);
        if (is_on_disk(original, message))
            let_go(awaited, message);
    }
    free_if_empty(original->qmgr, awaited);
}

void origin_forget(struct message *message)
{
    struct origin origin;
    end_commit(message);
    if (!list_is_linked(&message->origin_link))
        return;
    read_origin(message, &origin);
    struct awaited *awaited =
        message->is_origin_settled ? NULL : find_awaited(message->qmgr, origin.original);
    list_remove(awaited ? &awaited->messages : &message->qmgr->origins_settled,
                &message->origin_link);
    if (awaited)
        free_if_empty(message->qmgr, awaited);
}

void origin_loaded(struct message *message, bool is_new)
{
    struct message *original = is_new ? find_original(message) : NULL;
    if (original)
        settle_and_write(original, message);
    const struct awaited *awaited = find_awaited(message->qmgr, message_id(message));
    if (awaited)
        LIST_FOR_EACH (&awaited->messages, link)
            settle(message, LIST_ITEM(link, struct message, origin_link));
}

/* ---- before a commit ---- */

/* One that was made of the same recipient. */
static bool is_same(const struct message *one, const struct message *other)
{
    return one != other && !one->is_discarded &&
           one->envelope.forward_index == other->envelope.forward_index &&
           span_equals(one->envelope.forward_of, other->envelope.forward_of) &&
           span_equals(one->envelope.report_of, other->envelope.report_of);
}

/* Is the same just being committed for an agent that is dead by now? */
static bool is_being_committed(const struct qmgr *qmgr, const struct message *message)
{
    LIST_FOR_EACH (&qmgr->origins_in_commit, link)
        if (is_same(LIST_ITEM(link, struct message, commit_link), message))
            return true;
    return false;
}

static bool has_same(const struct list *list, const struct message *message)
{
    LIST_FOR_EACH (list, link)
        if (is_same(LIST_ITEM(link, struct message, origin_link), message))
            return true;
    return false;
}

static bool is_waiting(const struct qmgr *qmgr, const struct message *message)
{
    const struct awaited *awaited = find_awaited(qmgr, message->envelope.forward_of);
    return (awaited && has_same(&awaited->messages, message)) ||
           has_same(&qmgr->origins_settled, message);
}

/* A report counts if it was asked for by this qmgr, and once. */
static enum origin_answer ask_report(struct qmgr *qmgr, const struct message *message)
{
    const struct message *original = message_find(qmgr, message->envelope.report_of);
    return original && original->is_reporting && !original->is_reported &&
                   original->report_kind == (enum dsn_kind)message->envelope.report_kind &&
                   !is_being_committed(qmgr, message)
               ? ORIGIN_NEW
               : ORIGIN_LATER;
}

enum origin_answer origin_ask(struct qmgr *qmgr, const struct message *message)
{
    const struct queue_envelope *envelope = &message->envelope;
    if (!span_is_empty(envelope->report_of))
        return ask_report(qmgr, message);
    const struct message *original = message_find(qmgr, envelope->forward_of);
    if (is_waiting(qmgr, message))
        return ORIGIN_KNOWN;
    if (!original || envelope->forward_index >= original->recipient_count)
        return ORIGIN_NEW;
    const struct recipient *recipient = &original->recipients[envelope->forward_index];
    if (!recipient->is_maybe_repeated)
        return ORIGIN_NEW;
    /* It was, for the agent that had it before. */
    if (recipient->status == QUEUE_STATUS_DELIVERED || recipient->status == QUEUE_STATUS_SUCCEEDED)
        return ORIGIN_KNOWN;
    return scan_has_read_new(qmgr) && !is_being_committed(qmgr, message) ? ORIGIN_NEW
                                                                         : ORIGIN_LATER;
}
