/* smtp/delivery - see delivery.h. */
#include "delivery.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "authenticate.h"
#include "generic.h"
#include "maillog/delivery.h"
#include "nexthop.h"
#include "protection.h"
#include "resolve.h"
#include "session_report.h"
#include "system/file.h"
#include "system/task.h"
#include "transaction.h"

/* ---- results ---- */

/* A mail store is the end of the way. */
bool delivery_requires_tls(const struct delivery *delivery)
{
    return (delivery->envelope.flags & QUEUE_FLAG_REQUIRETLS) != 0 &&
           !span_is_empty(delivery->envelope.reverse_path) && !delivery->agent->speaks_lmtp;
}

size_t delivery_open_count(const struct delivery *delivery)
{
    size_t count = 0;
    for (size_t i = 0; i < delivery->recipient_count; i++)
        count += !delivery->recipients[i].is_done;
    return count;
}

static uint64_t elapsed_us(uint64_t from_us, uint64_t to_us)
{
    return from_us > 0 && to_us > from_us ? to_us - from_us : 0; /* the clock may jump */
}

static void log_result(const struct delivery *delivery, const struct delivery_recipient *recipient,
                       const struct outcome *outcome, enum log_delivery_status status)
{
    const uint64_t now_us = clock_realtime_us();
    const uint64_t connected_us = delivery->connected_us ? delivery->connected_us : now_us;
    const struct log_delivery line = {
        .recipient = recipient->address,
        .original_recipient = recipient->original,
        .relay = recipient->relay,
        .connection_use = recipient->connection_use,
        .before_queue_us = elapsed_us(delivery->envelope.arrival_us, delivery->active_us),
        .in_queue_us = elapsed_us(delivery->active_us, delivery->started_us),
        .connection_us = elapsed_us(delivery->started_us, connected_us),
        .transmission_us = elapsed_us(connected_us, now_us),
        .dsn = outcome->status,
        .status = status,
        .is_verification = (delivery->envelope.flags & QUEUE_FLAG_VERIFY) != 0,
        .text = outcome->reason,
    };
    maillog_delivery(delivery->agent->log, delivery->queue_id, &line);
}

/* The recipient is done with, here: logs and reports. */
static void conclude(struct delivery *delivery, struct delivery_recipient *recipient,
                     struct outcome outcome, struct span diagnostic)
{
    status_filter_change(&delivery->agent->tables.results, &outcome, &delivery->arena);
    enum log_delivery_status status = outcome.kind == OUTCOME_OK          ? LOG_DELIVERY_SENT
                                      : outcome.kind == OUTCOME_TEMPORARY ? LOG_DELIVERY_DEFERRED
                                                                          : LOG_DELIVERY_BOUNCED;
    if (outcome.kind == OUTCOME_PERMANENT && delivery->agent->settings->soft_bounce) {
        outcome.kind = OUTCOME_TEMPORARY;
        outcome.status.class = 4;
        status = LOG_DELIVERY_SOFT_BOUNCED;
    }
    recipient->is_done = true;
    log_result(delivery, recipient, &outcome, status);
    const struct ipc_recipient_result result = {.index = recipient->index,
                                                .outcome = outcome,
                                                .remote = recipient->remote,
                                                .diagnostic = diagnostic,
                                                .will_report = recipient->will_report};
    agent_report_add(delivery, &result);
}

static void set_remote(struct delivery *delivery, struct delivery_recipient *recipient,
                       const struct connection *connection)
{
    recipient->remote = recipient->relay = span_empty();
    recipient->connection_use = 0;
    if (!connection)
        return;
    recipient->remote = arena_copy(&delivery->arena, connection->host);
    recipient->relay = arena_copy(&delivery->arena, span_from_string(connection->relay));
    if (!recipient->remote.bytes || !recipient->relay.bytes)
        recipient->remote = recipient->relay = span_empty();
    recipient->connection_use = connection->use_count;
}

/* By whoever comes next, or by nobody, because nobody wants to hear of it. With BY= the sender
 * hears of a relay to a server that knows nothing of it, or of each (RFC 2852 section 4.1.4). */
