/* limitd/serve - see serve.h. */
#include "serve.h"

#include <stdlib.h>

#include "ipc/channel.h"
#include "system/clock.h"
#include "system/random.h"

/* A process of a client. */
struct limit_peer {
    struct limit_server *server;
    struct ipc_channel *channel;
    struct map holds; /* struct hold */
    struct service_member member;
};

/* What a process holds of one counter. */
struct hold {
    struct map_node node; /* its key is the counter's */
    struct counter *counter;
    uint32_t count;
};

/* "SERVICE:KEY" where each service counts for itself. */
static struct span name_counter(const struct limit_peer *peer, const struct limit_kind_facts *facts,
                                struct span key, uint8_t name[COUNTER_KEY_MAX_BYTES])
{
    if (!facts->is_per_service)
        return key;
    const struct span service = peer->member.service->name;
    ASSERT(service.length + 1 + key.length <= COUNTER_KEY_MAX_BYTES); /* ipc/schema.def's maxima */
    memcpy(name, service.bytes, service.length);
    name[service.length] = ':';
    memcpy(name + service.length + 1, key.bytes, key.length);
    return span_of(name, service.length + 1 + key.length);
}

/* NULL where this peer may not count that. */
static const struct limit_kind_facts *permitted_kind(const struct limit_peer *peer, uint32_t kind)
{
    const struct limit_kind_facts *facts = limit_kind_facts(kind);
    return facts && (facts->roles & IPC_ROLE_BIT(ipc_channel_peer(peer->channel))) != 0 ? facts
                                                                                        : NULL;
}

static time_t now_s(void)
{
    return (time_t)(clock_realtime_us() / 1000000);
}

static void reply(struct limit_peer *peer, uint32_t id, uint32_t count, uint32_t held_count)
{
    const struct ipc_limit_count_reply message = {count, held_count};
    if (id != 0)
        (void)ipc_channel_reply(peer->channel, id, IPC_LIMIT_COUNT_REPLY, &message);
}

static void count_event(struct limit_server *server, struct counter *counter, uint32_t amount,
                        int64_t window_ms, int64_t now_ms)
{
    counter_add(counter, amount, window_ms, now_ms);
    peaks_note_rate(&server->peaks, counter->kind, counter->name, counter->count, now_s());
}

static void on_count(struct limit_peer *peer, uint32_t id, const struct ipc_limit_count *message)
{
    struct limit_server *server = peer->server;
    const struct limit_kind_facts *facts = permitted_kind(peer, message->kind);
    uint8_t text[COUNTER_KEY_MAX_BYTES];
    if (!facts) {
        reply(peer, id, 0, 0);
        return;
    }
    const enum limit_kind kind = (enum limit_kind)message->kind;
    const struct span name = name_counter(peer, facts, message->key, text);
    const int64_t now_ms = clock_monotonic_ms();
    const int64_t window_ms =
        message->window_s ? (int64_t)message->window_s * 1000 : server->time_unit_ms;
    const bool is_question = message->amount == 0 && !message->sets;
    struct counter *counter = is_question ? counters_find(&server->counters, kind, name)
                                          : counters_get(&server->counters, kind, name, now_ms);
    if (!counter) {
        reply(peer, id, 0, 0);
        return;
    }
    if (message->sets)
        counter_set(counter, message->amount, window_ms, now_ms);
    else if (!is_question)
        count_event(server, counter, message->amount, window_ms, now_ms);
    server->has_news = server->has_news || (facts->is_persistent && !is_question);
    peaks_note_cache(&server->peaks, server->counters.map.count, now_s());
    reply(peer, id, counter_count(counter, now_ms), counter->held_count);
}

static struct hold *find_hold(struct limit_peer *peer, const struct counter *counter)
{
    struct map_node *node = map_find(&peer->holds, counter->node.key);
    return node ? CONTAINER_OF(node, struct hold, node) : NULL;
}

static bool add_hold(struct limit_peer *peer, struct counter *counter)
{
    struct hold *hold = find_hold(peer, counter);
    if (!counters_hold(&peer->server->counters, counter))
        return false;
    if (!hold) {
        hold = calloc(1, sizeof(*hold));
        if (!hold) {
            counters_release(&peer->server->counters, counter);
            return false;
        }
        hold->counter = counter;
        hold->node.key = counter->node.key; /* it stays while it is held */
        if (!map_insert(&peer->holds, &hold->node)) {
            free(hold);
            counters_release(&peer->server->counters, counter);
            return false;
        }
    }
    hold->count++;
    return true;
}

static void on_hold(struct limit_peer *peer, uint32_t id, const struct ipc_limit_hold *message)
{
    struct limit_server *server = peer->server;
    const struct limit_kind_facts *facts = permitted_kind(peer, message->kind);
    uint8_t text[COUNTER_KEY_MAX_BYTES];
    const int64_t now_ms = clock_monotonic_ms();
    struct counter *counter =
        facts ? counters_get(&server->counters, (enum limit_kind)message->kind,
                             name_counter(peer, facts, message->key, text), now_ms)
              : NULL;
    if (!counter || !add_hold(peer, counter)) {
        reply(peer, id, 0, 0);
        return;
    }
    if (message->is_event)
        count_event(server, counter, 1, server->time_unit_ms, now_ms);
    if (counter->kind == LIMIT_KIND_CONNECTION)
        peaks_note_connections(&server->peaks, counter->name, counter->held_count, now_s());
    peaks_note_cache(&server->peaks, server->counters.map.count, now_s());
    reply(peer, id, counter_count(counter, now_ms), counter->held_count);
}

