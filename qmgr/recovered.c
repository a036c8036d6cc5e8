/* qmgr/recovered - see recovered.h. */
#include "recovered.h"

#include <stdlib.h>

#include "queuefile/id.h"
#include "system/clock.h"

enum {
    /* Nobody waits longer for the answer to a commit. */
    CLAIMS_MS = 15 * 60 * 1000,
    FOUND_MAX = 200000,
    KEPT_MAX = 400000 /* 50 MiB; commits without an answer are as many as there are sessions */
};

struct recovered {
    struct map_node node;
    struct list_link link;
    int64_t until_ms;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
};

static struct recovered *eldest(const struct qmgr *qmgr)
{
    return LIST_ITEM(list_first(&qmgr->recovered_eldest), struct recovered, link);
}

static void forget(struct qmgr *qmgr, struct recovered *recovered)
{
    map_remove(&qmgr->recovered, &recovered->node);
    list_remove(&qmgr->recovered_eldest, &recovered->link);
    free(recovered);
}

void recovered_expire(struct qmgr *qmgr, int64_t now_ms)
{
    struct recovered *recovered;
    while ((recovered = eldest(qmgr)) != NULL && recovered->until_ms <= now_ms)
        forget(qmgr, recovered);
    if (recovered)
        loop_timer_set(&qmgr->recovered_timer, recovered->until_ms);
}

static void on_timer(void *context)
{
    recovered_expire(context, clock_monotonic_ms());
}

void recovered_init(struct qmgr *qmgr)
{
    map_init(&qmgr->recovered, qmgr->messages.seed);
    list_init(&qmgr->recovered_eldest);
    loop_timer_init(&qmgr->recovered_timer, qmgr->loop, on_timer, qmgr);
    qmgr->recovery_ends_ms = clock_deadline_after(CLAIMS_MS);
}

static struct recovered *find(const struct qmgr *qmgr, struct span queue_id)
{
    struct map_node *node = map_find(&qmgr->recovered, queue_id);
    return node ? CONTAINER_OF(node, struct recovered, node) : NULL;
}

/* NULL when memory is out: then a claim may double it. */
static struct recovered *make(struct qmgr *qmgr, struct span queue_id)
{
    struct recovered *recovered =
        queue_id.length <= QUEUE_ID_MAX_BYTES ? calloc(1, sizeof(*recovered)) : NULL;
    if (!recovered)
        return NULL;
    memcpy(recovered->queue_id, queue_id.bytes, queue_id.length);
    recovered->node.key = span_from_string(recovered->queue_id);
    if (map_insert(&qmgr->recovered, &recovered->node))
        return recovered;
    free(recovered);
    return NULL;
}

static void keep(struct qmgr *qmgr, struct span queue_id)
{
    struct recovered *recovered = find(qmgr, queue_id);
    if (recovered) {
        list_remove(&qmgr->recovered_eldest, &recovered->link);
    } else {
        if (qmgr->recovered.count >= KEPT_MAX)
            forget(qmgr, eldest(qmgr));
        recovered = make(qmgr, queue_id);
        if (!recovered)
            return;
    }
    recovered->until_ms = clock_deadline_after(CLAIMS_MS);
    if (list_is_empty(&qmgr->recovered_eldest))
        loop_timer_set(&qmgr->recovered_timer, recovered->until_ms);
    list_append(&qmgr->recovered_eldest, &recovered->link);
}

void recovered_note(struct qmgr *qmgr, struct span queue_id)
{
    if (clock_monotonic_ms() < qmgr->recovery_ends_ms && qmgr->recovered.count < FOUND_MAX)
        keep(qmgr, queue_id);
}

void recovered_note_unheard(struct qmgr *qmgr, struct span queue_id)
{
    keep(qmgr, queue_id);
}

bool recovered_has(const struct qmgr *qmgr, struct span queue_id)
{
    return find(qmgr, queue_id) != NULL;
}
