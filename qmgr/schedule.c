/* qmgr/schedule - see schedule.h. */
#include "schedule.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "conf/value.h"
#include "maillog/event.h"
#include "share.h"
#include "system/random.h"
#include "verp.h"

enum {
    RETURNS_MAX = 4,
    REST_STEP_MS = 64,
    RECIPIENT_FRAME_BYTES = 64,
    DELIVERY_MAX_BYTES = 32768 /* as in lib/ipc/schema.def */
};

bool schedule_init(struct qmgr *qmgr)
{
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    map_init(&qmgr->transports, seed);
    map_init(&qmgr->in_flight, seed);
    list_init(&qmgr->agents);
    qmgr->dispatch_hook.run = dispatch;
    return true;
}

/* ---- on which list ---- */

static bool has_mail(const struct destination *destination)
{
    return !list_is_empty(&destination->waiting[CLASS_SMALL]) ||
           !list_is_empty(&destination->waiting[CLASS_LARGE]);
}

static void consider_idle(struct destination *destination)
{
    struct transport *transport = destination->transport;
    const bool is_idle = !has_mail(destination) && destination->in_flight_count == 0;
    if (is_idle && !list_is_linked(&destination->idle_link)) {
        destination->idle_since_ms = clock_monotonic_ms();
        list_append(&transport->idle, &destination->idle_link);
    } else if (!is_idle && list_is_linked(&destination->idle_link)) {
        list_remove(&transport->idle, &destination->idle_link);
    }
}

size_t schedule_capacity(const struct transport *transport)
{
    size_t capacity = 0;
    LIST_FOR_EACH (&transport->agents, link)
        capacity += LIST_ITEM(link, struct agent, transport_link)->capacity;
    return capacity;
}

static bool has_window(const struct destination *destination)
{
    const struct transport *transport = destination->transport;
    if (destination->in_flight_count == 0 ||
        (agent_is_final(transport) && !transport->is_by_recipient))
        return true;
    if (!destination->is_proven && transport->unproven_count >= schedule_capacity(transport) / 2)
        return false;
    return destination->in_flight_count < destination->window.size;
}

/* Many rests that end one after the other end together: each end looks at all that rest. */
static void wake_after_rest(struct transport *transport, int64_t until_ms)
{
    until_ms = (until_ms + REST_STEP_MS - 1) / REST_STEP_MS * REST_STEP_MS;
    if (until_ms < transport->rest_timer.deadline_ms)
        loop_timer_set(&transport->rest_timer, until_ms);
}

/* NULL: nothing waits, or a delivery has to end first. */
static struct list *list_for(struct destination *destination, enum entry_class class)
{
    struct transport *transport = destination->transport;
    if (list_is_empty(&destination->waiting[class]))
        return NULL;
    if (transport->is_deferred || schedule_is_suspended(destination))
        return &transport->suspended[class];
    if (!has_window(destination))
        return NULL;
    if (destination->rests_until_ms > clock_monotonic_ms()) {
        wake_after_rest(transport, destination->rests_until_ms);
        return &transport->resting[class];
    }
    return &transport->ready[class][destination->is_proven];
}

void schedule_place(struct destination *destination)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        struct list *list = list_for(destination, (enum entry_class) class);
        if (list == destination->ready_on[class])
            continue;
        if (destination->ready_on[class])
            list_remove(destination->ready_on[class], &destination->ready_link[class]);
        if (list)
            list_append(list, &destination->ready_link[class]);
        destination->ready_on[class] = list;
    }
    consider_idle(destination);
}

void schedule_take_turn(struct destination *destination, enum entry_class class)
{
    struct list *list = destination->ready_on[class];
    list_remove(list, &destination->ready_link[class]);
    list_append(list, &destination->ready_link[class]);
}

void schedule_rest(struct transport *transport, int64_t until_ms)
{
    transport->rests_until_ms = until_ms;
    wake_after_rest(transport, until_ms);
}

