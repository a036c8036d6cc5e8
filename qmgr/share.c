/* qmgr/share - see share.h. */
#include "share.h"

#include <stdio.h>

#include "scan.h"

enum {
    SETTLE_MS = 5000,  /* of a shorter time nobody can tell how fast a site is */
    MEMORY_MS = 60000, /* and what is longer ago counts for half */
    REASON_BYTES = 512
};

void share_begin(struct destination *destination)
{
    destination->busy_since_ms = clock_monotonic_ms();
    destination->done_count = 0;
}

void share_count(struct destination *destination, size_t count)
{
    const int64_t now_ms = clock_monotonic_ms();
    const int64_t busy_ms = now_ms - destination->busy_since_ms;
    destination->done_count += count;
    if (busy_ms < MEMORY_MS)
        return;
    destination->busy_since_ms = now_ms - busy_ms / 2;
    destination->done_count /= 2;
}

struct sharing {
    size_t destination_count; /* with mail */
    size_t share;
    int64_t now_ms, backoff_ms;
};

static bool count_destination(struct map_node *node, void *context)
{
    struct sharing *sharing = context;
    sharing->destination_count += CONTAINER_OF(node, struct destination, node)->waiting_count > 0;
    return true;
}

static bool count_transport(struct map_node *node, void *context)
{
    map_for_each(&CONTAINER_OF(node, struct transport, node)->destinations, count_destination,
                 context);
    return true;
}

/* What it gets rid of in the time for which the rest would be put off. */
static size_t prospect(const struct destination *destination, const struct sharing *sharing,
                       int64_t busy_ms)
{
    const double per_ms = (double)destination->done_count / (double)busy_ms;
    return (size_t)(per_ms * (double)sharing->backoff_ms);
}

static struct entry *last_committed(const struct destination *destination, enum entry_class class)
{
    const struct list *list = &destination->waiting[class];
    for (struct list_link *link = list->head.previous; link != &list->head; link = link->previous) {
        struct entry *entry = LIST_ITEM(link, struct entry, link);
        if (entry->message->is_committed)
            return entry;
    }
    return NULL;
}

static struct entry *last_entry(const struct destination *destination)
{
    struct entry *entry = last_committed(destination, CLASS_LARGE);
    return entry ? entry : last_committed(destination, CLASS_SMALL);
}

static void put_off_beyond(struct destination *destination, size_t kept_count)
{
    struct qmgr *qmgr = destination->transport->qmgr;
    const size_t before = destination->waiting_count;
    char reason[REASON_BYTES];
    const struct message *message = NULL;
    struct entry *entry;
    (void)snprintf(reason, sizeof(reason), "too much mail waits for %.256s", destination->name);
    const struct outcome outcome = outcome_temporary(451, 4, 5, reason);
    /* A message that stays with some of its recipients makes no room. */
    while ((entry = last_entry(destination)) != NULL &&
           (destination->waiting_count > kept_count || entry->message == message)) {
        message = entry->message;
        entry->message->is_crowded_out = true;
        schedule_take_off(entry);
        schedule_put_off(entry, &outcome);
    }
    schedule_place(destination);
    maillog_text(&qmgr->service->log, LOG_LEVEL_INFO, span_empty(),
                 "%zu of %zu recipients who wait for %.256s are put off: other mail waits for room",
                 before - destination->waiting_count, before, destination->name);
}

static bool look_at_destination(struct map_node *node, void *context)
{
    struct destination *destination = CONTAINER_OF(node, struct destination, node);
    const struct sharing *sharing = context;
    const int64_t busy_ms = sharing->now_ms - destination->busy_since_ms;
    if (destination->waiting_count <= sharing->share || busy_ms < SETTLE_MS)
        return true;
    const size_t prospects = prospect(destination, sharing, busy_ms);
    const size_t kept_count = prospects > sharing->share ? prospects : sharing->share;
    if (destination->waiting_count > kept_count)
        put_off_beyond(destination, kept_count);
    return true;
}

static bool look_at_transport(struct map_node *node, void *context)
{
    map_for_each(&CONTAINER_OF(node, struct transport, node)->destinations, look_at_destination,
                 context);
    return true;
}

void share_sweep(struct qmgr *qmgr)
{
    struct sharing sharing = {.now_ms = clock_monotonic_ms(),
                              .backoff_ms = qmgr->settings->minimal_backoff_time_ms};
    if (!scan_waits_for_room(qmgr))
        return;
    map_for_each(&qmgr->transports, count_transport, &sharing);
    /* One part is for who is not there yet. */
    sharing.share = qmgr->recipient_count / (sharing.destination_count + 1);
    map_for_each(&qmgr->transports, look_at_transport, &sharing);
}
