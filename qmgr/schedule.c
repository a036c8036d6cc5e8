/* qmgr/schedule - see schedule.h. */
#include "schedule.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "system/clock.h"
#include "system/random.h"

enum {
    IDLE_KEPT_MS = 300 * 1000,
    RETURNS_MAX = 4,
    RECIPIENT_FRAME_BYTES = 64,
    DELIVERY_MAX_BYTES = 32768 /* as in lib/ipc/schema.def */
};

/* ---- transports and destinations ---- */

static void on_dispatch(struct loop_hook *hook);

bool schedule_init(struct qmgr *qmgr)
{
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    map_init(&qmgr->transports, seed);
    map_init(&qmgr->in_flight, seed);
    list_init(&qmgr->agents);
    qmgr->dispatch_hook.run = on_dispatch;
    return true;
}

static size_t limit_of(const struct conf_family *family, struct span transport)
{
    const int64_t value = conf_family_get(family, transport);
    return value <= 0 ? SIZE_MAX : (size_t)value;
}

struct transport *schedule_transport(struct qmgr *qmgr, struct span name)
{
    struct map_node *node = map_find(&qmgr->transports, name);
    if (node)
        return CONTAINER_OF(node, struct transport, node);
    struct transport *transport = calloc(1, sizeof(*transport) + name.length + 1);
    if (!transport)
        return NULL;
    memcpy(transport->name, name.bytes, name.length);
    transport->qmgr = qmgr;
    map_init(&transport->destinations, qmgr->transports.seed);
    list_init(&transport->agents);
    list_init(&transport->ready);
    list_init(&transport->idle);
    const struct conf_qmgr *settings = qmgr->settings;
    transport->recipient_limit = limit_of(&settings->transport_destination_recipient_limit, name);
    transport->concurrency_limit =
        limit_of(&settings->transport_destination_concurrency_limit, name);
    transport->initial_concurrency =
        limit_of(&settings->transport_initial_destination_concurrency, name);
    transport->node.key = span_from_string(transport->name);
    if (!map_insert(&qmgr->transports, &transport->node)) {
        free(transport);
        return NULL;
    }
    return transport;
}

static struct destination *find_destination(struct transport *transport, struct span nexthop)
{
    struct map_node *node = map_find(&transport->destinations, nexthop);
    if (node)
        return CONTAINER_OF(node, struct destination, node);
    struct destination *destination = calloc(1, sizeof(*destination) + nexthop.length + 1);
    if (!destination)
        return NULL;
    memcpy(destination->nexthop, nexthop.bytes, nexthop.length);
    destination->transport = transport;
    list_init(&destination->entries);
    destination->node.key = span_of(destination->nexthop, nexthop.length);
    if (!map_insert(&transport->destinations, &destination->node)) {
        free(destination);
        return NULL;
    }
    return destination;
}

static bool is_suspended(const struct destination *destination)
{
    return destination->suspended_until_ms > clock_monotonic_ms();
}

static void consider_idle(struct destination *destination)
{
    struct transport *transport = destination->transport;
    const bool is_idle = list_is_empty(&destination->entries) && destination->in_flight_count == 0;
    if (is_idle && !list_is_linked(&destination->idle_link)) {
        destination->idle_since_ms = clock_monotonic_ms();
        list_append(&transport->idle, &destination->idle_link);
    } else if (!is_idle && list_is_linked(&destination->idle_link)) {
        list_remove(&transport->idle, &destination->idle_link);
    }
}

static bool sweep_transport(struct map_node *node, void *context)
{
    struct transport *transport = CONTAINER_OF(node, struct transport, node);
    const int64_t now_ms = clock_monotonic_ms();
    (void)context;
    /* Nobody else looks at them when the time to wait for an agent is over. */
    if (list_is_empty(&transport->agents) && !list_is_empty(&transport->ready))
        schedule_wake(transport->qmgr);
    LIST_FOR_EACH (&transport->idle, link) {
        struct destination *destination = LIST_ITEM(link, struct destination, idle_link);
        if (now_ms - destination->idle_since_ms < IDLE_KEPT_MS)
            break;
        if (is_suspended(destination))
            continue;
        list_remove(&transport->idle, link);
        map_remove(&transport->destinations, &destination->node);
        free(destination->suspension);
        free(destination);
    }
    return true;
}

