/* agent/agent - see agent.h. */
#include "agent/agent.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "maillog/delivery.h"
#include "maillog/event.h"
#include "system/file.h"
#include "system/note.h"

enum {
    MESSAGE_ARENA_BYTES = 16 << 20,
    RESULTS_MAX_BYTES = 49152, /* leaves room for one more in the largest RECORDS field */
    RESULTS_LIMIT_BYTES = 57344,
    RETRY_MS = 1000,
    /* A qmgr that overlooks our capacity is broken, not busy. */
    CAPACITY_SLACK = 16
};

struct sent_results {
    struct list_link link;
    uint32_t serial;
    bool is_last;
    size_t length;
    uint8_t records[];
};

struct agent {
    struct loop *loop;
    struct agent_settings settings;
    struct ipc_channel *channel; /* NULL: none */
    struct list messages;
    size_t former_count; /* messages that channels before this one brought */
    size_t pending_count;
    struct loop_hook send_hook;
    struct loop_timer retry_timer;
    void (*drained)(void *context);
    void *drained_context;
    bool is_draining;
};

static void say_capacity(struct agent *agent)
{
    const size_t capacity = agent->settings.capacity;
    const bool has_room = !agent->is_draining && capacity > agent->former_count;
    const struct ipc_deliver_capacity message = {
        .count = has_room ? (uint32_t)(capacity - agent->former_count) : 0};
    if (agent->channel && !ipc_channel_send(agent->channel, IPC_DELIVER_CAPACITY, &message))
        loop_timer_set(&agent->retry_timer, clock_deadline_after(RETRY_MS));
}

/* ---- results ---- */

static bool send_results(struct agent_message *message, const struct sent_results *sent)
{
    const struct ipc_deliver_result result = {
        .queue_id = message->deliver.queue_id,
        .delivery = message->deliver.delivery,
        .serial = sent->serial,
        .results = span_of(sent->records, sent->length),
        .is_last = sent->is_last,
        .is_corrupt = message->is_corrupt,
        .site = outcome_ok(),
    };
    return message->agent->channel &&
           ipc_channel_send(message->agent->channel, IPC_DELIVER_RESULT, &result);
}

/* Results of this turn leave in one packet and wait for their acknowledgement. */
static void pack_results(struct agent_message *message)
{
    const struct span records = buffer_span(&message->results);
    if (records.length == 0)
        return;
    struct sent_results *sent = malloc(sizeof(*sent) + records.length);
    if (!sent) {
        loop_timer_set(&message->agent->retry_timer, clock_deadline_after(RETRY_MS));
        return;
    }
    *sent = (struct sent_results){.serial = ++message->next_serial,
                                  .is_last = message->pending_count == 0,
                                  .length = records.length};
    memcpy(sent->records, records.bytes, records.length);
    buffer_reset(&message->results);
    message->has_sent_last = sent->is_last;
    list_append(&message->sent, &sent->link);
    /* A channel that is full gets it again later, a new one gets everything. */
    if (!send_results(message, sent))
        loop_timer_set(&message->agent->retry_timer, clock_deadline_after(RETRY_MS));
}

static void pack_all_results(struct loop_hook *hook)
{
    struct agent *agent = CONTAINER_OF(hook, struct agent, send_hook);
    LIST_FOR_EACH (&agent->messages, link)
        pack_results(CONTAINER_OF(link, struct agent_message, link));
}

static void repeat_results(void *context)
{
    struct agent *agent = context;
    say_capacity(agent);
    pack_all_results(&agent->send_hook);
    LIST_FOR_EACH (&agent->messages, link) {
        struct agent_message *message = CONTAINER_OF(link, struct agent_message, link);
        LIST_FOR_EACH (&message->sent, sent_link)
            if (!send_results(message, CONTAINER_OF(sent_link, struct sent_results, link))) {
                if (agent->channel)
                    loop_timer_set(&agent->retry_timer, clock_deadline_after(RETRY_MS));
                return;
            }
    }
}

