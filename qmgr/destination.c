/* qmgr/destination - transports and destinations: their settings, and how they come and go. See
 * schedule.h. */
#include <stdlib.h>

#include "address/rewrite.h"
#include "agent.h"
#include "base/ascii.h"
#include "clog.h"
#include "maillog/event.h"
#include "schedule.h"
#include "share.h"

enum {
    IDLE_KEPT_MS = 300 * 1000, /* what is known of a site */
    IDLE_RECIPIENT_KEPT_MS = 1000,
    KEY_MAX_BYTES = 65536,
    CLOG_TEXT_BYTES = 2048,
    SLOT_RECIPIENTS = 50 /* of a delivery without a limit, to tell large messages */
};

/* ---- birth ---- */

static size_t limit_of(const struct conf_family *family, struct span transport)
{
    const int64_t value = conf_family_get(family, transport);
    return value <= 0 ? SIZE_MAX : (size_t)value;
}

static bool is_listed(struct span list, struct span name)
{
    struct span word;
    while (span_next_word(&list, ", \t\r\n", &word))
        if (span_equals(word, name))
            return true;
    return false;
}

static void configure(struct transport *transport, struct span name)
{
    const struct conf_qmgr *settings = transport->qmgr->settings;
    transport->recipient_limit = limit_of(&settings->transport_destination_recipient_limit, name);
    transport->is_by_recipient = transport->recipient_limit == 1;
    transport->window_rules = (struct window_rules){
        .initial = limit_of(&settings->transport_initial_destination_concurrency, name),
        .limit = limit_of(&settings->transport_destination_concurrency_limit, name),
        .positive_feedback =
            conf_family_get(&settings->transport_destination_concurrency_positive_feedback, name),
        .negative_feedback =
            conf_family_get(&settings->transport_destination_concurrency_negative_feedback, name),
        .failed_cohort_limit =
            conf_family_get(&settings->transport_destination_concurrency_failed_cohort_limit, name),
    };
    transport->destination_rest_ms =
        conf_family_get(&settings->transport_destination_rate_delay, name);
    if (transport->destination_rest_ms > 0)
        transport->window_rules.limit = 1; /* there is no time between deliveries at once */
    transport->rest_ms = conf_family_get(&settings->transport_transport_rate_delay, name);
    transport->slot_cost = conf_family_get(&settings->transport_delivery_slot_cost, name);
    const size_t slots = (size_t)conf_family_get(&settings->transport_minimum_delivery_slots, name);
    transport->large_count =
        slots * (transport->recipient_limit < SLOT_RECIPIENTS ? transport->recipient_limit
                                                              : SLOT_RECIPIENTS);
    transport->is_deferred = is_listed(settings->defer_transports, name);
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
    list_init(&transport->idle);
    for (int class = 0; class < CLASS_COUNT; class ++) {
        list_init(&transport->ready[class][false]);
        list_init(&transport->ready[class][true]);
        list_init(&transport->suspended[class]);
        list_init(&transport->resting[class]);
    }
    configure(transport, name);
    transport->node.key = span_from_string(transport->name);
    if (!map_insert(&qmgr->transports, &transport->node)) {
        free(transport);
        return NULL;
    }
    loop_timer_init(&transport->rest_timer, qmgr->loop, schedule_on_rest_over, transport);
    return transport;
}

/* Where an agent takes one recipient at a time the destination is the recipient, as in Postfix: in
 * all its spellings, and whatever extension it has, or they would have places of their own. */
static void append_recipient_key(const struct transport *transport, const struct message *message,
                                 uint32_t index, struct span nexthop, struct buffer *key)
{
    const struct span address = message_recipient_address(message, index);
    const struct span local_part = span_first(address, span_find_last_byte(address, '@'));
    struct span user, extension;
    (void)address_split_extension(local_part, transport->qmgr->settings->recipient_delimiter, false,
                                  &user, &extension);
    buffer_append_span(key, user);
    if (buffer_ok(key))
        ascii_lower_in_place(key->bytes, key->length);
    buffer_append_byte(key, '@');
    buffer_append_span(key, nexthop);
}

static struct destination *make_destination(struct transport *transport, struct span key,
                                            struct span nexthop)
{
    struct destination *destination = calloc(1, sizeof(*destination) + key.length + 1);
    if (!destination)
        return NULL;
    memcpy(destination->name, key.bytes, key.length);
    destination->transport = transport;
    destination->is_proven = transport->is_by_recipient; /* it says nothing of a site */
    for (int class = 0; class < CLASS_COUNT; class ++)
        list_init(&destination->waiting[class]);
    window_open(&destination->window, &transport->window_rules);
    destination->node.key = span_of(destination->name, key.length);
    destination->nexthop = span_after(destination->node.key, key.length - nexthop.length);
    if (!map_insert(&transport->destinations, &destination->node)) {
        free(destination);
        return NULL;
    }
    return destination;
}