static bool will_be_reported(const struct delivery *delivery,
                             const struct delivery_recipient *recipient,
                             const struct connection *connection)
{
    const struct queue_envelope *envelope = &delivery->envelope;
    if (envelope->deliver_by == QUEUE_DELIVER_BY_NONE)
        return connection->extensions.has_dsn;
    if (envelope->traces_deliver_by || !connection->extensions.has_deliver_by)
        return false;
    return connection->extensions.has_dsn || (recipient->notify & QUEUE_NOTIFY_SUCCESS) == 0;
}

void delivery_succeed(struct delivery *delivery, struct delivery_recipient *recipient,
                      const struct connection *connection, struct span text)
{
    set_remote(delivery, recipient, connection);
    recipient->will_report = connection && will_be_reported(delivery, recipient, connection);
    /* A report says "delivered", not "relayed", when no other system is named. */
    if (delivery->agent->assumes_final && !recipient->will_report)
        recipient->remote = span_empty();
    struct outcome outcome = outcome_ok();
    struct enhanced_status status;
    size_t length;
    /* The server's own code behind "250 ", where it has one. */
    if (enhanced_status_parse(span_after(text, 4), &status, &length) && status.class == 2)
        outcome.status = status;
    outcome.reason = text;
    conclude(delivery, recipient, outcome, text);
}

/* In a line of its own, once. */
static void note(struct delivery *delivery, const struct failure *failure)
{
    if (failure->outcome.kind == OUTCOME_PERMANENT || span_is_empty(failure->outcome.reason) ||
        delivery->last_noted.bytes == failure->outcome.reason.bytes)
        return;
    delivery->last_noted = failure->outcome.reason;
    maillog_text(delivery->agent->log, LOG_LEVEL_INFO,
                 failure->is_connected ? delivery->queue_id : span_empty(), "%.*s",
                 SPAN_PRINTF(failure->outcome.reason));
}

static void set_failure(struct delivery_recipient *recipient, const struct failure *failure)
{
    recipient->failure = *failure;
    recipient->may_succeed_later |=
        failure->outcome.kind == OUTCOME_TEMPORARY && !failure->bounces_at_end;
}

void delivery_fail(struct delivery *delivery, struct delivery_recipient *recipient,
                   const struct connection *connection, const struct failure *failure)
{
    if (recipient->is_done)
        return;
    set_remote(delivery, recipient, connection);
    set_failure(recipient, failure);
    if (failure->outcome.kind == OUTCOME_PERMANENT)
        conclude(delivery, recipient, failure->outcome, failure->diagnostic);
    else if (!failure->is_connected)
        note(delivery, failure);
}

/* Another host is about to be tried, which may mend it. What the last one said stands in the lines
 * of the recipients alone, as in Postfix. */
static void note_what_was_said(struct delivery *delivery)
{
    for (size_t i = 0; i < delivery->recipient_count; i++)
        if (!delivery->recipients[i].is_done)
            note(delivery, &delivery->recipients[i].failure);
}

void delivery_fail_all(struct delivery *delivery, const struct connection *connection,
                       const struct failure *failure)
{
    for (size_t i = 0; i < delivery->recipient_count; i++)
        delivery_fail(delivery, &delivery->recipients[i], connection, failure);
}

/* Nothing is left to try. */
static void conclude_open(struct delivery *delivery)
{
    for (size_t i = 0; i < delivery->recipient_count; i++) {
        struct delivery_recipient *recipient = &delivery->recipients[i];
        if (recipient->is_done)
            continue;
        if (span_is_empty(recipient->failure.outcome.reason))
            recipient->failure.outcome =
                outcome_temporary(0, 4, 0, "no host of the next hop could be tried");
        /* A host that was away, or a look-up that failed, may have been the one that is good. */
        if (recipient->failure.bounces_at_end && !recipient->may_succeed_later) {
            recipient->failure.outcome.kind = OUTCOME_PERMANENT;
            recipient->failure.outcome.status.class = 5;
        }
        conclude(delivery, recipient, recipient->failure.outcome, recipient->failure.diagnostic);
    }
}

