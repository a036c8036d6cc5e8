/* reportd/server - see server.h. */
#include "server.h"

#include <stdlib.h>

#include "dnswire/name.h"
#include "maillog/event.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/random.h"
#include "system/task.h"

enum {
    TICK_MS = 1000, /* what a kill takes */
    DAY_S = 86400,
    DELIVERIES_MAX = 10,
    SPARE_IDS = 1,
    KEPT_DAYS = 4, /* older ones are of no use to anybody */
    BACKOFF_STEPS_MAX = 6,
    FILE_MAX_BYTES = 4 * COUNTERS_BYTES_MAX,
    LINES_MAX_BYTES = 2 * COUNTERS_BYTES_MAX
};

struct client {
    struct server *server;
    struct ipc_channel *channel;
};

struct delivery {
    struct server *server;
    struct counted_day *day;
};

static int64_t now_s(void)
{
    return (int64_t)(clock_realtime_us() / 1000000);
}

static struct log_context log_of(const struct server *server)
{
    return (struct log_context){.log = &server->service->log, .queue_id = span_empty()};
}

/* ---- the journal ---- */

struct walk {
    const struct counters *counters;
    const struct counted_kind *kind;
};

static void append_places(const struct counted_day *day, struct buffer *lines)
{
    LIST_FOR_EACH (&day->places, link) {
        const struct session_line line = {.kind = LINE_PLACE,
                                          .day = day->day,
                                          .domain = day->domain,
                                          .uri = LIST_ITEM(link, struct counted_place, link)->uri};
        session_line_append(&line, lines);
    }
}

/* Places stand behind the first sessions of their day: what comes before those finds no day. */
static bool next_line(void *context, struct buffer *lines)
{
    struct walk *walk = context;
    const struct counted_kind *kind = counters_next(walk->counters, walk->kind);
    if (!kind)
        return false;
    const struct counted_day *day = kind->policy->day;
    const struct session_line line = counters_line(kind, false);
    session_line_append(&line, lines);
    if (!walk->kind || walk->kind->policy->day != day)
        append_places(day, lines);
    walk->kind = kind;
    return true;
}

static int append_lines(struct server *server, const struct session_line *event)
{
    struct buffer lines;
    buffer_init(&lines, NULL, LINES_MAX_BYTES);
    LIST_FOR_EACH (&server->counters.unsaved, link) {
        const struct session_line line =
            counters_line(LIST_ITEM(link, struct counted_kind, unsaved_link), true);
        session_line_append(&line, &lines);
    }
    if (event)
        session_line_append(event, &lines);
    const int error =
        buffer_ok(&lines) ? journal_append(&server->journal, buffer_span(&lines)) : ENOMEM;
    buffer_release(&lines);
    return error;
}

/* With an event, which the counters show already, so that a rewriting need not say it: a day that
 * needs no more work, or a place that has its report. */
static void save(struct server *server, const struct session_line *event)
{
    struct log_context log = log_of(server);
    struct walk walk = {.counters = &server->counters};
    if (!event && list_is_empty(&server->counters.unsaved))
        return;
    const int error = journal_is_due(&server->journal, server->counters.size_bytes)
                          ? journal_rewrite(&server->journal, next_line, &walk)
                          : append_lines(server, event);
    if (error == 0)
        counters_set_saved(&server->counters);
    else if (!server->has_complained)
        log_event(&log, LOG_LEVEL_WARNING, "tlsrpt.not_saved",
                  log_string("reason", strerrordesc_np(error)),
                  log_string("effect", "a restart would forget sessions"));
    server->has_complained = error != 0;
}

void server_save(struct server *server)
{
    save(server, NULL);
}

/* Reports of all domains shall not leave at midnight (RFC 8460 section 4.1). */
static void set_due(const struct server *server, struct counted_day *day)
{
    const int64_t delay_s = server->conf->tlsrpt_report_delay_ms / 1000;
    day->due_s = ((int64_t)day->day + 1) * DAY_S +
                 (delay_s > 0 ? (int64_t)random_below((uint32_t)delay_s) : 0);
}

