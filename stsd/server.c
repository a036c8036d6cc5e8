/* stsd/server - see server.h. */
#include "server.h"

#include <stdlib.h>

#include "dnswire/name.h"
#include "look.h"
#include "maillog/event.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/random.h"

enum {
    /* How long a question waits for news where there is a policy to go by. */
    NEWS_WAIT_MS = 10 * 1000,
    /* What a first look may take beside mta_sts_fetch_timeout. */
    DISCOVERY_WAIT_MS = 60 * 1000,
    REFRESH_TICK_MS = 60 * 1000,
    REFRESHES_PER_TICK = 20,
    EXPIRE_INTERVAL_MS = 3600 * 1000,
    FILE_MAX_BYTES = 4 * CACHE_BYTES_MAX
};

struct client {
    struct server *server;
    struct ipc_channel *channel;
    struct list waiters;
};

/* A question that waits for a look. */
struct waiter {
    struct list_link client_link;
    struct list_link entry_link;
    struct client *client;
    struct cache_entry *entry;
    uint32_t request_id;
    struct loop_timer timer;
};

static int64_t now_s(void)
{
    return (int64_t)(clock_realtime_us() / 1000000);
}

/* ---- answers ---- */

static void answer(struct client *client, uint32_t request_id, const struct cache_entry *entry)
{
    const struct span policy = entry ? cache_policy(entry, now_s()) : span_empty();
    const struct ipc_sts_reply message = {
        .policy = policy,
        .policy_id = span_is_empty(policy) ? span_empty() : span_from_string(entry->id),
        .failure = entry ? entry->failure : TLSRPT_SUCCESS,
        .reason = entry ? span_from_string(entry->reason) : span_empty(),
        .is_unknown = span_is_empty(policy) && (!entry || entry->is_unknown || entry->is_busy),
    };
    (void)ipc_channel_reply(client->channel, request_id, IPC_STS_REPLY,
                            &message); /* or it is gone */
}

static void answer_none(struct client *client, uint32_t request_id)
{
    const struct ipc_sts_reply message = {0};
    (void)ipc_channel_reply(client->channel, request_id, IPC_STS_REPLY,
                            &message); /* or it is gone */
}

static void forget_waiter(struct waiter *waiter)
{
    list_remove(&waiter->client->waiters, &waiter->client_link);
    list_remove(&waiter->entry->waiters, &waiter->entry_link);
    loop_timer_release(&waiter->timer);
    free(waiter);
}

static void on_waited(void *context)
{
    struct waiter *waiter = context;
    answer(waiter->client, waiter->request_id, waiter->entry);
    forget_waiter(waiter);
}

static void on_look_ended(struct cache_entry *entry)
{
    struct list_link *link;
    while ((link = list_first(&entry->waiters)) != NULL)
        on_waited(LIST_ITEM(link, struct waiter, entry_link));
}

/* False when memory is out. */
static bool wait_for_look(struct client *client, struct cache_entry *entry, uint32_t request_id)
{
    const struct server *server = client->server;
    const bool has_policy = !span_is_empty(cache_policy(entry, now_s()));
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        return false;
    *waiter = (struct waiter){.client = client, .entry = entry, .request_id = request_id};
    loop_timer_init(&waiter->timer, server->service->loop, on_waited, waiter);
    loop_timer_set(&waiter->timer,
                   clock_deadline_after(has_policy ? NEWS_WAIT_MS
                                                   : server->conf->mta_sts_fetch_timeout_ms +
                                                         DISCOVERY_WAIT_MS));
    list_append(&client->waiters, &waiter->client_link);
    list_append(&entry->waiters, &waiter->entry_link);
    return true;
}

/* ---- questions ---- */

static void on_question(struct client *client, uint32_t request_id, struct span domain)
{
    struct server *server = client->server;
    if (span_ends_with(domain, SPAN(".")))
        domain = span_first(domain, domain.length - 1);
    if (!server->conf->smtp_tls_mta_sts || !dns_name_is_mail_host(domain)) {
        answer_none(client, request_id);
        return;
    }
    struct cache_entry *entry = cache_get(&server->cache, domain);
    if (!entry) {
        answer(client, request_id, NULL);
        return;
    }
    entry->asked_s = now_s();
    if (!entry->is_busy && cache_is_check_due(&server->cache, entry, entry->asked_s))
        look_start(server, entry, on_look_ended);
    if (!entry->is_busy || !wait_for_look(client, entry, request_id))
        answer(client, request_id, entry);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    const struct ipc_sts_query *query = delivery->message;
    (void)channel;
    if (delivery->type == IPC_STS_QUERY && delivery->id != 0)
        on_question(context, delivery->id, query->domain);
}