static void free_message(struct agent_message *message)
{
    struct agent *agent = message->agent;
    for (struct list_link *link; (link = list_pop(&message->sent));)
        free(CONTAINER_OF(link, struct sent_results, link));
    list_remove(&agent->messages, &message->link);
    if (message->is_former) {
        agent->former_count--;
        say_capacity(agent);
    }
    if (agent->settings.has_workers && message->content.descriptor >= 0)
        (void)flock(message->content.descriptor, LOCK_UN); /* cannot fail on an open file */
    file_close(message->content.descriptor);
    buffer_release(&message->results);
    arena_destroy(&message->arena);
    free(message);
    if (agent->is_draining && list_is_empty(&agent->messages))
        agent->drained(agent->drained_context);
}

static void log_result(const struct agent_recipient *recipient, const struct outcome *outcome,
                       bool is_soft_bounce)
{
    const struct agent_message *message = recipient->message;
    const struct agent_settings *settings = &message->agent->settings;
    const uint64_t now_us = clock_realtime_us();
    const uint64_t arrival_us = message->envelope.arrival_us;
    const uint64_t active_us = message->deliver.active_us;
    const struct log_delivery delivery = {
        .recipient = recipient->recipient,
        .original_recipient = recipient->original,
        .relay = settings->relay,
        .before_queue_us = active_us > arrival_us ? active_us - arrival_us : 0,
        .in_queue_us = message->started_us > active_us ? message->started_us - active_us : 0,
        .transmission_us = now_us > message->started_us ? now_us - message->started_us : 0,
        .dsn = outcome->status,
        .status = is_soft_bounce                       ? LOG_DELIVERY_SOFT_BOUNCED
                  : outcome->kind == OUTCOME_OK        ? LOG_DELIVERY_SENT
                  : outcome->kind == OUTCOME_TEMPORARY ? LOG_DELIVERY_DEFERRED
                                                       : LOG_DELIVERY_BOUNCED,
        .is_verification = agent_is_verification(message),
        .text = outcome->reason,
    };
    if (settings->log)
        maillog_delivery(settings->log, message->deliver.queue_id, &delivery);
}

static bool soften(const struct agent *agent, struct outcome *outcome)
{
    if (outcome->kind != OUTCOME_PERMANENT || !agent->settings.is_soft_bouncing)
        return false;
    outcome->kind = OUTCOME_TEMPORARY;
    outcome->status.class = 4;
    if (outcome->reply_code >= 500)
        outcome->reply_code = (uint16_t)(outcome->reply_code - 100);
    return true;
}

void agent_finish_result(struct agent_recipient *recipient,
                         const struct ipc_recipient_result *given)
{
    struct agent_message *message = recipient->message;
    struct agent *agent = message->agent;
    struct ipc_recipient_result result = *given;
    ASSERT(!recipient->is_finished);
    recipient->is_finished = true;
    result.index = recipient->index;
    if (span_is_empty(result.transport)) {
        if (agent->settings.change_outcome)
            agent->settings.change_outcome(agent->settings.change_context, &result.outcome,
                                           &message->arena);
        const bool is_soft_bounce = soften(agent, &result.outcome);
        log_result(recipient, &result.outcome, is_soft_bounce);
    }
    if (message->results.length > RESULTS_MAX_BYTES)
        pack_results(message);
    ipc_records_append(IPC_RECIPIENT_RESULT, &result, &message->results);
    ASSERT(buffer_ok(&message->results)); /* no memory: our successor is told of it all again */
    message->pending_count--;
    agent->pending_count--;
    loop_hook_request(agent->loop, &agent->send_hook);
}

void agent_finish(struct agent_recipient *recipient, struct outcome outcome)
{
    const struct ipc_recipient_result result = {.outcome = outcome};
    agent_finish_result(recipient, &result);
}

struct ipc_channel *agent_channel(const struct agent *agent)
{
    return agent->channel;
}

/* ---- what qmgr sends ---- */

