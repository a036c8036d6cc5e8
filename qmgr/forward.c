/* qmgr/forward - see forward.h. */
#include "forward.h"

#include <stdio.h>
#include <stdlib.h>

#include "scan.h"
#include "warn.h"

enum { KEY_MAX_BYTES = QUEUE_ID_MAX_BYTES + 12 };

/* A message that this qmgr found in new/ at its start. They are few: those that the one before had
 * just taken in. */
struct forward {
    struct map_node node; /* in qmgr->forwards */
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    char key[KEY_MAX_BYTES];
};

void forward_init(struct qmgr *qmgr)
{
    map_init(&qmgr->forwards, qmgr->messages.seed);
}

/* "ID index" */
static struct span make_key(struct span queue_id, uint32_t index, char key[KEY_MAX_BYTES])
{
    (void)snprintf(key, KEY_MAX_BYTES, "%.*s %u",
                   SPAN_PRINTF(span_first(queue_id, QUEUE_ID_MAX_BYTES)), (unsigned)index);
    return span_from_string(key);
}

static const struct forward *find(const struct qmgr *qmgr, struct span queue_id, uint32_t index)
{
    char key[KEY_MAX_BYTES];
    struct map_node *node = map_find(&qmgr->forwards, make_key(queue_id, index, key));
    return node ? CONTAINER_OF(node, struct forward, node) : NULL;
}

static void mark(struct message *original, uint32_t index, struct span queue_id)
{
    if (index >= original->recipient_count ||
        queue_status_is_done((enum queue_status)original->recipients[index].status))
        return;
    if (original->recipients[index].stage == STAGE_IN_FLIGHT) {
        message_note_forward(original, index, queue_id);
        return;
    }
    struct outcome outcome = outcome_ok();
    const struct span reason =
        arena_format(&original->arena, "forwarded as %.*s", SPAN_PRINTF(queue_id));
    if (reason.bytes)
        outcome.reason = reason;
    original->recipients[index].is_expanded = true;
    message_set_result(original, index, &outcome, span_empty(), span_empty(), false);
}

static void mark_in_memory(const struct message *message)
{
    struct message *original = message_find(message->qmgr, message->envelope.forward_of);
    if (!original || original == message || !original->is_committed)
        return;
    message_use(original);
    mark(original, message->envelope.forward_index, message_id(message));
    message_progress(original);
    message_unuse(original);
}

void forward_committed(const struct message *message)
{
    if (!span_is_empty(message->envelope.forward_of))
        mark_in_memory(message);
}

void forward_mark_prepare(const struct message *message, struct forward_mark *mark)
{
    const struct queue_envelope *envelope = &message->envelope;
    const struct message *original = span_is_empty(envelope->forward_of)
                                         ? NULL
                                         : message_find(message->qmgr, envelope->forward_of);
    const uint32_t index = envelope->forward_index;
    mark->is_wanted = original && original->is_committed && index < original->recipient_count &&
                      original->recipients[index].stage == STAGE_IN_FLIGHT &&
                      !(original->envelope.flags & QUEUE_FLAG_VERIFY);
    if (!mark->is_wanted)
        return;
    mark->place = original->place;
    mark->preamble = original->preamble;
    mark->mark =
        (struct store_mark){index, warn_reports_success(original, index) ? QUEUE_STATUS_SUCCEEDED
                                                                         : QUEUE_STATUS_DELIVERED};
}

void forward_mark_write(const struct forward_mark *mark, const struct store *store)
{
    /* If it fails, the usual mark follows; only a power cut before the next flush forwards again.
     */
    if (mark->is_wanted)
        (void)!store_mark_durably(store, &mark->place, &mark->preamble, &mark->mark);
}

static void remember(const struct message *message)
{
    struct qmgr *qmgr = message->qmgr;
    const struct queue_envelope *envelope = &message->envelope;
    if (find(qmgr, envelope->forward_of, envelope->forward_index))
        return;
    struct forward *forward = calloc(1, sizeof(*forward));
    if (!forward)
        return; /* the recipient may be forwarded twice */
    memcpy(forward->queue_id, message->place.queue_id, sizeof(forward->queue_id));
    forward->node.key = make_key(envelope->forward_of, envelope->forward_index, forward->key);
    if (!map_insert(&qmgr->forwards, &forward->node))
        free(forward);
}

void forward_loaded(struct message *message, bool is_new)
{
    struct qmgr *qmgr = message->qmgr;
    if (is_new && !span_is_empty(message->envelope.forward_of)) {
        if (!scan_has_read_new(qmgr))
            remember(message);
        mark_in_memory(message);
        /* Marked soon, locked or not: this message may be delivered and gone when we are killed. */
        if (!message_find(qmgr, message->envelope.forward_of))
            (void)scan_want(qmgr, message->envelope.forward_of, false);
    }
    for (uint32_t i = 0; qmgr->forwards.count > 0 && i < message->recipient_count; i++) {
        const struct forward *forward = find(qmgr, message_id(message), i);
        if (forward)
            mark(message, i, span_from_string(forward->queue_id));
    }
}

struct search {
    const struct message *sought;
    bool is_found;
};

static bool is_other_commit(struct map_node *node, void *context)
{
    struct search *search = context;
    const struct message *message = CONTAINER_OF(node, struct message, node);
    const struct queue_envelope *envelope = &search->sought->envelope;
    search->is_found = message != search->sought && !message->is_committed &&
                       !message->is_discarded &&
                       message->envelope.forward_index == envelope->forward_index &&
                       span_equals(message->envelope.forward_of, envelope->forward_of);
    return !search->is_found;
}

/* Is the same just being committed for an agent that is dead by now? */
static bool is_being_committed(struct qmgr *qmgr, const struct message *message)
{
    struct search search = {.sought = message};
    map_for_each(&qmgr->messages, is_other_commit, &search);
    return search.is_found;
}

enum forward_answer forward_ask(struct qmgr *qmgr, const struct message *message)
{
    const struct queue_envelope *envelope = &message->envelope;
    const struct message *original = message_find(qmgr, envelope->forward_of);
    if (find(qmgr, envelope->forward_of, envelope->forward_index))
        return FORWARD_KNOWN;
    if (!original || envelope->forward_index >= original->recipient_count)
        return FORWARD_NEW;
    const struct recipient *recipient = &original->recipients[envelope->forward_index];
    if (!recipient->is_maybe_repeated)
        return FORWARD_NEW;
    /* It was, for the agent that had it before. */
    if (recipient->status == QUEUE_STATUS_DELIVERED || recipient->status == QUEUE_STATUS_SUCCEEDED)
        return FORWARD_KNOWN;
    return scan_has_read_new(qmgr) && !is_being_committed(qmgr, message) ? FORWARD_NEW
                                                                         : FORWARD_LATER;
}
