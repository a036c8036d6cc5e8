/* dnsd/serve - see serve.h. */
#include "serve.h"

#include <stdlib.h>

#include "ipc/channel.h"
#include "system/clock.h"
#include "system/random.h"

struct dns_peer {
    struct dns_server_state *server;
    struct ipc_channel *channel;
    struct list questions;
};

/* One that waits for its answer. */
struct dns_peer_question {
    struct list_link link;
    struct lookup_waiter waiter;
    struct dns_peer *peer;
    uint32_t id;
};

/* What each role has reason to ask. */
#define TYPE_BIT(type) (UINT64_C(1) << (type))
#define ADDRESS_TYPES (TYPE_BIT(DNS_TYPE_A) | TYPE_BIT(DNS_TYPE_AAAA))
static const struct {
    enum ipc_role role;
    uint64_t types;
} permitted_types[] = {
    /* names of clients, domains of senders, block lists, sender policy */
    {IPC_ROLE_SMTPD, ADDRESS_TYPES | TYPE_BIT(DNS_TYPE_PTR) | TYPE_BIT(DNS_TYPE_MX) |
                         TYPE_BIT(DNS_TYPE_TXT) | TYPE_BIT(DNS_TYPE_CNAME)},
    {IPC_ROLE_SUBMITD, ADDRESS_TYPES | TYPE_BIT(DNS_TYPE_PTR) | TYPE_BIT(DNS_TYPE_CNAME)},
    /* the way to a next hop */
    {IPC_ROLE_SMTP, ADDRESS_TYPES | TYPE_BIT(DNS_TYPE_MX) | TYPE_BIT(DNS_TYPE_CNAME) |
                        TYPE_BIT(DNS_TYPE_SRV) | TYPE_BIT(DNS_TYPE_TLSA)},
    /* whether a domain has an MTA-STS policy */
    {IPC_ROLE_STSD, TYPE_BIT(DNS_TYPE_TXT)},
    /* whether a domain wants TLS reports */
    {IPC_ROLE_REPORTD, TYPE_BIT(DNS_TYPE_TXT)},
    /* the way to an HTTPS server */
    {IPC_ROLE_FETCHD, ADDRESS_TYPES},
    {IPC_ROLE_LMTP, ADDRESS_TYPES | TYPE_BIT(DNS_TYPE_CNAME) | TYPE_BIT(DNS_TYPE_TLSA)},
};

static bool may_ask(enum ipc_role role, uint32_t type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(permitted_types); i++)
        if (permitted_types[i].role == role)
            return type < 64 && (permitted_types[i].types & TYPE_BIT(type)) != 0;
    return false;
}

static void reply_failed(struct dns_peer *peer, uint32_t id, enum dns_failure failure)
{
    const struct ipc_dns_reply reply = {.status = DNS_TEMPORARY,
                                        .reason = span_from_string(dns_failure_name(failure))};
    (void)ipc_channel_reply(peer->channel, id, IPC_DNS_REPLY, &reply); /* or the channel is gone */
}

static void reply_result(struct dns_peer *peer, uint32_t id, const struct lookup_result *result)
{
    const struct ipc_dns_reply reply = {
        .status = result->status,
        .is_authentic = result->is_authenticated,
        .ttl_s = result->ttl_s,
        .canonical_name = result->canonical_name,
        .records = result->records,
        .reason = result->status == DNS_TEMPORARY
                      ? span_from_string(dns_failure_name(result->failure))
                      : span_empty(),
    };
    if (!ipc_channel_try_reply(peer->channel, id, IPC_DNS_REPLY, &reply))
        reply_failed(peer, id, DNS_FAILURE_TOO_MUCH); /* a name longer than the schema allows */
}

static void on_result(struct lookup_waiter *waiter, const struct lookup_result *result)
{
    struct dns_peer_question *question = CONTAINER_OF(waiter, struct dns_peer_question, waiter);
    struct dns_peer *peer = question->peer;
    const uint32_t id = question->id;
    list_remove(&peer->questions, &question->link);
    free(question);
    reply_result(peer, id, result);
}

static void ask(struct dns_peer *peer, uint32_t id, const struct dns_question *dns_question)
{
    struct dns_peer_question *question =
        peer->questions.count < DNS_PEER_QUESTIONS_MAX ? calloc(1, sizeof(*question)) : NULL;
    if (!question) {
        reply_failed(peer, id, DNS_FAILURE_RESOURCES);
        return;
    }
    question->peer = peer;
    question->id = id;
    question->waiter.done = on_result;
    list_append(&peer->questions, &question->link);
    lookups_ask(&peer->server->lookups, dns_question, clock_monotonic_ms(), &question->waiter);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct dns_peer *peer = context;
    const struct ipc_dns_query *query = delivery->message;
    struct dns_question question;

    if (delivery->id == 0)
        return;
    if (!may_ask(ipc_channel_peer(channel), query->type)) {
        reply_failed(peer, delivery->id, DNS_FAILURE_REFUSED);
        return;
    }
    question.type = (uint16_t)query->type;
    if (dns_name_from_text(query->name, &question.name) != PARSE_OK) {
        /* A name that no zone can hold. */
        const struct lookup_result result = {
            .status = DNS_NO_SUCH_NAME, .canonical_name = span_empty(), .records = span_empty()};
        reply_result(peer, delivery->id, &result);
        return;
    }
    ask(peer, delivery->id, &question);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct dns_peer *peer = context;
    (void)channel;
    (void)reason;
    LIST_FOR_EACH (&peer->questions, link) {
        struct dns_peer_question *question = LIST_ITEM(link, struct dns_peer_question, link);
        lookups_cancel(&question->waiter);
        list_remove(&peer->questions, link);
        free(question);
    }
    ipc_channel_destroy(&peer->channel);
    free(peer);
}

static const struct ipc_permission permissions[] = {
    {IPC_DNS_QUERY, IPC_ROLE_BIT(IPC_ROLE_SMTPD) | IPC_ROLE_BIT(IPC_ROLE_SUBMITD) |
                        IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LMTP) |
                        IPC_ROLE_BIT(IPC_ROLE_FETCHD) | IPC_ROLE_BIT(IPC_ROLE_STSD) |
                        IPC_ROLE_BIT(IPC_ROLE_REPORTD)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void dns_server_add_peer(struct dns_server_state *server, enum ipc_role role, int descriptor)
{
    struct dns_peer *peer = calloc(1, sizeof(*peer));
    ASSERT(peer);
    peer->server = server;
    list_init(&peer->questions);
    peer->channel = ipc_channel_create(server->loop, descriptor, role, &handlers, peer);
    if (!peer->channel)
        free(peer); /* the peer sees it closed */
}

static bool ask_resolver(void *context, const struct dns_question *question,
                         void (*done)(void *lookup, const struct dns_answer *answer), void *lookup)
{
    return resolver_ask(context, question, done, lookup);
}

void dns_server_init(struct dns_server_state *server, struct loop *loop, struct resolver *resolver,
                     struct dns_cache_limits limits)
{
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    *server = (struct dns_server_state){.loop = loop, .resolver = resolver};
    lookups_init(&server->lookups, seed, limits, (struct lookup_source){ask_resolver, resolver});
}
