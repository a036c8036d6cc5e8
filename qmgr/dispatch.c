/* qmgr/dispatch - which delivery begins next. See schedule.h. */
#include "agent.h"

enum { UNANSWERED_MAX = 4 };

/* A process that hangs has connections, too: before one that says nothing has half of the window,
 * the others get their part. A delivery that finds no connection free does not cost more there. */
static bool is_lively(const struct agent *agent, const struct destination *destination)
{
    const size_t half = destination->window.size - destination->window.size / 2;
    return agent->unanswered_count < (half < UNANSWERED_MAX ? half : UNANSWERED_MAX);
}

/* The process that holds a connection to the destination if it has room, else the least busy. NULL:
 * none has room, or reads what it is given. */
static struct agent *choose_agent(const struct destination *destination)
{
    struct agent *best = NULL;
    const uint32_t warm_process = destination->warm_process ? destination->warm_process
                                                            : destination->transport->warm_process;
    LIST_FOR_EACH (&destination->transport->agents, link) {
        struct agent *agent = LIST_ITEM(link, struct agent, transport_link);
        if (agent->in_flight.count + agent->unheard_count >= agent->capacity ||
            !agent_keeps_up(agent))
            continue;
        if (agent->process_number == warm_process && is_lively(agent, destination))
            return agent;
        if (!best || agent->in_flight.count < best->in_flight.count)
            best = agent;
    }
    return best;
}

static struct entry *first_committed(const struct destination *destination, enum entry_class class)
{
    LIST_FOR_EACH (&destination->waiting[class], link) {
        struct entry *entry = LIST_ITEM(link, struct entry, link);
        if (entry->message->is_committed)
            return entry;
    }
    return NULL;
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
    return count > 0;
}

enum serve_result { SERVED, NOTHING_READY, NO_AGENT };

/* Begins one delivery of the destination. */
static enum serve_result serve(struct destination *destination, struct entry *entry)
{
    struct agent *agent = choose_agent(destination);
    if (!agent)
        return NO_AGENT;
    schedule_take_off(entry);
    if (is_still_wanted(entry))
        start(destination, entry, agent);
    else
        schedule_free_entry(entry);
    return SERVED;
}

static bool may_deliver(const struct transport *transport)
{
    if (transport->rest_ms > 0 &&
        (transport->in_flight_count > 0 || transport->rests_until_ms > clock_monotonic_ms()))
        return false;
    return transport->in_flight_count < schedule_capacity(transport);
}

/* One delivery from this list, whose destinations take turns. */
static enum serve_result serve_from(struct list *list, enum entry_class class)
{
    for (size_t count = list->count; count > 0; count--) {
        struct destination *destination = schedule_of_link(list_first(list), class);
        struct entry *entry = first_committed(destination, class);
        schedule_take_turn(destination, class);
        if (!entry)
            continue;
        const enum serve_result result = serve(destination, entry);
        schedule_place(destination);
        return result;
    }
    return NOTHING_READY;
}

/* Unproven destinations leave a quarter of the capacity to others. */
static bool may_try_unproven(const struct transport *transport)
{
    const size_t capacity = schedule_capacity(transport);
    return agent_is_final(transport) || capacity == 1 ||
           transport->unproven_count < capacity - capacity / 4;
}

/* One delivery of this class, by turns of a proven and an unproven destination. */
static enum serve_result serve_class(struct transport *transport, enum entry_class class)
{
    for (int i = 0; i < 2; i++) {
        const bool is_proven = transport->is_proven_turn == (i == 0);
        if (!is_proven && !may_try_unproven(transport))
            continue;
        const enum serve_result result = serve_from(&transport->ready[class][is_proven], class);
        if (result == SERVED)
            transport->is_proven_turn = !is_proven;
        if (result != NOTHING_READY)
            return result;
    }
    return NOTHING_READY;
}

