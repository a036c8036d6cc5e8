/* qmgr/source - see source.h. */
#include "source.h"

#include <stdlib.h>

#include "queuestore/alter.h"
#include "scan.h"

struct source {
    struct map_node node;             /* in qmgr->sources */
    const struct intake_peer *pickup; /* only compared; NULL: it is gone */
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
};

void source_init(struct qmgr *qmgr)
{
    map_init(&qmgr->sources, qmgr->messages.seed);
}

static struct source *find(const struct qmgr *qmgr, struct span queue_id)
{
    struct map_node *node = map_find(&qmgr->sources, queue_id);
    return node ? CONTAINER_OF(node, struct source, node) : NULL;
}

void source_expect(struct qmgr *qmgr, struct span queue_id, const struct intake_peer *pickup)
{
    struct source *source = find(qmgr, queue_id);
    if (source) {
        source->pickup = pickup;
        return;
    }
    source = calloc(1, sizeof(*source));
    if (!source)
        return; /* only a crash at this moment would double the message */
    source->pickup = pickup;
    memcpy(source->queue_id, queue_id.bytes, queue_id.length);
    source->node.key = span_from_string(source->queue_id);
    if (!map_insert(&qmgr->sources, &source->node))
        free(source);
}

static bool forget_pickup(struct map_node *node, void *context)
{
    struct source *source = CONTAINER_OF(node, struct source, node);
    if (source->pickup == context)
        source->pickup = NULL;
    return true;
}

void source_forget_pickup(struct qmgr *qmgr, const struct intake_peer *pickup)
{
    map_for_each(&qmgr->sources, forget_pickup, (void *)(uintptr_t)pickup);
}

bool source_is_gone(const struct message *message)
{
    return message->envelope.origin != QUEUE_ORIGIN_PICKUP ||
           (message->qmgr->are_sources_settled && !find(message->qmgr, message_id(message)));
}

static void go_on(struct message *message)
{
    message_use(message);
    message_progress(message);
    message_unuse(message);
}

void source_gone(struct qmgr *qmgr, struct span queue_id)
{
    struct source *source = find(qmgr, queue_id);
    struct message *message = message_find(qmgr, queue_id);
    if (source) {
        map_remove(&qmgr->sources, &source->node);
        free(source);
    }
    if (message)
        go_on(message);
}

struct settlement {
    struct qmgr *qmgr;
    const struct intake_peer *pickup;
};

static bool forget_older(struct map_node *node, void *context)
{
    const struct settlement *settlement = context;
    struct source *source = CONTAINER_OF(node, struct source, node);
    if (source->pickup != settlement->pickup) {
        map_remove(&settlement->qmgr->sources, node);
        free(source);
    }
    return true;
}

static bool go_on_if_dropped(struct map_node *node, void *context)
{
    struct message *message = CONTAINER_OF(node, struct message, node);
    (void)context;
    if (message->envelope.origin == QUEUE_ORIGIN_PICKUP)
        go_on(message);
    return true;
}

void source_settled(struct qmgr *qmgr, const struct intake_peer *pickup)
{
    struct settlement settlement = {qmgr, pickup};
    qmgr->are_sources_settled = true;
    map_for_each(&qmgr->sources, forget_older, &settlement);
    map_for_each(&qmgr->messages, go_on_if_dropped, NULL);
}

enum source_state source_look(struct qmgr *qmgr, struct span queue_id)
{
    const struct message *message = message_find(qmgr, queue_id);
    if (find(qmgr, queue_id) || (message && message->is_committed))
        return SOURCE_IN_QUEUE;
    return message ? SOURCE_BUSY : SOURCE_UNKNOWN;
}

struct known_job {
    const struct store *store;
    struct span queue_ids;
    struct buffer *known;
    bool has_failed;
};

static void append_id(struct buffer *known, struct span queue_id)
{
    if (known->length)
        buffer_append_byte(known, ' ');
    buffer_append_span(known, queue_id);
}

static void known_work(void *argument)
{
    struct known_job *job = argument;
    struct span queue_id;
    while (span_next_word(&job->queue_ids, " ", &queue_id)) {
        struct store_place place = {.bucket = 0};
        if (!queue_id_is_valid(queue_id))
            continue;
        memcpy(place.queue_id, queue_id.bytes, queue_id.length);
        const int found = store_find_anywhere(job->store, &place);
        /* A qmgr that was killed may have left it unflushed, and pickup removes its file. */
        const bool is_durable = found > 0 && store_make_durable(job->store, &place) == 0;
        if (is_durable)
            append_id(job->known, queue_id);
        job->has_failed |= found != 0 && !is_durable;
    }
}

bool source_find_known(struct qmgr *qmgr, struct span queue_ids, struct buffer *known)
{
    struct buffer sought;
    struct span rest = queue_ids, queue_id;
    buffer_init(&sought, NULL, IPC_RECORDS_MAX);
    while (span_next_word(&rest, " ", &queue_id)) {
        if (source_look(qmgr, queue_id) != SOURCE_BUSY)
            append_id(&sought, queue_id);
    }
    struct known_job job = {scan_store(qmgr), buffer_span(&sought), known, false};
    pool_run(qmgr->pool, known_work, &job);
    buffer_release(&sought);
    return !job.has_failed;
}