void schedule_sweep(struct qmgr *qmgr)
{
    map_for_each(&qmgr->transports, sweep_transport, NULL);
}

struct forget {
    struct span site; /* empty: all */
};

static bool forget_destination(struct map_node *node, void *context)
{
    struct destination *destination = CONTAINER_OF(node, struct destination, node);
    const struct forget *forget = context;
    if (forget->site.length == 0 || span_equals_ascii_nocase(forget->site, node->key))
        destination->suspended_until_ms = 0;
    return true;
}

static bool forget_transport(struct map_node *node, void *context)
{
    map_for_each(&CONTAINER_OF(node, struct transport, node)->destinations, forget_destination,
                 context);
    return true;
}

void schedule_forget_suspensions(struct qmgr *qmgr, struct span site)
{
    struct forget forget = {site};
    map_for_each(&qmgr->transports, forget_transport, &forget);
    schedule_wake(qmgr);
}

/* ---- entries ---- */

/* At most what the recipient costs in a DELIVER: its addresses and a little around them. */
static size_t size_of_recipient(const struct message *message, uint32_t index)
{
    const struct queue_recipient *envelope = &message->envelope.recipients[index];
    return RECIPIENT_FRAME_BYTES + message_recipient_address(message, index).length +
           envelope->forward_path.length + envelope->original_recipient.length +
           envelope->orcpt.length + message->recipients[index].mailbox.length;
}

static bool add_index(struct entry *entry, uint32_t index)
{
    if (entry->count == entry->capacity) {
        const size_t capacity = entry->capacity ? entry->capacity * 2 : 1;
        uint32_t *indexes = realloc(entry->indexes, capacity * sizeof(*indexes));
        if (!indexes)
            return false;
        entry->indexes = indexes;
        entry->capacity = capacity;
    }
    entry->indexes[entry->count++] = index;
    entry->size_bytes += size_of_recipient(entry->message, index);
    return true;
}

static void free_entry(struct entry *entry)
{
    struct message *message = entry->message;
    free(entry->indexes);
    free(entry);
    message_unuse(message);
}

bool schedule_recipient(struct message *message, uint32_t index, struct span transport_name,
                        struct span nexthop)
{
    struct transport *transport = schedule_transport(message->qmgr, transport_name);
    struct destination *destination = transport ? find_destination(transport, nexthop) : NULL;
    if (!destination)
        return false;
    struct entry *entry = destination->filling;
    if (entry && entry->message == message && entry->count < transport->recipient_limit &&
        entry->size_bytes + size_of_recipient(message, index) <= DELIVERY_MAX_BYTES)
        return add_index(entry, index);
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return false;
    entry->message = message;
    entry->destination = destination;
    if (!add_index(entry, index)) {
        free(entry);
        return false;
    }
    message_use(message);
    list_append(&destination->entries, &entry->link);
    destination->filling = entry;
    consider_idle(destination);
    if (!list_is_linked(&destination->ready_link))
        list_append(&transport->ready, &destination->ready_link);
    return true;
}

void schedule_message(struct message *message)
{
    schedule_wake(message->qmgr);
}

void schedule_wake(struct qmgr *qmgr)
{
    loop_hook_request(qmgr->loop, &qmgr->dispatch_hook);
}

/* ---- choosing ---- */

static size_t capacity_of(const struct transport *transport)
{
    size_t capacity = 0;
    LIST_FOR_EACH (&transport->agents, link)
        capacity += LIST_ITEM(link, struct agent, transport_link)->capacity;
    return capacity;
}

/* The process that holds a connection to the destination if it has room, else the least busy. */
static struct agent *choose_agent(const struct destination *destination)
{
    struct agent *best = NULL;
    LIST_FOR_EACH (&destination->transport->agents, link) {
        struct agent *agent = LIST_ITEM(link, struct agent, transport_link);
        if (agent->in_flight.count + agent->unheard_count >= agent->capacity)
            continue;
        if (agent->process_number == destination->warm_process)
            return agent;
        if (!best || agent->in_flight.count < best->in_flight.count)
            best = agent;
    }
    return best;
}

