/* smtp/agent - see agent.h. */
#include "agent.h"

#include <stdlib.h>

#include "delivery.h"

enum {
    /* A report is sent before it outgrows a channel message. */
    REPORT_FULL_BYTES = 40000,
    REPORT_MAX_BYTES = 57344,
    /* Reports that found the channel full are offered again. */
    RESEND_MS = 500,
    GOOD_BYE_MS = 20
};

/* ---- reports ---- */

void agent_reports_init(struct agent_reports *reports)
{
    buffer_init(&reports->pending, NULL, REPORT_MAX_BYTES);
    list_init(&reports->sent);
}

static void free_report(struct agent_report *report)
{
    buffer_release(&report->results);
    free(report);
}

void agent_reports_release(struct agent_reports *reports)
{
    while (!list_is_empty(&reports->sent))
        free_report(LIST_ITEM(list_pop(&reports->sent), struct agent_report, link));
    buffer_release(&reports->pending);
}

static void send_report(const struct delivery *delivery, struct agent_report *report)
{
    struct agent *agent = delivery->agent;
    const struct ipc_deliver_result message = {
        .queue_id = delivery->queue_id,
        .delivery = delivery->number,
        .serial = report->serial,
        .results = buffer_span(&report->results),
        .is_last = report->is_last,
        .site = report->has_site ? report->site : outcome_ok(),
        .is_corrupt = report->is_corrupt,
        .has_connection = report->has_connection,
    };
    if (report->was_sent || !agent->qmgr)
        return;
    report->was_sent = ipc_channel_send(agent->qmgr, IPC_DELIVER_RESULT, &message);
    if (!report->was_sent)
        loop_timer_set(&agent->resend_timer, clock_deadline_after(RESEND_MS));
}

/* A new qmgr gets the places that are free. */
static void say_capacity(struct agent *agent)
{
    const size_t limit = agent->settings->smtp_client_limit;
    const bool has_room = !agent->is_draining && limit > agent->former_count;
    const struct ipc_deliver_capacity capacity = {
        .count = has_room ? (uint32_t)(limit - agent->former_count) : 0};
    if (agent->qmgr && !ipc_channel_send(agent->qmgr, IPC_DELIVER_CAPACITY, &capacity))
        loop_timer_set(&agent->resend_timer, clock_deadline_after(RESEND_MS));
}

static void send_all_reports(void *context)
{
    struct agent *agent = context;
    say_capacity(agent);
    LIST_FOR_EACH (&agent->deliveries, link) {
        struct delivery *delivery = LIST_ITEM(link, struct delivery, link);
        LIST_FOR_EACH (&delivery->reports.sent, report_link)
            send_report(delivery, LIST_ITEM(report_link, struct agent_report, link));
    }
}

/* To a new qmgr everything is news. */
static void forget_sending(struct agent *agent)
{
    agent->former_count = agent->deliveries.count;
    LIST_FOR_EACH (&agent->deliveries, link) {
        struct delivery *delivery = LIST_ITEM(link, struct delivery, link);
        delivery->is_former = true;
        LIST_FOR_EACH (&delivery->reports.sent, report_link)
            LIST_ITEM(report_link, struct agent_report, link)->was_sent = false;
    }
}

void agent_report_add(struct delivery *delivery, const struct ipc_recipient_result *result)
{
    struct buffer *pending = &delivery->reports.pending;
    if (pending->length >= REPORT_FULL_BYTES)
        agent_report_send(delivery, false, NULL, false);
    ipc_records_append(IPC_RECIPIENT_RESULT, result, pending);
    /* The schema's limits on a record are far below the room that is left. */
    ASSERT(buffer_ok(pending));
}

void agent_report_send(struct delivery *delivery, bool is_last, const struct outcome *site,
                       bool has_connection)
{
    struct agent_reports *reports = &delivery->reports;
    if (reports->pending.length == 0 && !is_last)
        return;
    struct agent_report *report = calloc(1, sizeof(*report));
    ASSERT(report); /* a result must not be forgotten: better to die, and be asked again */
    report->serial = ++reports->last_serial;
    report->is_last = is_last;
    report->has_site = site != NULL;
    if (site)
        report->site = *site;
    report->is_corrupt = delivery->is_corrupt;
    report->has_connection = has_connection;
    report->results = reports->pending; /* the bytes change hands */
    buffer_init(&reports->pending, NULL, REPORT_MAX_BYTES);
    reports->is_complete |= is_last;
    list_append(&reports->sent, &report->link);
    send_report(delivery, report);
}

/* ---- qmgr ---- */

static void check_idle(void *context)
{
    struct agent *agent = context;
    if (!agent->is_draining || !list_is_empty(&agent->deliveries))
        return;
    if (keep_is_busy(&agent->keep)) /* saying good-bye; it does not take long */
        loop_timer_set(&agent->drain_timer, clock_deadline_after(GOOD_BYE_MS));
    else
        agent->on_idle(agent->context);
}

static struct delivery *find_delivery(struct agent *agent,
                                      const struct ipc_deliver_acknowledge *message)
{
    LIST_FOR_EACH (&agent->deliveries, link) {
        struct delivery *delivery = LIST_ITEM(link, struct delivery, link);
        if (delivery->number == message->delivery &&
            span_equals(delivery->queue_id, message->queue_id))
            return delivery;
    }
    return NULL;
}