void schedule_on_rest_over(void *context)
{
    struct transport *transport = context;
    for (int class = 0; class < CLASS_COUNT; class ++)
        LIST_FOR_EACH (&transport->resting[class], link)
            schedule_place(schedule_of_link(link, (enum entry_class) class));
    if (transport->rests_until_ms > clock_monotonic_ms())
        wake_after_rest(transport, transport->rests_until_ms);
    schedule_wake(transport->qmgr);
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

void schedule_free_entry(struct entry *entry)
{
    struct message *message = entry->message;
    free(entry->indexes);
    free(entry);
    message_unuse(message);
}

static enum entry_class class_of(const struct transport *transport, const struct message *message)
{
    return transport->slot_cost > 1 && message->recipient_count > transport->large_count
               ? CLASS_LARGE
               : CLASS_SMALL;
}

static void count_waiting(struct destination *destination, size_t count)
{
    if (destination->waiting_count == 0 && destination->in_flight_count == 0)
        share_begin(destination);
    destination->waiting_count += count;
    destination->transport->waiting_count += count;
}

static uint8_t priority_of(const struct entry *entry)
{
    const uint8_t priority = entry->message->envelope.priority;
    return priority ? priority : QUEUE_PRIORITY_NORMAL;
}

/* Behind those that are as important or more (RFC 6710 section 4.3). */
static void line_up(struct list *list, struct entry *entry)
{
    struct list_link *before = &list->head;
    while (before->previous != &list->head &&
           priority_of(LIST_ITEM(before->previous, struct entry, link)) < priority_of(entry))
        before = before->previous;
    list_insert_before(list, before, &entry->link);
}

static size_t recipient_limit(const struct transport *transport, const struct message *message)
{
    return verp_is_wanted(message) ? 1 : transport->recipient_limit;
}

bool schedule_recipient(struct message *message, uint32_t index, struct span transport_name,
                        struct span nexthop)
{
    struct transport *transport = schedule_transport(message->qmgr, transport_name);
    struct destination *destination =
        transport ? schedule_destination(transport, message, index, nexthop) : NULL;
    if (!destination)
        return false;
    struct entry *filling = destination->filling;
    if (filling && filling->message != message)
        filling = NULL;
    if (filling && filling->count < recipient_limit(transport, message) &&
        filling->size_bytes + size_of_recipient(message, index) <= DELIVERY_MAX_BYTES) {
        if (!add_index(filling, index))
            return false;
        count_waiting(destination, 1);
        return true;
    }
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return false;
    entry->message = message;
    entry->destination = destination;
    if (!add_index(entry, index)) {
        free(entry);
        return false;
    }
    message_use(message);
    list_append(&message->waiting, &entry->message_link);
    if (filling)
        filling->next = entry;
    else
        line_up(&destination->waiting[class_of(transport, message)], entry);
    destination->filling = entry;
    count_waiting(destination, 1);
    schedule_place(destination);
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

void schedule_take_off(struct entry *entry)
{
    struct destination *destination = entry->destination;
    struct list *list = &destination->waiting[class_of(destination->transport, entry->message)];
    list_remove(list, &entry->link);
    list_remove(&entry->message->waiting, &entry->message_link);
    if (entry->next)
        line_up(list, entry->next);
    entry->next = NULL;
    if (destination->filling == entry)
        destination->filling = NULL;
    destination->waiting_count -= entry->count;
    destination->transport->waiting_count -= entry->count;
}

static bool is_wanted(const struct entry *entry)
{
    const struct message *message = entry->message;
    for (size_t i = 0; i < entry->count && !message->is_discarded; i++)
        if (message->recipients[entry->indexes[i]].stage == STAGE_QUEUED)
            return true;
    return false;
}

void schedule_drop(struct message *message)
{
    message_use(message);
    /* One that stands behind another comes forward when that goes. */
    LIST_FOR_EACH (&message->waiting, link) {
        struct entry *entry = LIST_ITEM(link, struct entry, message_link);
        struct destination *destination = entry->destination;
        if (!list_is_linked(&entry->link) || is_wanted(entry))
            continue;
        schedule_take_off(entry);
        schedule_free_entry(entry);
        schedule_place(destination);
    }
    message_unuse(message);
}

void schedule_put_off(struct entry *entry, const struct outcome *outcome)
{
    struct message *message = entry->message;
    for (size_t i = 0; i < entry->count; i++)
        if (message->recipients[entry->indexes[i]].stage == STAGE_QUEUED)
            message_fail_locally(message, entry->indexes[i], outcome);
    message_use(message);
    schedule_free_entry(entry);
    message_progress(message);
    message_unuse(message);
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
    if (transport->destination_rest_ms > 0)
        destination->rests_until_ms = clock_deadline_after(transport->destination_rest_ms);
    if (transport->rest_ms > 0)
        schedule_rest(transport, clock_deadline_after(transport->rest_ms));
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
    destination->suspended_since_ms = clock_monotonic_ms();
    destination->suspended_until_ms = clock_deadline_after(settings->minimal_backoff_time_ms);
}

static void set_proven(struct destination *destination, bool is_proven)
{
    struct transport *transport = destination->transport;
    const size_t count = destination->in_flight_count;
    if (destination->is_proven == is_proven || transport->is_by_recipient)
        return;
    destination->is_proven = is_proven;
    /* What it still has in flight counts as what it is from here on. */
    if (!is_proven)
        transport->unproven_count += count;
    else
        transport->unproven_count -=
            count < transport->unproven_count ? count : transport->unproven_count;
}

/* A site that never took anything need not fail a whole cohort: one attempt tells as much. */
static bool is_dead(struct destination *destination)
{
    const struct window_rules *rules = &destination->transport->window_rules;
    const bool is_over = window_failure(&destination->window, rules);
    return is_over || (!destination->is_proven && rules->failed_cohort_limit == 1);
}

static double unit_of(int64_t millionths)
{
    return (double)millionths / CONF_FEEDBACK_UNIT;
}

/* In Postfix's words, for tools that draw pictures of them. */
static void log_feedback(const struct destination *destination, bool is_ok, int64_t feedback,
                         bool is_over)
{
    struct maillog *log = &destination->transport->qmgr->service->log;
    const struct window *window = &destination->window;
    const char *what = is_ok ? "qmgr_queue_unthrottle" : "qmgr_queue_throttle";
    const size_t limit = destination->transport->window_rules.limit;
    if (!destination->transport->qmgr->settings->destination_concurrency_feedback_debug)
        return;
    if (feedback >= 0)
        maillog_text(log, LOG_LEVEL_INFO, span_empty(), "%s: feedback %g", what, unit_of(feedback));
    maillog_text(log, LOG_LEVEL_INFO, span_empty(),
                 "%s: queue %s: limit %zu window %zu success %g failure %g fail_cohorts %g", what,
                 destination->name, limit == SIZE_MAX ? 0 : limit, is_over ? 0 : window->size,
                 unit_of(window->success), unit_of(window->failure),
                 unit_of(window->failed_cohorts));
}

static void note_site(struct destination *destination, const struct outcome *site)
{
    const struct window_rules *rules = &destination->transport->window_rules;
    const size_t before = destination->window.size;
    if (outcome_is_ok(site)) {
        set_proven(destination, true);
        destination->suspended_until_ms = 0;
        const bool is_used =
            window_success(&destination->window, rules, destination->in_flight_count + 1);
        log_feedback(destination, true,
                     is_used ? window_feedback(rules->positive_feedback, before) : -1, false);
    } else if (is_dead(destination)) {
        log_feedback(destination, false, -1, true);
        set_proven(destination, false);
        window_open(&destination->window, rules);
        suspend(destination, site);
    } else {
        log_feedback(destination, false, window_feedback(rules->negative_feedback, before), false);
    }
}

void schedule_finished(struct entry *entry, const struct outcome *site)
{
    struct destination *destination = entry->destination;
    struct qmgr *qmgr = entry->message->qmgr;
    leave_flight(entry);
    share_count(destination, entry->count);
    if (site) /* else the next hop was not asked */
        note_site(destination, site);
    schedule_place(destination);
    schedule_free_entry(entry);
    schedule_wake(qmgr);
}

void schedule_returned(struct entry *entry, bool was_handed_over)
{
    struct destination *destination = entry->destination;
    struct message *message = entry->message;
    struct qmgr *qmgr = message->qmgr;
    size_t count = 0;
    message_use(message);
    leave_flight(entry);
    for (size_t i = 0; i < entry->count; i++) {
        struct recipient *recipient = &message->recipients[entry->indexes[i]];
        if (recipient->stage != STAGE_IN_FLIGHT)
            continue;
        if (queue_status_is_done((enum queue_status)recipient->status)) {
            const struct outcome outcome = recipient->outcome; /* forwarded, as we know */
            message_set_result(message, entry->indexes[i], &outcome, span_empty(), span_empty(),
                               false);
            continue;
        }
        recipient->stage = STAGE_QUEUED;
        recipient->is_maybe_repeated |= was_handed_over;
        recipient->has_stray_delivery |= was_handed_over;
        entry->indexes[count++] = entry->indexes[i];
    }
    entry->count = count;
    entry->agent = NULL;
    /* What kills its agents again and again waits for its next time like other trouble. */
    entry->return_count += was_handed_over;
    if (count > 0 && entry->return_count >= RETURNS_MAX) {
        const struct outcome outcome =
            outcome_temporary(451, 3, 0, "the delivery agent ended before the delivery");
        schedule_put_off(entry, &outcome);
    } else if (count == 0) {
        schedule_free_entry(entry);
    } else {
        list_append(&message->waiting, &entry->message_link);
        list_prepend(&destination->waiting[class_of(destination->transport, message)],
                     &entry->link);
        count_waiting(destination, count);
    }
    schedule_place(destination);
    schedule_wake(qmgr);
    message_take_back(message);
    message_unuse(message);
}