static void on_release(struct limit_peer *peer, const struct ipc_limit_release *message)
{
    struct limit_server *server = peer->server;
    const struct limit_kind_facts *facts = permitted_kind(peer, message->kind);
    uint8_t text[COUNTER_KEY_MAX_BYTES];
    struct counter *counter = facts
                                  ? counters_find(&server->counters, (enum limit_kind)message->kind,
                                                  name_counter(peer, facts, message->key, text))
                                  : NULL;
    struct hold *hold = counter ? find_hold(peer, counter) : NULL;
    if (!hold)
        return; /* there was no room for it */
    counters_release(&server->counters, counter);
    if (--hold->count > 0)
        return;
    map_remove(&peer->holds, &hold->node);
    free(hold);
}

/* ---- load ---- */

static void log_stress(const struct limit_server *server, const struct service_load *service)
{
    maillog_text(server->log, LOG_LEVEL_INFO, span_empty(), "%s STRESS mode with %llu connections",
                 service->is_stressed ? "entering" : "leaving",
                 (unsigned long long)service->session_count);
    if (service->is_stressed)
        maillog_text(server->log, LOG_LEVEL_WARNING, span_empty(),
                     "service \"%.*s\" is close to its limit of %llu sessions: clients get less "
                     "time; to avoid this, raise smtpd_client_limit or the number of processes",
                     SPAN_PRINTF(service->name), (unsigned long long)service->capacity);
}

static void tell_member(const struct limit_peer *peer)
{
    const struct service_load *service = peer->member.service;
    const struct ipc_limit_stress message = {.is_stressed = service->is_stressed,
                                             .is_full = service->is_full};
    (void)ipc_channel_send(peer->channel, IPC_LIMIT_STRESS, &message); /* or it has closed */
}

/* After a change: was_stressed is what they knew. */
static void tell_members(const struct limit_server *server, const struct service_load *service,
                         bool was_stressed)
{
    if (service->is_stressed != was_stressed)
        log_stress(server, service);
    LIST_FOR_EACH (&service->members, link)
        tell_member(
            CONTAINER_OF(LIST_ITEM(link, struct service_member, link), struct limit_peer, member));
}

static void on_load(struct limit_peer *peer, const struct ipc_limit_load *message)
{
    const bool was_told = peer->member.capacity > 0;
    const bool was_stressed = peer->member.service->is_stressed;
    if (services_report(&peer->member, message->session_count, message->capacity))
        tell_members(peer->server, peer->member.service, was_stressed);
    else if (!was_told) /* it joins a service that is under stress, or has been */
        tell_member(peer);
}

/* ---- peers ---- */

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct limit_peer *peer = context;
    (void)channel;
    switch ((int)delivery->type) {
    case IPC_LIMIT_COUNT:
        on_count(peer, delivery->id, delivery->message);
        break;
    case IPC_LIMIT_HOLD:
        on_hold(peer, delivery->id, delivery->message);
        break;
    case IPC_LIMIT_RELEASE:
        on_release(peer, delivery->message);
        break;
    case IPC_LIMIT_LOAD:
        on_load(peer, delivery->message);
        break;
    default:
        break;
    }
}

static bool drop_hold(struct map_node *node, void *context)
{
    struct limit_peer *peer = context;
    struct hold *hold = CONTAINER_OF(node, struct hold, node);
    while (hold->count-- > 0)
        counters_release(&peer->server->counters, hold->counter);
    map_remove(&peer->holds, node);
    free(hold);
    return true;
}

/* What a process held ends with it. */
static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct limit_peer *peer = context;
    struct service_load *changed;
    const bool was_stressed = peer->member.service->is_stressed;
    (void)channel;
    (void)reason;
    map_for_each(&peer->holds, drop_hold, peer);
    map_destroy(&peer->holds);
    services_part(&peer->server->services, &peer->member, &changed);
    if (changed)
        tell_members(peer->server, changed, was_stressed);
    ipc_channel_destroy(&peer->channel);
    free(peer);
}

#define SERVERS (IPC_ROLE_BIT(IPC_ROLE_SMTPD) | IPC_ROLE_BIT(IPC_ROLE_SUBMITD))
static const struct ipc_permission permissions[] = {
    {IPC_LIMIT_COUNT, SERVERS | IPC_ROLE_BIT(IPC_ROLE_AUTHD)},
    {IPC_LIMIT_HOLD, SERVERS},
    {IPC_LIMIT_RELEASE, SERVERS},
    {IPC_LIMIT_LOAD, SERVERS},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void limit_server_add_peer(struct limit_server *server, const struct service_peer *who,
                           int descriptor)
{
    uint8_t seed[16];
    struct service_load *changed;
    struct limit_peer *peer = calloc(1, sizeof(*peer));
    ASSERT(peer);
    random_bytes(seed, sizeof(seed));
    peer->server = server;
    map_init(&peer->holds, seed);
    ASSERT(services_join(&server->services, who->service, &peer->member));
    peer->channel = ipc_channel_create(server->loop, descriptor, who->role, &handlers, peer);
    if (peer->channel)
        return;
    services_part(&server->services, &peer->member, &changed);
    free(peer); /* the peer sees its end closed */
}

void limit_server_init(struct limit_server *server, struct loop *loop, struct maillog *log,
                       int64_t time_unit_ms, size_t capacity_bytes)
{
    uint8_t seed[16];
    *server = (struct limit_server){.loop = loop, .log = log, .time_unit_ms = time_unit_ms};
    random_bytes(seed, sizeof(seed));
    counters_init(&server->counters, seed, capacity_bytes);
    services_init(&server->services);
}

static void say(void *context, struct span line)
{
    const struct limit_server *server = context;
    maillog_text(server->log, LOG_LEVEL_INFO, span_empty(), "%.*s", SPAN_PRINTF(line));
}

void limit_server_report(struct limit_server *server)
{
    peaks_report(&server->peaks, server->time_unit_ms / 1000, say, server);
}