static struct destination *find_or_make(struct transport *transport, struct span key,
                                        struct span nexthop)
{
    struct map_node *node = map_find(&transport->destinations, key);
    return node ? CONTAINER_OF(node, struct destination, node)
                : make_destination(transport, key, nexthop);
}

struct destination *schedule_destination(struct transport *transport, const struct message *message,
                                         uint32_t index, struct span nexthop)
{
    struct buffer key;
    if (!transport->is_by_recipient)
        return find_or_make(transport, nexthop, nexthop);
    buffer_init(&key, NULL, KEY_MAX_BYTES);
    append_recipient_key(transport, message, index, nexthop, &key);
    struct destination *destination =
        buffer_ok(&key) ? find_or_make(transport, buffer_span(&key), nexthop) : NULL;
    buffer_release(&key);
    return destination;
}

/* ---- once a second ---- */

/* Who fills the active set keeps other mail out of it. */
static bool warn_of_clog(struct map_node *node, void *context)
{
    struct destination *destination = CONTAINER_OF(node, struct destination, node);
    struct transport *transport = destination->transport;
    struct qmgr *qmgr = transport->qmgr;
    const bool has_messages = qmgr->messages.count >= qmgr->settings->qmgr_message_active_limit;
    const struct clog clog = {
        .destination = destination->name,
        .transport = transport->name,
        .waiting_count = destination->waiting_count,
        .in_flight_count = destination->in_flight_count,
        .total_count = qmgr->recipient_count,
        .limit = has_messages ? "qmgr_message_active_limit" : "qmgr_message_recipient_limit",
    };
    (void)context;
    if (!clog_is_one(&clog))
        return true;
    transport->clog_warned_ms = clock_monotonic_ms();
    struct buffer text;
    buffer_init(&text, NULL, CLOG_TEXT_BYTES);
    clog_append_text(&clog, &text);
    maillog_text(&qmgr->service->log, LOG_LEVEL_WARNING, span_empty(), "%.*s",
                 SPAN_PRINTF(buffer_span(&text)));
    buffer_release(&text);
    return false;
}

static void consider_clog(struct transport *transport)
{
    const int64_t interval_ms = transport->qmgr->settings->qmgr_clog_warn_time_ms;
    if (interval_ms > 0 && !qmgr_has_room(transport->qmgr) &&
        (transport->clog_warned_ms == 0 ||
         clock_monotonic_ms() - transport->clog_warned_ms >= interval_ms))
        map_for_each(&transport->destinations, warn_of_clog, NULL);
}

/* Whether it reads again is seen by its results, unless it has nothing to tell. */
static bool has_agents_that_keep_up(const struct transport *transport)
{
    LIST_FOR_EACH (&transport->agents, link)
        if (!agent_keeps_up(LIST_ITEM(link, struct agent, transport_link)))
            return false;
    return !list_is_empty(&transport->agents);
}

static bool sweep_transport(struct map_node *node, void *context)
{
    struct transport *transport = CONTAINER_OF(node, struct transport, node);
    const int64_t now_ms = clock_monotonic_ms();
    (void)context;
    /* Nobody else looks at them when the time to wait for an agent is over. */
    if (transport->waiting_count > 0 && !has_agents_that_keep_up(transport))
        schedule_wake(transport->qmgr);
    consider_clog(transport);
    const int64_t kept_ms = transport->is_by_recipient ? IDLE_RECIPIENT_KEPT_MS : IDLE_KEPT_MS;
    LIST_FOR_EACH (&transport->idle, link) {
        struct destination *destination = LIST_ITEM(link, struct destination, idle_link);
        if (now_ms - destination->idle_since_ms < kept_ms)
            break;
        if (schedule_is_suspended(destination) || destination->rests_until_ms > now_ms)
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
    share_sweep(qmgr);
}

struct forget {
    struct span site; /* empty: all */
};

static bool forget_destination(struct map_node *node, void *context)
{
    struct destination *destination = CONTAINER_OF(node, struct destination, node);
    const struct forget *forget = context;
    if (forget->site.length == 0 || span_equals_ascii_nocase(forget->site, destination->nexthop))
        destination->suspended_until_ms = 0;
    schedule_place(destination);
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