static void drop(struct server *server, struct counted_day *day)
{
    struct span domain = day->domain;
    char name[LINE_NAME_MAX_BYTES];
    memcpy(name, domain.bytes, domain.length);
    domain.bytes = (const uint8_t *)name;
    const struct session_line done = {.kind = LINE_DONE, .day = day->day, .domain = domain};
    counters_drop(&server->counters, day);
    save(server, &done);
}

/* At once: a successor must not send the report there again. */
static void on_place(void *context, struct counted_day *day, struct span uri)
{
    struct server *server = context;
    const struct session_line place = {
        .kind = LINE_PLACE, .day = day->day, .domain = day->domain, .uri = uri};
    if (!counters_add_place(&server->counters, day, uri)) {
        struct log_context log = log_of(server);
        log_event(&log, LOG_LEVEL_WARNING, "tlsrpt.not_saved",
                  log_string("reason", "out of memory"),
                  log_string("effect", "a report may be sent twice"));
    }
    save(server, &place);
}

struct loading {
    struct server *server;
    struct buffer policy;
};

static void take_line(void *context, struct span text)
{
    struct loading *loading = context;
    struct server *server = loading->server;
    struct session_line line;
    bool is_new = false;
    if (session_line_parse(text, &loading->policy, &line) != PARSE_OK)
        return;
    struct counted_day *day = line.kind == LINE_SESSIONS
                                  ? counters_add(&server->counters, &line, true, &is_new)
                                  : counters_find(&server->counters, line.day, line.domain);
    if (!day)
        return;
    if (line.kind == LINE_DONE)
        counters_drop(&server->counters, day);
    else if (line.kind == LINE_PLACE)
        (void)!counters_add_place(&server->counters, day, line.uri); /* or it gets one twice */
    else if (is_new)
        set_due(server, day);
}

static void load(struct server *server)
{
    struct loading loading = {.server = server};
    buffer_init(&loading.policy, NULL, LINE_POLICY_MAX_BYTES);
    journal_load(&server->journal, FILE_MAX_BYTES, take_line, &loading);
    buffer_release(&loading.policy);
}

/* ---- reporting ---- */

static void put_off(struct server *server, struct counted_day *day)
{
    const struct conf_reportd *conf = server->conf;
    struct log_context log = log_of(server);
    const uint32_t step =
        day->attempt_count < BACKOFF_STEPS_MAX ? day->attempt_count : BACKOFF_STEPS_MAX;
    if (now_s() - day->first_attempt_s >= conf->tlsrpt_retry_lifetime_ms / 1000) {
        log_event(&log, LOG_LEVEL_WARNING, "tlsrpt.given_up", log_text("domain", day->domain),
                  log_number("attempts", day->attempt_count));
        drop(server, day);
        return;
    }
    /* RFC 8460 section 5.5: exponential. */
    day->due_s = now_s() + (conf->tlsrpt_retry_time_ms / 1000 << (step - 1));
}

static void run_delivery(void *argument)
{
    struct delivery *delivery = argument;
    struct server *server = delivery->server;
    struct counted_day *day = delivery->day;
    free(delivery);
    const enum deliver_result result = deliver_report(&server->deliverer, day);
    server->delivery_count--;
    day->is_busy = false;
    day->attempt_count++;
    if (result == DELIVER_LATER)
        put_off(server, day);
    else
        drop(server, day);
}

static void start_delivery(struct server *server, struct counted_day *day, int64_t time_s)
{
    struct delivery *delivery = malloc(sizeof(*delivery));
    if (!delivery)
        return;
    *delivery = (struct delivery){server, day};
    if (!task_start(server->service->loop, "report", run_delivery, delivery)) {
        free(delivery);
        return;
    }
    if (day->first_attempt_s == 0)
        day->first_attempt_s = time_s;
    day->is_busy = true;
    server->delivery_count++;
}

static void report(struct server *server)
{
    const int64_t time_s = now_s();
    LIST_FOR_EACH (&server->counters.days, link) {
        struct counted_day *day = LIST_ITEM(link, struct counted_day, link);
        if (day->is_busy || day->due_s > time_s)
            continue;
        if (((int64_t)day->day + KEPT_DAYS) * DAY_S < time_s)
            drop(server, day);
        else if (server->delivery_count < DELIVERIES_MAX)
            start_delivery(server, day, time_s);
    }
}