/* ---- hosts in turn ---- */

/* How far one delivery has come with the hosts of all its next hops. */
struct attempt {
    struct delivery *delivery;
    struct span destination; /* as it is written; connections are kept under it */
    uint32_t address_count;
    uint32_t session_count;
    bool has_kept_connection;
    /* Of the connection that was used first: it had its chance. */
    bool has_tried_kept;
    struct plan_target kept_target;
    const struct nexthop *nexthop;
    struct protection_rules rules; /* of the next hop */
    struct failure failure;        /* the last, of a next hop or host as a whole */
    bool has_failure;
    bool has_self; /* this machine is a mail exchanger of the destination */
};

/* The connection is over for this delivery: kept for the next one, or closed. Where an answer is
 * waited for, results go first: what is delivered must not be forgotten on the way. */
static void put_away(struct attempt *attempt, struct connection *connection)
{
    struct delivery *delivery = attempt->delivery;
    if (connection->is_usable && connection->needs_reset)
        agent_report_send(delivery, false, NULL, false);
    if (delivery->is_corrupt) {
        connection_abort(&connection);
    } else if (keep_put(&delivery->agent->keep, &connection, attempt->destination)) {
        attempt->has_kept_connection = true;
    } else {
        if (connection->is_usable && !connection->settings->smtp_skip_quit_response)
            agent_report_send(delivery, false, NULL, false);
        connection_close(&connection);
    }
}

/* Over a connection from an earlier delivery, which may have died unseen: false says that nothing
 * has been tried yet. *wants_another: see transaction_run(). */
static bool use_kept_connection(struct attempt *attempt, struct connection *connection,
                                bool *wants_another)
{
    struct delivery *delivery = attempt->delivery;
    bool was_lost_unused;
    delivery->connected_us = clock_realtime_us();
    if (connection->tls && delivery->agent->settings->smtp_tls_loglevel >= 1)
        maillog_tls(delivery->agent->log, LOG_TLS_REUSED_TO, connection->tls->trust,
                    span_from_string(connection->relay), span_empty(), &connection->tls->facts);
    *wants_another = transaction_run(delivery, connection, &was_lost_unused);
    attempt->session_count += !was_lost_unused;
    put_away(attempt, connection);
    return !was_lost_unused;
}

/* One that served this next hop before needs no look-up, if all that it was wished to be stands in
 * our own settings. */
static bool try_kept_connection(struct attempt *attempt)
{
    struct delivery *delivery = attempt->delivery;
    bool wants_another;
    if (attempt->rules.depends_on_host)
        return false;
    struct connection *connection =
        keep_take(&delivery->agent->keep, attempt->destination, attempt->rules.digest);
    if (!connection)
        return false;
    const struct plan_target target = {
        .address = connection->address,
        .port = connection->port,
        .path = span_is_empty(connection->path) ? span_empty()
                                                : arena_copy(&delivery->arena, connection->path),
    };
    const bool was_used = use_kept_connection(attempt, connection, &wants_another);
    attempt->has_tried_kept = was_used && !wants_another;
    attempt->kept_target = target;
    return was_used;
}

/* One that DANE, a policy or a table has a say in may not be what is wished for now, though it was:
 * it is tried first, as any host is tried, by the records of this moment. */
static void prefer_kept_connection(const struct attempt *attempt, struct plan *plan)
{
    const struct keep *keep = &attempt->delivery->agent->keep;
    const struct protection_rules *rules = &attempt->rules;
    for (size_t i = 0; rules->depends_on_host && i < plan->count; i++)
        if (keep_has(keep, attempt->destination, rules->digest, &plan->targets[i])) {
            plan_prefer(plan, i);
            return;
        }
}