static void on_acknowledge(struct agent *agent, const struct ipc_deliver_acknowledge *message)
{
    struct delivery *delivery = find_delivery(agent, message);
    if (!delivery)
        return; /* acknowledged before */
    LIST_FOR_EACH (&delivery->reports.sent, link) {
        struct agent_report *report = LIST_ITEM(link, struct agent_report, link);
        if (report->serial == message->serial) {
            list_remove(&delivery->reports.sent, link);
            free_report(report);
        }
    }
    if (delivery->reports.is_complete && list_is_empty(&delivery->reports.sent)) {
        const bool is_former = delivery->is_former;
        delivery_destroy(&delivery);
        agent->former_count -= is_former;
        if (is_former)
            say_capacity(agent);
    }
    check_idle(agent);
}

/* An order that cannot be carried out, or even be read: nobody has been tried, and the message
 * comes again later. */
static void refuse_order(struct agent *agent, const struct ipc_deliver *order)
{
    const struct outcome site =
        outcome_temporary(0, 3, 0, "the delivery agent could not take the message");
    const struct ipc_deliver_result message = {.queue_id = order->queue_id,
                                               .delivery = order->delivery,
                                               .serial = 1,
                                               .results = span_empty(),
                                               .is_last = true,
                                               .site = site};
    maillog_text(agent->log, LOG_LEVEL_WARNING, order->queue_id,
                 "cannot take this message for delivery; it stays in the queue");
    (void)ipc_channel_send(agent->qmgr, IPC_DELIVER_RESULT, &message);
}

static void on_qmgr_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                            void *context)
{
    struct agent *agent = context;
    (void)channel;
    if (delivery->type == IPC_DELIVER) {
        struct ipc_deliver *order = delivery->message;
        if (!delivery_start(agent, order))
            refuse_order(agent, order);
    } else if (delivery->type == IPC_DELIVER_ACKNOWLEDGE) {
        on_acknowledge(agent, delivery->message);
    }
}

static void on_qmgr_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct agent *agent = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&agent->qmgr);
}

#define FROM_QMGR IPC_ROLE_BIT(IPC_ROLE_QMGR)
static const struct ipc_permission qmgr_permissions[] = {
    {IPC_DELIVER, FROM_QMGR}, {IPC_DELIVER_ACKNOWLEDGE, FROM_QMGR}, {0, 0}};
static const struct ipc_channel_handlers qmgr_handlers = {on_qmgr_message, on_qmgr_closed,
                                                          qmgr_permissions};

void agent_attach_qmgr(struct agent *agent, int descriptor)
{
    if (agent->qmgr)
        ipc_channel_destroy(&agent->qmgr);
    agent->qmgr = ipc_channel_create(agent->loop, descriptor, IPC_ROLE_QMGR, &qmgr_handlers, agent);
    if (!agent->qmgr)
        return; /* qmgr sees it closed */
    forget_sending(agent);
    send_all_reports(agent);
}

/* ---- helpers ---- */

void agent_attach_dnsd(struct agent *agent, int descriptor)
{
    dns_client_attach(&agent->dns, agent->loop, descriptor);
}

void agent_attach_addrd(struct agent *agent, int descriptor)
{
    addr_client_attach(&agent->addr, agent->loop, descriptor);
}

void agent_attach_connectd(struct agent *agent, int descriptor)
{
    connect_client_attach(&agent->connector, agent->loop, descriptor);
}

/* ---- authd ---- */

static void on_authd_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct agent *agent = context;
    (void)channel;
    (void)reason;
    relay_auth_set_channel(&agent->authenticator, NULL);
    ipc_channel_destroy(&agent->authenticator_channel);
}

static const struct ipc_permission no_permissions[] = {{0, 0}};
static const struct ipc_channel_handlers authd_handlers = {NULL, on_authd_closed, no_permissions};

void agent_attach_authd(struct agent *agent, int descriptor)
{
    relay_auth_set_channel(&agent->authenticator, NULL);
    if (agent->authenticator_channel)
        ipc_channel_destroy(&agent->authenticator_channel);
    agent->authenticator_channel =
        ipc_channel_create(agent->loop, descriptor, IPC_ROLE_AUTHD, &authd_handlers, agent);
    relay_auth_set_channel(&agent->authenticator, agent->authenticator_channel);
}

/* ---- the whole ---- */

void agent_init(struct agent *agent, struct loop *loop, struct maillog *log,
                const struct conf_smtp *settings)
{
    agent->loop = loop;
    agent->log = log;
    agent->settings = settings;
    agent->connections = (struct connection_context){.loop = loop,
                                                     .settings = settings,
                                                     .tables = &agent->tables,
                                                     .connector = &agent->connector,
                                                     .log = log,
                                                     .tls = agent->tls,
                                                     .authenticator = &agent->authenticator,
                                                     .speaks_lmtp = agent->speaks_lmtp};
    sts_client_init(&agent->sts, loop);
    relay_auth_init(&agent->authenticator);
    report_client_init(&agent->reports, loop);
    list_init(&agent->deliveries);
    list_init(&agent->idle_digests);
    keep_init(&agent->keep, loop, settings);
    loop_timer_init(&agent->resend_timer, loop, send_all_reports, agent);
    loop_timer_init(&agent->drain_timer, loop, check_idle, agent);
}

void agent_drain(struct agent *agent, void (*on_idle)(void *context), void *context)
{
    agent->is_draining = true;
    agent->on_idle = on_idle;
    agent->context = context;
    say_capacity(agent);
    keep_drain(&agent->keep);
    check_idle(agent);
}

struct agent_digest *agent_take_digest(struct agent *agent)
{
    struct list_link *link = list_pop(&agent->idle_digests);
    if (link)
        return LIST_ITEM(link, struct agent_digest, link);
    struct agent_digest *digest = calloc(1, sizeof(*digest));
    if (digest && !digest_init(&digest->digest)) {
        free(digest);
        digest = NULL;
    }
    return digest;
}

void agent_give_digest(struct agent *agent, struct agent_digest *digest)
{
    list_append(&agent->idle_digests, &digest->link);
}
