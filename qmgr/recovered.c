/* qmgr/recovered - see recovered.h. */
#include "recovered.h"

#include <stdlib.h>

#include "queuefile/id.h"
#include "system/clock.h"

enum {
    /* Nobody waits longer for the answer to a commit. */
    CLAIMS_MS = 15 * 60 * 1000,
    KEPT_MAX = 200000 /* 20 MiB; commits without an answer are as many as there are sessions */
};

struct recovered {
    struct map_node node;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
};

static bool forget(struct map_node *node, void *context)
{
    struct qmgr *qmgr = context;
    map_remove(&qmgr->recovered, node);
    free(CONTAINER_OF(node, struct recovered, node));
    return true;
}

static void on_timer(void *context)
{
    struct qmgr *qmgr = context;
    qmgr->is_recovery_over = true;
    map_for_each(&qmgr->recovered, forget, qmgr);
}

void recovered_init(struct qmgr *qmgr)
{
    map_init(&qmgr->recovered, qmgr->messages.seed);
    loop_timer_init(&qmgr->recovered_timer, qmgr->loop, on_timer, qmgr);
    loop_timer_set(&qmgr->recovered_timer, clock_deadline_after(CLAIMS_MS));
}

static void keep(struct qmgr *qmgr, struct span queue_id)
{
    if (queue_id.length > QUEUE_ID_MAX_BYTES || map_find(&qmgr->recovered, queue_id))
        return;
    struct recovered *recovered = calloc(1, sizeof(*recovered));
    if (!recovered)
        return; /* then a claim may double it */
    memcpy(recovered->queue_id, queue_id.bytes, queue_id.length);
    recovered->node.key = span_from_string(recovered->queue_id);
    if (!map_insert(&qmgr->recovered, &recovered->node))
        free(recovered);
}

void recovered_note(struct qmgr *qmgr, struct span queue_id)
{
    if (!qmgr->is_recovery_over && qmgr->recovered.count < KEPT_MAX)
        keep(qmgr, queue_id);
}

void recovered_note_unheard(struct qmgr *qmgr, struct span queue_id)
{
    if (qmgr->recovered.count >= 2 * KEPT_MAX)
        return;
    keep(qmgr, queue_id);
    loop_timer_set(&qmgr->recovered_timer, clock_deadline_after(CLAIMS_MS));
}

bool recovered_has(const struct qmgr *qmgr, struct span queue_id)
{
    return map_find(&qmgr->recovered, queue_id) != NULL;
}