/* Another transport is to deliver what is left: it will say what becomes of it. */
static void hand_over(struct delivery *delivery, const struct failure *failure)
{
    struct span transport, nexthop;
    (void)span_split_once(failure->next_transport, ':', &transport, &nexthop);
    for (size_t i = 0; i < delivery->recipient_count; i++) {
        struct delivery_recipient *recipient = &delivery->recipients[i];
        if (recipient->is_done)
            continue;
        recipient->is_done = true;
        const struct ipc_recipient_result result = {.index = recipient->index,
                                                    .outcome = failure->outcome,
                                                    .transport = transport,
                                                    .nexthop = nexthop};
        agent_report_add(delivery, &result);
    }
}

/* A next hop or a host as a whole has failed. One that does not exist, after another that could
 * not be reached, changes nothing: the first may come back. */
static void fail_attempt(struct attempt *attempt, const struct failure *failure, const char *relay,
                         struct span host)
{
    struct delivery *delivery = attempt->delivery;
    const bool is_final = failure->outcome.kind == OUTCOME_PERMANENT;
    note(delivery, failure);
    if (attempt->has_failure && is_final && !failure->is_connected)
        return;
    attempt->failure = *failure;
    attempt->has_failure = true;
    for (size_t i = 0; i < delivery->recipient_count; i++) {
        struct delivery_recipient *recipient = &delivery->recipients[i];
        if (recipient->is_done)
            continue;
        set_remote(delivery, recipient, NULL);
        set_failure(recipient, failure);
        if (failure->is_connected) {
            recipient->relay = arena_format(&delivery->arena, "%s", relay);
            recipient->remote = host;
            if (!recipient->relay.bytes)
                recipient->relay = span_empty();
        }
        if (is_final)
            conclude(delivery, recipient, failure->outcome, failure->diagnostic);
    }
}

/* The server took the connection and then answered no command: as dead as one that refuses it. */
static void note_silence(struct attempt *attempt)
{
    struct delivery *delivery = attempt->delivery;
    for (size_t i = 0; i < delivery->recipient_count && !delivery->was_reached; i++)
        if (!delivery->recipients[i].is_done) {
            attempt->failure = delivery->recipients[i].failure;
            attempt->has_failure = true;
            return;
        }
}

/* Where TLS would only have been nice to have, a host that cannot do it gets mail without: but not
 * at once, or who disturbs the handshake would have won (smtp(8), "TLS"). */
static bool may_go_plain(const struct delivery *delivery, const struct failure *failure)
{
    const struct conf_smtp *settings = delivery->agent->settings;
    const uint64_t patience_us = (uint64_t)settings->minimal_backoff_time_ms * 1000;
    /* Who has a password for the server is not to be talked out of TLS, by no message either. */
    if (!failure->may_go_plain || settings->smtp_sasl_auth_enable)
        return false;
    return (delivery->envelope.flags & QUEUE_FLAG_TLS_OPTIONAL) != 0 ||
           elapsed_us(delivery->envelope.arrival_us, delivery->active_us) >= patience_us;
}

/* A session for mail that asks for no policy says nothing about policies; that of a report least of
 * all (RFC 8460 section 3). */
static void report_session(const struct attempt *attempt, const struct plan_target *target,
                           const struct protection *protection, const struct connection *connection,
                           const struct failure *failure)
{
    const struct delivery *delivery = attempt->delivery;
    if (!(delivery->envelope.flags & QUEUE_FLAG_TLS_OPTIONAL))
        session_report_send(delivery->agent, attempt->nexthop, target, protection, connection,
                            failure);
}

static struct connection *open_plain(struct attempt *attempt, const struct plan_target *target,
                                     const struct protection *protection, struct failure *failure)
{
    struct delivery *delivery = attempt->delivery;
    struct protection plain = protection_none();
    plain.destination = protection->destination;
    plain.sender = protection->sender;
    authenticate_mark(delivery->agent->settings, plain.destination, plain.sender, plain.digest);
    attempt->session_count++;
    return connection_open(&delivery->agent->connections, target, &plain, &delivery->arena,
                           failure);
}

static struct connection *open_connection(struct attempt *attempt, const struct plan_target *target,
                                          const struct protection *protection,
                                          struct failure *failure)
{
    struct delivery *delivery = attempt->delivery;
    struct connection *connection = connection_open(&delivery->agent->connections, target,
                                                    protection, &delivery->arena, failure);
    report_session(attempt, target, protection, connection, failure);
    if (!connection && may_go_plain(delivery, failure)) {
        note(delivery, failure);
        connection = open_plain(attempt, target, protection, failure);
    }
    return connection;
}

