/* stsd/server - see server.h. */
#include "server.h"

#include "dnswire/name.h"
#include "ipc/asker.h"
#include "look.h"
#include "maillog/event.h"
#include "system/clock.h"
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

static int64_t now_s(void)
{
    return (int64_t)(clock_realtime_us() / 1000000);
}

/* ---- answers ---- */

static void answer(const struct ipc_asker *asker, uint32_t request_id,
                   const struct cache_entry *entry)
{
    const struct span policy = entry ? cache_policy(entry, now_s()) : span_empty();
    const struct ipc_sts_reply message = {
        .policy = policy,
        .policy_id = span_is_empty(policy) ? span_empty() : span_from_string(entry->id),
        .failure = entry ? entry->failure : TLSRPT_SUCCESS,
        .reason = entry ? span_from_string(entry->reason) : span_empty(),
        .is_unknown = span_is_empty(policy) && (!entry || entry->is_unknown || entry->is_busy),
    };
    (void)ipc_channel_reply(asker->channel, request_id, IPC_STS_REPLY,
                            &message); /* or it is gone */
}

static void answer_none(const struct ipc_asker *asker, uint32_t request_id)
{
    const struct ipc_sts_reply message = {0};
    (void)ipc_channel_reply(asker->channel, request_id, IPC_STS_REPLY,
                            &message); /* or it is gone */
}

static void on_waited(struct ipc_waiter *waiter)
{
    answer(waiter->asker, waiter->request_id, waiter->subject);
}

static void on_look_ended(struct cache_entry *entry)
{
    struct ipc_waiter *waiter;
    while ((waiter = ipc_waiter_first(&entry->waiters)) != NULL) {
        on_waited(waiter);
        ipc_waiter_end(waiter);
    }
}

/* False when memory is out. */
static bool wait_for_look(struct ipc_asker *asker, struct cache_entry *entry, uint32_t request_id)
{
    const struct server *server = asker->server;
    const bool has_policy = !span_is_empty(cache_policy(entry, now_s()));
    const int64_t wait_ms =
        has_policy ? NEWS_WAIT_MS : server->conf->mta_sts_fetch_timeout_ms + DISCOVERY_WAIT_MS;
    return ipc_asker_wait(asker, request_id, &entry->waiters, entry, clock_deadline_after(wait_ms));
}

/* ---- questions ---- */

static void on_question(struct ipc_asker *asker, const struct ipc_delivery *delivery)
{
    const struct ipc_sts_query *query = delivery->message;
    struct server *server = asker->server;
    struct span domain = query->domain;
    if (span_ends_with(domain, SPAN(".")))
        domain = span_first(domain, domain.length - 1);
    if (!server->conf->smtp_tls_mta_sts || !dns_name_is_mail_host(domain)) {
        answer_none(asker, delivery->id);
        return;
    }
    struct cache_entry *entry = cache_get(&server->cache, domain);
    if (!entry) {
        answer(asker, delivery->id, NULL);
        return;
    }
    entry->asked_s = now_s();
    if (!entry->is_busy && cache_is_check_due(&server->cache, entry, entry->asked_s))
        look_start(server, entry, on_look_ended);
    if (!entry->is_busy || !wait_for_look(asker, entry, delivery->id))
        answer(asker, delivery->id, entry);
}

void server_add_client(struct server *server, enum ipc_role role, int descriptor)
{
    static const struct ipc_permission permissions[] = {
        {IPC_STS_QUERY, IPC_ROLE_BIT(IPC_ROLE_SMTP)},
        {0, 0},
    };
    static const struct ipc_asker_rules rules = {permissions, on_question, on_waited};
    ipc_asker_create(server->service->loop, descriptor, role, &rules, server);
}

/* ---- helpers ---- */

void server_set_dnsd(struct server *server, int descriptor)
{
    dns_client_attach(&server->dns, server->service->loop, descriptor);
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