static bool has_window(const struct destination *destination, size_t capacity)
{
    const struct transport *transport = destination->transport;
    if (agent_is_final(transport))
        return true;
    if (destination->is_proven)
        return destination->in_flight_count < transport->concurrency_limit;
    size_t window = transport->initial_concurrency;
    if (window > transport->concurrency_limit)
        window = transport->concurrency_limit;
    if (transport->unproven_count >= capacity / 2)
        window = 1;
    if (transport->unproven_count >= capacity - capacity / 4 && capacity > 1)
        return false;
    return destination->in_flight_count < window;
}

/* Puts a whole entry off without an attempt. */
static void put_off(struct entry *entry, const struct outcome *outcome)
{
    struct message *message = entry->message;
    for (size_t i = 0; i < entry->count; i++)
        if (message->recipients[entry->indexes[i]].stage == STAGE_QUEUED)
            message_fail_locally(message, entry->indexes[i], outcome);
    message_use(message);
    free_entry(entry);
    message_progress(message);
    message_unuse(message);
}

static struct entry *first_committed(const struct destination *destination)
{
    LIST_FOR_EACH (&destination->entries, link) {
        struct entry *entry = LIST_ITEM(link, struct entry, link);
        if (entry->message->is_committed || entry->message->is_discarded)
            return entry;
    }
    return NULL;
}

static void take_off(struct destination *destination, struct entry *entry)
{
    list_remove(&destination->entries, &entry->link);
    if (destination->filling == entry)
        destination->filling = NULL;
}

static void start(struct destination *destination, struct entry *entry, struct agent *agent)
{
    struct transport *transport = destination->transport;
    destination->in_flight_count++;
    transport->in_flight_count++;
    if (!destination->is_proven)
        transport->unproven_count++;
    agent_deliver(agent, entry);
}

/* Drops recipients of which a late result has come while they waited. False when none is left. */
static bool is_still_wanted(struct entry *entry)
{
    size_t count = 0;
    for (size_t i = 0; i < entry->count; i++)
        if (entry->message->recipients[entry->indexes[i]].stage == STAGE_QUEUED)
            entry->indexes[count++] = entry->indexes[i];
    entry->count = count;
    return count > 0 && !entry->message->is_discarded;
}

/* One delivery of the destination, if it may have one. False: nothing more to do for now. */
static bool serve(struct destination *destination, size_t capacity)
{
    struct entry *entry = first_committed(destination);
    if (!entry)
        return false;
    if (!is_still_wanted(entry)) {
        take_off(destination, entry);
        free_entry(entry);
        return true;
    }
    if (is_suspended(destination) && !entry->message->is_flushed) {
        take_off(destination, entry);
        put_off(entry, &destination->suspension_outcome);
        return true;
    }
    if (!has_window(destination, capacity))
        return false;
    struct agent *agent = choose_agent(destination);
    if (!agent)
        return false;
    take_off(destination, entry);
    start(destination, entry, agent);
    return true;
}

/* No process serves this transport: unknown, or all of them dead. Mail waits a while for a restart
 * and is then put off with a reason. */
static void serve_without_agents(struct transport *transport)
{
    struct qmgr *qmgr = transport->qmgr;
    const int64_t now_ms = clock_monotonic_ms();
    if (now_ms < qmgr->agents_expected_until_ms || now_ms < transport->agents_expected_until_ms)
        return;
    const struct outcome outcome = outcome_temporary(451, 3, 0, "mail transport unavailable");
    for (size_t count = transport->ready.count; count > 0; count--) {
        struct destination *destination =
            LIST_ITEM(list_pop(&transport->ready), struct destination, ready_link);
        struct entry *entry;
        if (!destination)
            break;
        while ((entry = first_committed(destination)) != NULL) {
            take_off(destination, entry);
            if (entry->message->is_discarded)
                free_entry(entry);
            else
                put_off(entry, &outcome);
        }
        if (!list_is_empty(&destination->entries) && !list_is_linked(&destination->ready_link))
            list_append(&transport->ready, &destination->ready_link);
        consider_idle(destination);
    }
}

