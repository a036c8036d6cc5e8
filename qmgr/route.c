/* qmgr/route - see route.h. */
#include "route.h"

#include <stdlib.h>

#include "agent.h"
#include "scan.h"
#include "schedule.h"

enum { ROUTE_TIMEOUT_MS = 100 * 1000, ROUTE_BATCH_BYTES = 32768 };

struct route_call {
    struct message *message;
    size_t first; /* recipient */
    size_t asked_count;
};

static void wait_for_addrd(struct message *message)
{
    if (!list_is_linked(&message->unrouted_link))
        list_append(&message->qmgr->unrouted, &message->unrouted_link);
}

static struct span keep(struct message *message, struct span text)
{
    const struct span kept = arena_copy(&message->arena, text);
    return kept.bytes ? kept : span_empty();
}

/* Recipients of one domain follow each other more often than not. */
static struct span keep_next_hop(struct message *message, uint32_t index, struct span next_hop)
{
    if (index > 0 && span_equals(message->recipients[index - 1].next_hop, next_hop))
        return message->recipients[index - 1].next_hop;
    return keep(message, next_hop);
}

/* The transports whose next hop is a reason, where master.cf has no service for them: what the
 * daemon would say is said here. */
static bool is_refusal(struct qmgr *qmgr, const struct ipc_addr_route_entry *entry,
                       struct outcome *outcome)
{
    const bool is_error = span_equals(entry->transport, SPAN("error"));
    if ((!is_error && !span_equals(entry->transport, SPAN("retry"))) ||
        agent_serves(qmgr, entry->transport))
        return false;
    *outcome = outcome_from_text(is_error ? OUTCOME_PERMANENT : OUTCOME_TEMPORARY, entry->nexthop);
    return true;
}

/* One recipient's route: queued for its destination, or failed here and now. */
static void take_entry(struct message *message, uint32_t index,
                       const struct ipc_addr_route_entry *entry)
{
    struct recipient *recipient = &message->recipients[index];
    struct outcome refusal;
    if (recipient->stage != STAGE_UNROUTED || message_is_expanded(message, index))
        return;
    if (!outcome_is_ok(&entry->outcome)) {
        message_fail_locally(message, index, &entry->outcome);
        return;
    }
    if (!span_equals(entry->recipient, message->envelope.recipients[index].forward_path))
        recipient->address = keep(message, entry->recipient);
    if (is_refusal(message->qmgr, entry, &refusal)) {
        message_fail_locally(message, index, &refusal);
        return;
    }
    recipient->mailbox = keep(message, entry->mailbox);
    recipient->next_hop = keep_next_hop(message, index, entry->nexthop);
    recipient->stage = STAGE_QUEUED;
    if (!schedule_recipient(message, index, entry->transport, entry->nexthop)) {
        const struct outcome outcome =
            outcome_temporary(451, 3, 0, "queue manager is out of memory");
        message_fail_locally(message, index, &outcome);
    }
}

static void ask_next(struct qmgr *qmgr)
{
    struct message *next = LIST_ITEM(list_pop(&qmgr->unrouted), struct message, unrouted_link);
    if (next)
        route_message(next);
}

static void on_routes(enum ipc_call_result result, void *reply, void *context)
{
    struct route_call *call = context;
    struct message *message = call->message;
    const struct ipc_addr_route_reply *routes = reply;
    size_t taken_count = 0;
    if (result == IPC_CALL_OK && !message->is_discarded) {
        struct span rest = routes->routes;
        struct ipc_addr_route_entry entry;
        while (taken_count < call->asked_count && rest.length &&
               ipc_records_next(&rest, IPC_ADDR_ROUTE_ENTRY, &entry) == PARSE_OK)
            take_entry(message, (uint32_t)(call->first + taken_count++), &entry);
    }
    if (!message->is_discarded) {
        message->routed_count = call->first + taken_count;
        message->is_routing = false;
        if (taken_count > 0) {
            route_message(message);
            schedule_message(message);
            message_progress(message);
        } else if (result == IPC_CALL_OK) {
            /* It has no answer to this question, and asked again it has none either. */
            const struct outcome outcome = outcome_temporary(451, 3, 0, "no route was found");
            message_fail_locally(message, (uint32_t)call->first, &outcome);
            route_message(message);
            schedule_message(message);
            message_progress(message);
        } else {
            /* addrd is away: mail waits. */
            wait_for_addrd(message);
            route_retry_later(message->qmgr);
        }
    }
    free(call);
    /* This call's credit is free for one that found none. */
    if (result == IPC_CALL_OK && message->qmgr->addrd)
        ask_next(message->qmgr);
    message_unuse(message);
}