static bool read_recipients(struct agent_message *message)
{
    struct span rest = message->deliver.recipients;
    size_t count = 0;
    struct ipc_deliver_recipient recipient;
    for (; rest.length > 0; count++)
        if (ipc_records_next(&rest, IPC_DELIVER_RECIPIENT, &recipient) != PARSE_OK)
            return false;
    message->recipients = arena_alloc(&message->arena, count * sizeof(*message->recipients));
    if (!message->recipients || count == 0)
        return false;
    rest = message->deliver.recipients;
    for (size_t i = 0; i < count; i++) {
        if (ipc_records_next(&rest, IPC_DELIVER_RECIPIENT, &recipient) != PARSE_OK)
            return false;
        message->recipients[i] = (struct agent_recipient){.message = message,
                                                          .index = recipient.index,
                                                          .recipient = recipient.recipient,
                                                          .original = recipient.original,
                                                          .mailbox = recipient.mailbox,
                                                          .orcpt = recipient.orcpt,
                                                          .notify = recipient.notify};
    }
    message->recipient_count = message->pending_count = count;
    return true;
}

static bool read_message(struct agent_message *message)
{
    struct span envelope = message->deliver.envelope;
    if (queue_extents_decode(message->deliver.extents, message->content.extents,
                             &message->content.extent_count) != PARSE_OK ||
        queue_envelope_next_header(&envelope, &message->envelope) != PARSE_OK)
        return false;
    for (size_t i = 0; i < message->content.extent_count; i++)
        message->content.size_bytes += message->content.extents[i].length;
    return read_recipients(message);
}

static void verify_all(struct agent_message *message)
{
    struct outcome outcome = outcome_ok();
    outcome.reason = SPAN("would be delivered");
    for (size_t i = 0; i < message->recipient_count; i++)
        agent_finish(&message->recipients[i], outcome);
}

/* False: the message is not what qmgr may send, or there is no memory. */
static bool begin_message(struct agent *agent, struct ipc_deliver *deliver)
{
    struct agent_message *message = calloc(1, sizeof(*message));
    if (!message)
        return false;
    arena_init(&message->arena, MESSAGE_ARENA_BYTES, 0);
    buffer_init(&message->results, NULL, RESULTS_LIMIT_BYTES);
    list_init(&message->sent);
    message->agent = agent;
    message->deliver = *deliver;
    message->content.descriptor = deliver->content;
    message->started_us = clock_realtime_us();
    deliver->content = -1;
    list_append(&agent->messages, &message->link);
    if (!ipc_copy_spans(IPC_DELIVER, &message->deliver, &message->arena) ||
        !read_message(message)) {
        free_message(message);
        return false;
    }
    agent->pending_count += message->pending_count;
    if (agent_is_verification(message) && !agent->settings.takes_verification)
        verify_all(message);
    else
        agent->settings.deliver(message, agent->settings.context);
    return true;
}

static struct agent_message *find_message(struct agent *agent, struct span queue_id,
                                          uint64_t delivery)
{
    LIST_FOR_EACH (&agent->messages, link) {
        struct agent_message *message = CONTAINER_OF(link, struct agent_message, link);
        if (message->deliver.delivery == delivery &&
            span_equals(message->deliver.queue_id, queue_id))
            return message;
    }
    return NULL;
}

static void on_acknowledge(struct agent *agent, const struct ipc_deliver_acknowledge *acknowledge)
{
    struct agent_message *message =
        find_message(agent, acknowledge->queue_id, acknowledge->delivery);
    if (!message)
        return; /* repeated */
    LIST_FOR_EACH (&message->sent, link) {
        struct sent_results *sent = CONTAINER_OF(link, struct sent_results, link);
        if (sent->serial == acknowledge->serial) {
            list_remove(&message->sent, &sent->link);
            free(sent);
        }
    }
    if (message->has_sent_last && list_is_empty(&message->sent))
        free_message(message);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct agent *agent = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&agent->channel);
    if (agent->settings.on_closed)
        agent->settings.on_closed(agent, agent->settings.on_closed_context);
}