static bool dispatch_transport(struct map_node *node, void *context)
{
    struct transport *transport = CONTAINER_OF(node, struct transport, node);
    const size_t capacity = capacity_of(transport);
    size_t stuck_count = 0;
    (void)context;
    if (list_is_empty(&transport->agents)) {
        serve_without_agents(transport);
        return true;
    }
    /* Ready destinations take turns; the round ends when none of them can be served. */
    while (!list_is_empty(&transport->ready) && stuck_count < transport->ready.count) {
        struct destination *destination =
            LIST_ITEM(list_pop(&transport->ready), struct destination, ready_link);
        if (transport->in_flight_count >= capacity && !is_suspended(destination)) {
            list_prepend(&transport->ready, &destination->ready_link);
            break;
        }
        stuck_count = serve(destination, capacity) ? 0 : stuck_count + 1;
        if (!list_is_empty(&destination->entries)) {
            if (!list_is_linked(&destination->ready_link))
                list_append(&transport->ready, &destination->ready_link);
        } else {
            consider_idle(destination);
        }
    }
    return true;
}

static void on_dispatch(struct loop_hook *hook)
{
    struct qmgr *qmgr = CONTAINER_OF(hook, struct qmgr, dispatch_hook);
    if (qmgr->has_lock && !qmgr->service->is_draining)
        map_for_each(&qmgr->transports, dispatch_transport, NULL);
}

/* ---- afterwards ---- */

static void leave_flight(struct entry *entry)
{
    struct destination *destination = entry->destination;
    struct transport *transport = destination->transport;
    destination->in_flight_count--;
    transport->in_flight_count--;
    if (!destination->is_proven && transport->unproven_count > 0)
        transport->unproven_count--;
}

static void suspend(struct destination *destination, const struct outcome *site)
{
    const struct conf_qmgr *settings = destination->transport->qmgr->settings;
    static const char prefix[] = "delivery temporarily suspended: ";
    const size_t size = sizeof(prefix) + site->reason.length;
    char *text = malloc(size);
    if (!text)
        return;
    (void)snprintf(text, size, "%s%.*s", prefix, SPAN_PRINTF(site->reason));
    free(destination->suspension);
    destination->suspension = text;
    destination->suspension_outcome = *site;
    destination->suspension_outcome.reason = span_from_string(text);
    destination->suspended_until_ms = clock_deadline_after(settings->minimal_backoff_time_ms);
}

static void set_proven(struct destination *destination)
{
    struct transport *transport = destination->transport;
    if (destination->is_proven)
        return;
    destination->is_proven = true;
    /* What it still has in flight counts as proven from here on. */
    transport->unproven_count -= destination->in_flight_count < transport->unproven_count
                                     ? destination->in_flight_count
                                     : transport->unproven_count;
}

void schedule_finished(struct entry *entry, const struct outcome *site)
{
    struct destination *destination = entry->destination;
    struct qmgr *qmgr = entry->message->qmgr;
    leave_flight(entry);
    if (!site) {
        /* The next hop was not asked. */
    } else if (outcome_is_ok(site)) {
        set_proven(destination);
        destination->suspended_until_ms = 0;
    } else {
        if (destination->is_proven) {
            destination->is_proven = false;
            destination->transport->unproven_count += destination->in_flight_count;
        }
        suspend(destination, site);
    }
    if (!list_is_empty(&destination->entries) && !list_is_linked(&destination->ready_link))
        list_append(&destination->transport->ready, &destination->ready_link);
    consider_idle(destination);
    free_entry(entry);
    schedule_wake(qmgr);
}

void schedule_returned(struct entry *entry)
{
    struct destination *destination = entry->destination;
    struct message *message = entry->message;
    struct qmgr *qmgr = message->qmgr;
    size_t count = 0;
    leave_flight(entry);
    for (size_t i = 0; i < entry->count; i++) {
        struct recipient *recipient = &message->recipients[entry->indexes[i]];
        if (recipient->stage != STAGE_IN_FLIGHT)
            continue;
        recipient->stage = STAGE_QUEUED;
        recipient->is_maybe_repeated = true;
        entry->indexes[count++] = entry->indexes[i];
    }
    entry->count = count;
    entry->agent = NULL;
    /* What kills its agents again and again waits for its next time like other trouble. */
    if (count > 0 && ++entry->return_count >= RETURNS_MAX) {
        const struct outcome outcome =
            outcome_temporary(451, 3, 0, "the delivery agent ended before the delivery");
        consider_idle(destination);
        put_off(entry, &outcome);
    } else if (count == 0) {
        consider_idle(destination);
        free_entry(entry);
    } else {
        list_prepend(&destination->entries, &entry->link);
        consider_idle(destination);
        if (!list_is_linked(&destination->ready_link))
            list_append(&destination->transport->ready, &destination->ready_link);
    }
    schedule_wake(qmgr);
}