/* The session was lost after the handshake. */
static bool has_lost_tls(const struct delivery *delivery)
{
    for (size_t i = 0; i < delivery->recipient_count; i++)
        if (!delivery->recipients[i].is_done &&
            may_go_plain(delivery, &delivery->recipients[i].failure))
            return true;
    return false;
}

/* No address of the host can be used. */
static void fail_protection(struct attempt *attempt, const struct plan_target *target,
                            struct failure *failure)
{
    struct delivery *delivery = attempt->delivery;
    maillog_text(delivery->agent->log, LOG_LEVEL_WARNING, span_empty(),
                 "TLS policy lookup for %.*s/%.*s: %.*s", SPAN_PRINTF(attempt->destination),
                 SPAN_PRINTF(target->host), SPAN_PRINTF(failure->outcome.reason));
    delivery->last_noted = failure->outcome.reason; /* that was it */
    fail_attempt(attempt, failure, "", span_empty());
}

/* True when the server took some recipients and wants the rest over another connection. */
static bool try_target_once(struct attempt *attempt, const struct plan_target *target)
{
    struct delivery *delivery = attempt->delivery;
    struct protection protection;
    struct failure failure;
    bool was_lost_unused, wants_another;
    if (!protection_for_target(delivery->agent, &attempt->rules, attempt->nexthop, target,
                               &delivery->arena, &protection, &failure)) {
        report_session(attempt, target, &protection, NULL, &failure);
        fail_protection(attempt, target, &failure);
        return false;
    }
    protection.destination = attempt->destination;
    protection.sender = delivery->envelope.reverse_path;
    authenticate_mark(delivery->agent->settings, protection.destination, protection.sender,
                      protection.digest);
    note_what_was_said(delivery);
    struct connection *connection =
        keep_take_target(&delivery->agent->keep, target, protection.digest);
    if (connection && use_kept_connection(attempt, connection, &wants_another) && !wants_another)
        return false;
    connection = open_connection(attempt, target, &protection, &failure);
    delivery->connected_us = clock_realtime_us();
    if (!connection) {
        char relay[CONNECTION_LABEL_MAX_BYTES];
        attempt->session_count += failure.is_connected;
        connection_format_relay(target, relay);
        fail_attempt(attempt, &failure, relay, target->host);
        return false;
    }
    attempt->session_count++;
    wants_another = transaction_run(delivery, connection, &was_lost_unused);
    if (connection->tls && has_lost_tls(delivery)) {
        note_what_was_said(delivery);
        connection_abort(&connection);
        connection = open_plain(attempt, target, &protection, &failure);
        if (!connection)
            return false; /* what was known before stands */
        wants_another = transaction_run(delivery, connection, &was_lost_unused);
    }
    note_silence(attempt);
    put_away(attempt, connection);
    return wants_another;
}

/* Each further session delivers to somebody, so there is an end to it. */
static void try_target(struct attempt *attempt, const struct plan_target *target)
{
    while (try_target_once(attempt, target) && delivery_open_count(attempt->delivery) > 0)
        attempt->session_count--; /* it went as well as it could */
}

static bool has_reached(uint32_t count, uint32_t limit)
{
    return limit > 0 && count >= limit;
}