static void log_dropped(struct server *server)
{
    struct log_context log = log_of(server);
    const uint64_t count = server->counters.dropped_count - server->dropped_logged_count;
    if (count == 0)
        return;
    log_event(&log, LOG_LEVEL_WARNING, "tlsrpt.not_counted", log_number("sessions", (int64_t)count),
              log_string("reason", "too many domains or policies"));
    server->dropped_logged_count = server->counters.dropped_count;
}

static void on_tick(void *context)
{
    struct server *server = context;
    server_save(server);
    if (server->conf->smtp_tlsrpt_enable)
        report(server);
    log_dropped(server);
    loop_timer_set(&server->tick, clock_deadline_after(TICK_MS));
}

/* ---- counting ---- */

static void on_session(struct server *server, const struct ipc_tls_session *session)
{
    const bool has_policy = session->policy_type != TLSRPT_NO_POLICY_FOUND;
    bool is_new;
    if (!server->conf->smtp_tlsrpt_enable || !dns_name_is_mail_host(session->domain) ||
        session->policy_type >= TLSRPT_POLICY_TYPE_COUNT || session->result >= TLSRPT_RESULT_COUNT)
        return;
    const struct session_line line = {
        .day = (uint32_t)(now_s() / DAY_S),
        .domain = session->domain,
        .count = 1,
        .policy_type = (enum tlsrpt_policy_type)session->policy_type,
        .policy_domain = has_policy && !span_is_empty(session->policy_domain)
                             ? session->policy_domain
                             : session->domain,
        .policy = has_policy ? session->policy : span_empty(),
        .result = (enum tlsrpt_result)session->result,
        .sending_ip = session->sending_ip,
        .receiving_host = session->receiving_host,
        .receiving_helo = session->receiving_helo,
        .receiving_ip = session->receiving_ip,
        .reason = session->reason,
    };
    struct counted_day *day = counters_add(&server->counters, &line, false, &is_new);
    if (day && is_new)
        set_due(server, day);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    const struct client *client = context;
    (void)channel;
    if (delivery->type == IPC_TLS_SESSION)
        on_session(client->server, delivery->message);
}

static void on_client_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct client *client = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&client->channel);
    free(client);
}

static void add_client(struct server *server, enum ipc_role role, int descriptor)
{
    static const struct ipc_permission permissions[] = {
        {IPC_TLS_SESSION, IPC_ROLE_BIT(IPC_ROLE_SMTP)},
        {0, 0},
    };
    static const struct ipc_channel_handlers handlers = {on_message, on_client_closed, permissions};
    struct client *client = calloc(1, sizeof(*client));
    if (!client) {
        file_close(descriptor);
        return;
    }
    client->server = server;
    client->channel =
        ipc_channel_create(server->service->loop, descriptor, role, &handlers, client);
    if (!client->channel)
        free(client);
}

/* ---- helpers ---- */

void server_add_peer(struct server *server, const struct service_peer *peer, int descriptor)
{
    switch ((int)peer->role) {
    case IPC_ROLE_DNSD:
        dns_client_attach(&server->deliverer.dns, server->service->loop, descriptor);
        break;
    case IPC_ROLE_ADDRD:
        addr_client_attach(&server->deliverer.addr, server->service->loop, descriptor);
        break;
    case IPC_ROLE_FETCHD:
        fetch_client_attach(&server->deliverer.fetch, descriptor);
        break;
    case IPC_ROLE_QMGR:
        intake_attach(&server->deliverer.intake, descriptor);
        break;
    default:
        add_client(server, peer->role, descriptor);
        break;
    }
}

void server_init(struct server *server, struct service *service)
{
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    server->service = service;
    server->conf = service->settings;
    counters_init(&server->counters, seed);
    server->deliverer.log = &service->log;
    server->deliverer.settings = server->conf;
    server->deliverer.on_place = on_place;
    server->deliverer.context = server;
    fetch_client_init(&server->deliverer.fetch, service->loop);
    intake_init(&server->deliverer.intake, service->loop, SPARE_IDS);
    load(server);
    loop_timer_init(&server->tick, service->loop, on_tick, server);
    on_tick(server);
}