static enum serve_result serve_next(struct transport *transport)
{
    const bool is_large_turn =
        transport->slot_cost > 1 && transport->small_run >= transport->slot_cost - 1;
    for (int i = 0; i < CLASS_COUNT; i++) {
        const enum entry_class class = is_large_turn == (i == 0) ? CLASS_LARGE : CLASS_SMALL;
        const enum serve_result result = serve_class(transport, class);
        if (result == SERVED)
            transport->small_run = class == CLASS_LARGE ? 0 : transport->small_run + 1;
        if (result != NOTHING_READY)
            return result;
    }
    return NOTHING_READY;
}

/* Somebody asked for an attempt after the site had failed: there is one, and what it comes to holds
 * for all who asked before it. In one millisecond the order is not known: one too many is better
 * than none. */
static bool is_asked_for(const struct destination *destination, const struct message *message)
{
    return message->flushed_ms >= destination->suspended_since_ms;
}

/* Of a destination that is left alone: everything is put off but what was asked for. */
static void serve_suspended(struct destination *destination, enum entry_class class)
{
    struct transport *transport = destination->transport;
    static const struct outcome deferred = {
        .kind = OUTCOME_TEMPORARY,
        .reply_code = 450,
        .status = {4, 3, 2},
        .reason = SPAN_LITERAL("deferred transport"),
    };
    struct entry *entry;
    while ((entry = first_committed(destination, class)) != NULL) {
        const bool is_suspended = schedule_is_suspended(destination);
        if (!is_suspended && !transport->is_deferred)
            return; /* its time has come meanwhile */
        if (is_suspended && is_asked_for(destination, entry->message)) {
            destination->suspended_until_ms = 0;
            if (!transport->is_deferred)
                return;
            continue;
        }
        if (!is_suspended && entry->message->flushed_ms > 0) {
            if (!may_deliver(transport) ||
                destination->in_flight_count >= destination->window.size ||
                serve(destination, entry) == NO_AGENT)
                return;
            continue;
        }
        schedule_take_off(entry);
        schedule_put_off(entry, is_suspended ? &destination->suspension_outcome : &deferred);
    }
}

static void serve_all_suspended(struct transport *transport)
{
    for (int class = 0; class < CLASS_COUNT; class ++)
        LIST_FOR_EACH (&transport->suspended[class], link) {
            struct destination *destination = schedule_of_link(link, (enum entry_class) class);
            if (transport->is_deferred || schedule_is_suspended(destination))
                serve_suspended(destination, (enum entry_class) class);
            schedule_place(destination);
        }
}

static bool abandon(struct map_node *node, void *context)
{
    struct destination *destination = CONTAINER_OF(node, struct destination, node);
    const struct outcome *outcome = context;
    for (int class = 0; class < CLASS_COUNT; class ++) {
        struct entry *entry;
        while ((entry = first_committed(destination, (enum entry_class) class)) != NULL) {
            schedule_take_off(entry);
            schedule_put_off(entry, outcome);
        }
    }
    schedule_place(destination);
    return true;
}

/* No process serves this transport: unknown, or all of them dead. Mail waits a while for a restart
 * and is then put off with a reason. */
static void serve_without_agents(struct transport *transport)
{
    const struct qmgr *qmgr = transport->qmgr;
    const int64_t now_ms = clock_monotonic_ms();
    struct outcome outcome = outcome_temporary(451, 3, 0, "mail transport unavailable");
    if (transport->waiting_count > 0 && now_ms >= qmgr->agents_expected_until_ms &&
        now_ms >= transport->agents_expected_until_ms)
        map_for_each(&transport->destinations, abandon, &outcome);
}

static bool dispatch_transport(struct map_node *node, void *context)
{
    struct transport *transport = CONTAINER_OF(node, struct transport, node);
    (void)context;
    serve_all_suspended(transport);
    if (list_is_empty(&transport->agents)) {
        serve_without_agents(transport);
        return true;
    }
    while (may_deliver(transport) && serve_next(transport) == SERVED)
        ;
    return true;
}

void dispatch(struct loop_hook *hook)
{
    struct qmgr *qmgr = CONTAINER_OF(hook, struct qmgr, dispatch_hook);
    if (qmgr->has_lock && !qmgr->service->is_draining)
        map_for_each(&qmgr->transports, dispatch_transport, NULL);
}