/* Appends the next recipients to ask about; those done already count as asked. */
static size_t collect(const struct message *message, struct buffer *records)
{
    size_t count = 0;
    while (message->routed_count + count < message->recipient_count &&
           records->length < ROUTE_BATCH_BYTES) {
        const struct ipc_addr_recipient recipient = {
            .address = message->envelope.recipients[message->routed_count + count].forward_path};
        ipc_records_append(IPC_ADDR_RECIPIENT, &recipient, records);
        count++;
    }
    return count;
}

/* What intake was told (FILTER of access(5)) goes before what tables say. */
static void route_by_filter(struct message *message)
{
    const struct conf_qmgr *settings = message->qmgr->settings;
    struct ipc_addr_route_entry entry = {.outcome = outcome_ok()};
    struct span next_hop;
    (void)span_split_once(message->envelope.filter, ':', &entry.transport, &next_hop);
    if (span_is_empty(next_hop))
        next_hop = settings->default_filter_nexthop;
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        const struct span address = message->envelope.recipients[i].forward_path;
        const size_t at = span_find_last_byte(address, '@');
        entry.recipient = address;
        entry.nexthop = !span_is_empty(next_hop)  ? next_hop
                        : at + 1 < address.length ? span_after(address, at + 1)
                                                  : settings->myhostname;
        take_entry(message, i, &entry);
    }
    message->routed_count = message->recipient_count;
}

/* sendmail -bv asks about the way that mail would go from here. */
static bool is_filtered(const struct message *message)
{
    return !span_is_empty(message->envelope.filter) &&
           !(message->envelope.flags & QUEUE_FLAG_VERIFY);
}

void route_message(struct message *message)
{
    struct qmgr *qmgr = message->qmgr;
    struct buffer records;
    while (message->routed_count < message->recipient_count &&
           message->recipients[message->routed_count].stage != STAGE_UNROUTED)
        message->routed_count++;
    if (message->is_routing || message->routed_count >= message->recipient_count)
        return;
    if (is_filtered(message)) {
        route_by_filter(message);
        return;
    }
    if (!qmgr->addrd) {
        wait_for_addrd(message);
        return;
    }
    struct route_call *call = malloc(sizeof(*call));
    buffer_init(&records, NULL, IPC_RECORDS_MAX);
    if (call) {
        *call = (struct route_call){message, message->routed_count, collect(message, &records)};
        const struct ipc_addr_route question = {.sender = message->envelope.reverse_path,
                                                .recipients = buffer_span(&records),
                                                .is_verification = message->is_probe};
        message->is_routing =
            buffer_ok(&records) &&
            ipc_channel_call_async(qmgr->addrd, IPC_ADDR_ROUTE, &question, IPC_ADDR_ROUTE_REPLY,
                                   clock_deadline_after(ROUTE_TIMEOUT_MS), on_routes, call);
    }
    buffer_release(&records);
    if (message->is_routing) {
        message_use(message);
        return;
    }
    free(call);
    wait_for_addrd(message);
    route_retry_later(qmgr);
}

static void ask_waiting(struct qmgr *qmgr)
{
    for (size_t count = qmgr->unrouted.count; count > 0; count--) {
        struct message *message =
            LIST_ITEM(list_pop(&qmgr->unrouted), struct message, unrouted_link);
        if (!message)
            break;
        route_message(message);
    }
}

static void on_retry(void *context)
{
    struct qmgr *qmgr = context;
    qmgr->is_route_retry_set = false;
    ask_waiting(qmgr);
}

void route_retry_later(struct qmgr *qmgr)
{
    if (qmgr->is_route_retry_set)
        return;
    qmgr->is_route_retry_set = true;
    scan_later(qmgr, on_retry, qmgr);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct qmgr *qmgr = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&qmgr->addrd);
}

static const struct ipc_channel_handlers handlers = {NULL, on_closed, NULL};

void route_attach(struct qmgr *qmgr, int descriptor)
{
    ipc_channel_destroy(&qmgr->addrd);
    qmgr->addrd = ipc_channel_create(qmgr->loop, descriptor, IPC_ROLE_ADDRD, &handlers, qmgr);
    if (qmgr->addrd)
        ask_waiting(qmgr);
}