static void on_client_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct client *client = context;
    struct list_link *link;
    (void)channel;
    (void)reason;
    while ((link = list_first(&client->waiters)) != NULL)
        forget_waiter(LIST_ITEM(link, struct waiter, client_link));
    ipc_channel_destroy(&client->channel);
    free(client);
}

static const struct ipc_permission client_permissions[] = {
    {IPC_STS_QUERY, IPC_ROLE_BIT(IPC_ROLE_SMTP)},
    {0, 0},
};
static const struct ipc_channel_handlers client_handlers = {on_message, on_client_closed,
                                                            client_permissions};

void server_add_client(struct server *server, enum ipc_role role, int descriptor)
{
    struct client *client = calloc(1, sizeof(*client));
    if (!client) {
        file_close(descriptor);
        return;
    }
    client->server = server;
    list_init(&client->waiters);
    client->channel =
        ipc_channel_create(server->service->loop, descriptor, role, &client_handlers, client);
    if (!client->channel)
        free(client);
}

/* ---- helpers ---- */

static void on_dnsd_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct server *server = context;
    (void)channel;
    (void)reason; /* master brings another */
    dns_client_set_channel(&server->dns, NULL);
    ipc_channel_destroy(&server->dnsd);
}

void server_set_dnsd(struct server *server, int descriptor)
{
    static const struct ipc_permission permissions[] = {{0, 0}};
    static const struct ipc_channel_handlers handlers = {NULL, on_dnsd_closed, permissions};
    dns_client_set_channel(&server->dns, NULL);
    ipc_channel_destroy(&server->dnsd);
    server->dnsd =
        ipc_channel_create(server->service->loop, descriptor, IPC_ROLE_DNSD, &handlers, server);
    dns_client_set_channel(&server->dns, server->dnsd);
}

void server_set_fetchd(struct server *server, int descriptor)
{
    fetch_client_attach(&server->fetch, descriptor);
}

/* ---- life ---- */

/* RFC 8461 section 3.3: policies are renewed before they end, so that whoever is in the way at
 * their end is in the way of nothing. */
static void refresh(struct server *server)
{
    size_t count = 0;
    LIST_FOR_EACH (&server->cache.with_policy, link) {
        struct cache_entry *entry = LIST_ITEM(link, struct cache_entry, recent);
        if (count >= REFRESHES_PER_TICK)
            break;
        if (cache_is_refresh_due(&server->cache, entry, now_s())) {
            look_start(server, entry, on_look_ended);
            count++;
        }
    }
}

static void on_tick(void *context)
{
    struct server *server = context;
    const int64_t refresh_ms = server->conf->mta_sts_refresh_time_ms;
    if (server->conf->smtp_tls_mta_sts)
        refresh(server);
    if (clock_monotonic_ms() >= server->expire_ms) {
        cache_expire(&server->cache, now_s());
        server->expire_ms = clock_deadline_after(EXPIRE_INTERVAL_MS);
    }
    loop_timer_set(
        &server->refresh_timer,
        clock_deadline_after(refresh_ms < REFRESH_TICK_MS ? refresh_ms : REFRESH_TICK_MS));
}

struct loading {
    struct cache *cache;
    struct buffer text;
};

static void take_line(void *context, struct span line)
{
    struct loading *loading = context;
    struct sts_record record;
    if (sts_record_parse(line, &loading->text, &record) == PARSE_OK)
        cache_restore(loading->cache, &record, now_s());
}

static void load(struct server *server)
{
    struct loading loading = {.cache = &server->cache};
    buffer_init(&loading.text, NULL, MTASTS_POLICY_MAX_BYTES);
    journal_load(&server->journal, FILE_MAX_BYTES, take_line, &loading);
    buffer_release(&loading.text);
}

void server_init(struct server *server, struct service *service)
{
    const struct conf_stsd *conf = service->settings;
    const struct cache_times times = {
        .check_s = conf->mta_sts_check_time_ms / 1000,
        .refresh_s = conf->mta_sts_refresh_time_ms / 1000,
        .negative_s = conf->mta_sts_negative_time_ms / 1000,
    };
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    server->service = service;
    server->conf = conf;
    cache_init(&server->cache, &times, seed);
    fetch_client_init(&server->fetch, service->loop);
    load(server);
    loop_timer_init(&server->refresh_timer, service->loop, on_tick, server);
    on_tick(server);
}