static void try_nexthop(struct attempt *attempt, const struct nexthop *nexthop)
{
    struct delivery *delivery = attempt->delivery;
    struct agent *agent = delivery->agent;
    const struct conf_smtp *settings = agent->settings;
    const struct resolve_context context = {
        &agent->dns, settings, agent->own, agent->own_count, agent->hosts_file, agent->speaks_lmtp};
    struct failure failure;
    struct plan *plan = arena_alloc(&delivery->arena, sizeof(*plan));

    attempt->address_count = attempt->session_count = 0;
    attempt->has_tried_kept = false;
    attempt->nexthop = nexthop;
    const enum protection_request request = delivery_requires_tls(delivery) ? PROTECTION_REQUIRED
                                            : delivery->envelope.flags & QUEUE_FLAG_TLS_OPTIONAL
                                                ? PROTECTION_OPTIONAL
                                                : PROTECTION_AS_USUAL;
    if (!protection_find_rules(agent, nexthop, attempt->destination, request, &delivery->arena,
                               &attempt->rules, &failure)) {
        fail_attempt(attempt, &failure, "", span_empty());
        return;
    }
    authenticate_mark(agent->settings, span_empty(), delivery->envelope.reverse_path,
                      attempt->rules.digest);
    if (try_kept_connection(attempt) &&
        (delivery_open_count(delivery) == 0 || delivery->is_corrupt))
        return;
    if (!plan) {
        failure = (struct failure){.outcome = outcome_temporary(0, 3, 0, "out of memory"),
                                   .diagnostic = span_empty()};
        fail_attempt(attempt, &failure, "", span_empty());
        return;
    }
    const bool is_resolved = resolve_nexthop(&context, nexthop, plan, &delivery->arena, &failure);
    attempt->has_self |= plan->has_self;
    if (!is_resolved) {
        if (!span_is_empty(failure.next_transport)) {
            hand_over(delivery, &failure);
            return;
        }
        fail_attempt(attempt, &failure, "", span_empty());
        return;
    }
    prefer_kept_connection(attempt, plan);
    for (size_t i = 0; i < plan->count; i++) {
        if (delivery_open_count(delivery) == 0 || delivery->is_corrupt ||
            has_reached(attempt->address_count, settings->smtp_mx_address_limit) ||
            has_reached(attempt->session_count, settings->smtp_mx_session_limit))
            return;
        attempt->address_count++;
        if (attempt->has_tried_kept && plan_target_equals(&plan->targets[i], &attempt->kept_target))
            continue;
        try_target(attempt, &plan->targets[i]);
    }
}

static void try_destination(struct attempt *attempt, struct span destination)
{
    struct delivery *delivery = attempt->delivery;
    struct nexthop nexthop;
    struct span name;
    attempt->destination = destination;
    /* The name of a domain is looked up by its A-labels (RFC 6531 section 3.2). */
    if (!ascii_is_all_ascii(destination) &&
        nexthop_to_ascii(destination, &delivery->arena, &name) == PARSE_OK)
        destination = name;
    if (nexthop_parse(destination, delivery->agent->default_port, delivery->agent->speaks_lmtp,
                      &nexthop) == PARSE_OK) {
        try_nexthop(attempt, &nexthop);
        return;
    }
    /* A domain in an address that can be no domain, or a mistake in a table: the sender's or the
     * operator's business, for good (RFC 3463: X.1.2 bad destination system address). */
    const struct failure failure = {
        .outcome = outcome_permanent(0, 1, 2, "the next hop is not a host, domain or address"),
        .diagnostic = span_empty()};
    fail_attempt(attempt, &failure, "", span_empty());
}

/* Tables may yield anything; a line end in an address would be a command of its own. */
static void refuse_bad_addresses(struct delivery *delivery)
{
    const struct failure failure = {.outcome =
                                        outcome_permanent(0, 1, 3, "bad recipient address syntax"),
                                    .diagnostic = span_empty()};
    for (size_t i = 0; i < delivery->recipient_count; i++) {
        const struct span address = delivery->recipients[i].address;
        for (size_t j = 0; j < address.length; j++)
            if (address.bytes[j] < ' ' || address.bytes[j] == 0x7f)
                delivery_fail(delivery, &delivery->recipients[i], NULL, &failure);
    }
}