static void refuse_peer(struct agent *agent, const char *why)
{
    if (agent->settings.log) {
        const struct log_context context = {.log = agent->settings.log};
        log_event(&context, LOG_LEVEL_ERROR, "channel.closed", log_string("peer", "qmgr"),
                  log_string("reason", why));
    }
    on_closed(agent->channel, why, agent);
}

bool agent_is_deserted(const struct agent *agent)
{
    struct pollfd end = {.fd = agent->channel ? ipc_channel_descriptor(agent->channel) : -1};
    return end.fd < 0 || (poll(&end, 1, 0) == 1 && (end.revents & POLLHUP));
}

static void deliver(struct agent *agent, struct ipc_deliver *delivery)
{
    if (agent->settings.is_worker && agent_is_deserted(agent))
        return;
    note_set(delivery->queue_id);
    if (!begin_message(agent, delivery))
        refuse_peer(agent, "a delivery that is none");
    note_clear();
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct agent *agent = context;
    if (delivery->type == IPC_DELIVER_ACKNOWLEDGE)
        on_acknowledge(agent, delivery->message);
    else if ((delivery->type == IPC_ALIAS_ASK || delivery->type == IPC_OWNERS_ASK) &&
             agent->settings.on_question)
        agent->settings.on_question(channel, delivery, agent->settings.context);
    else if (delivery->type != IPC_DELIVER)
        refuse_peer(agent, "a question that is not for us");
    else if (agent->messages.count >= agent->settings.capacity + CAPACITY_SLACK)
        refuse_peer(agent, "more deliveries than we said we take");
    else
        deliver(agent, delivery->message);
}

#define WHO_DELIVERS                                                                               \
    (IPC_ROLE_BIT(IPC_ROLE_QMGR) | IPC_ROLE_BIT(IPC_ROLE_LOCAL) | IPC_ROLE_BIT(IPC_ROLE_VIRTUAL) | \
     IPC_ROLE_BIT(IPC_ROLE_PIPE))
static const struct ipc_permission permissions[] = {
    {IPC_DELIVER, WHO_DELIVERS},
    {IPC_DELIVER_ACKNOWLEDGE, WHO_DELIVERS},
    {IPC_ALIAS_ASK, IPC_ROLE_BIT(IPC_ROLE_LOCAL)},
    {IPC_OWNERS_ASK, IPC_ROLE_BIT(IPC_ROLE_VIRTUAL)},
    {0, 0}};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void agent_attach(struct agent *agent, int descriptor, enum ipc_role peer)
{
    ipc_channel_destroy(&agent->channel);
    agent->channel = ipc_channel_create(agent->loop, descriptor, peer, &handlers, agent);
    if (!agent->channel)
        return; /* closed, so the other side notices */
    LIST_FOR_EACH (&agent->messages, link)
        CONTAINER_OF(link, struct agent_message, link)->is_former = true;
    agent->former_count = agent->messages.count;
    repeat_results(agent);
}

/* ---- life ---- */

struct agent *agent_create(struct loop *loop, const struct agent_settings *settings)
{
    struct agent *agent = calloc(1, sizeof(*agent));
    if (!agent)
        return NULL;
    agent->loop = loop;
    agent->settings = *settings;
    agent->send_hook.run = pack_all_results;
    list_init(&agent->messages);
    loop_timer_init(&agent->retry_timer, loop, repeat_results, agent);
    return agent;
}

size_t agent_pending_count(const struct agent *agent)
{
    return agent->pending_count;
}

size_t agent_message_count(const struct agent *agent)
{
    return agent->messages.count;
}

void agent_drain(struct agent *agent, void (*drained)(void *context), void *context)
{
    agent->is_draining = true;
    agent->drained = drained;
    agent->drained_context = context;
    say_capacity(agent);
    if (list_is_empty(&agent->messages))
        drained(context);
}