static void try_destinations(struct attempt *attempt)
{
    struct delivery *delivery = attempt->delivery;
    const struct agent *agent = delivery->agent;
    const struct span lists[] = {delivery->nexthop, agent->settings->smtp_fallback_relay};
    size_t destination_count = 0;

    task_note(delivery->queue_id);
    refuse_bad_addresses(delivery);
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        struct span rest = lists[i], destination;
        while (destination_count < NEXTHOP_LIST_MAX &&
               span_next_word(&rest, ", \t", &destination)) {
            if (delivery_open_count(delivery) == 0 || delivery->is_corrupt)
                break;
            /* A fallback relay may look up the same MX records, and come back to us. */
            if (lists[i].bytes != delivery->nexthop.bytes && attempt->has_self)
                break;
            try_destination(attempt, destination);
            destination_count++;
        }
    }
}

static void deliver_body(void *argument)
{
    struct delivery *delivery = argument;
    struct attempt attempt = {.delivery = delivery};
    struct failure failure;

    refuse_bad_addresses(delivery);
    if (span_is_empty(delivery->agent->settings->smtp_generic_maps) ||
        generic_apply(delivery, &failure))
        try_destinations(&attempt);
    else
        delivery_fail_all(delivery, NULL, &failure);
    conclude_open(delivery);
    agent_report_send(delivery, true,
                      attempt.has_failure && !delivery->was_reached ? &attempt.failure.outcome
                                                                    : NULL,
                      attempt.has_kept_connection);
    /* From here on the agent may destroy the delivery at any time. */
}

/* ---- the order ---- */

static bool read_recipients(struct delivery *delivery, struct span records)
{
    struct span rest = records;
    struct ipc_deliver_recipient message;
    size_t count = 0;
    while (!span_is_empty(rest)) {
        if (ipc_records_next(&rest, IPC_DELIVER_RECIPIENT, &message) != PARSE_OK)
            return false;
        count++;
    }
    delivery->recipients = arena_alloc(&delivery->arena, count * sizeof(delivery->recipients[0]));
    if (count == 0 || !delivery->recipients)
        return false;
    rest = records;
    while (delivery->recipient_count < count &&
           ipc_records_next(&rest, IPC_DELIVER_RECIPIENT, &message) == PARSE_OK)
        delivery->recipients[delivery->recipient_count++] =
            (struct delivery_recipient){.index = message.index,
                                        .address = message.recipient,
                                        .outward_address = message.recipient,
                                        .original = message.original,
                                        .orcpt = message.orcpt,
                                        .notify = message.notify,
                                        .failure.outcome.reason = span_empty()};
    return true;
}

static bool read_order(struct delivery *delivery, struct ipc_deliver *order)
{
    struct span envelope;
    if (!ipc_copy_spans(IPC_DELIVER, order, &delivery->arena))
        return false;
    delivery->queue_id = order->queue_id;
    delivery->number = order->delivery;
    delivery->nexthop = order->nexthop;
    delivery->active_us = order->active_us;
    delivery->started_us = clock_realtime_us();
    delivery->header = span_empty();
    envelope = order->envelope;
    return queue_extents_decode(order->extents, delivery->extents, &delivery->extent_count) ==
               PARSE_OK &&
           queue_envelope_next_header(&envelope, &delivery->envelope) == PARSE_OK &&
           read_recipients(delivery, order->recipients);
}

bool delivery_start(struct agent *agent, struct ipc_deliver *order)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    if (!delivery)
        return false;
    delivery->agent = agent;
    delivery->content = -1;
    arena_init(&delivery->arena, DELIVERY_ARENA_BYTES, 0);
    agent_reports_init(&delivery->reports);
    const bool is_read = read_order(delivery, order);
    delivery->reverse_path = delivery->envelope.reverse_path;
    if (!is_read || !task_start(agent->loop, "delivery", deliver_body, delivery)) {
        delivery_destroy(&delivery);
        return false;
    }
    delivery->content = order->content;
    order->content = -1;
    list_append(&agent->deliveries, &delivery->link);
    return true;
}

void delivery_destroy(struct delivery **delivery_pointer)
{
    struct delivery *delivery = *delivery_pointer;
    *delivery_pointer = NULL;
    if (list_is_linked(&delivery->link))
        list_remove(&delivery->agent->deliveries, &delivery->link);
    agent_reports_release(&delivery->reports);
    file_close(delivery->content);
    arena_destroy(&delivery->arena);
    free(delivery);
}
