/* authd/relay_server - see relay_server.h. */
#include "relay_server.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

#include "address/mailbox.h"
#include "auth/relay.h"
#include "conf/value.h"
#include "sasl/client.h"
#include "system/clock.h"
#include "system/random.h"
#include "table/address_lookup.h"

enum {
    EXCHANGES_MAX = 1000,
    EXCHANGE_ARENA_BYTES = 2 * SASL_ARENA_BYTES,
    SERVER_ARENA_BYTES = 65536,
    VALUE_MAX_BYTES = 16384, /* tokens are longer than passwords */
    WARNING_MAX_BYTES = 1000
};

struct exchange {
    struct list_link link;
    struct arena arena;
    uint32_t number;
    struct span host, user, password;
    struct sasl_client *client;
};

/* ---- tables ---- */

static void note_warning(void *context, struct span text)
{
    struct relay_server *server = context;
    server->warning = arena_copy(&server->arena, span_first(text, WARNING_MAX_BYTES));
    if (!server->warning.bytes)
        server->warning = span_empty();
}

static struct span value_of(struct span rows, struct span service)
{
    struct span name, value;
    while (conf_each_service_next(&rows, &name, &value))
        if (span_equals(name, service))
            return value;
    return span_empty();
}

void relay_settings_find(const struct conf_authd *settings, enum ipc_role role, struct span service,
                         struct relay_settings *found)
{
    const bool is_lmtp = role == IPC_ROLE_LMTP;
    const struct span cache_name =
        is_lmtp ? settings->lmtp_sasl_auth_cache_name : settings->smtp_sasl_auth_cache_name;
    const struct span cache_time =
        is_lmtp ? settings->lmtp_sasl_auth_cache_time : settings->smtp_sasl_auth_cache_time;

    *found = (struct relay_settings){
        .passwords = value_of(is_lmtp ? settings->lmtp_sasl_password_maps
                                      : settings->smtp_sasl_password_maps,
                              service),
        .delimiter = value_of(is_lmtp ? settings->lmtp_sasl_password_result_delimiter
                                      : settings->smtp_sasl_password_result_delimiter,
                              service)};
    if (!span_is_empty(value_of(cache_name, service)) &&
        !conf_value_parse_time(value_of(cache_time, service), 'd', &found->cache_ms))
        found->cache_ms = 0; /* each was checked */
}

bool relay_server_init(struct relay_server *server, const struct conf_authd *settings,
                       enum ipc_role role, struct span service)
{
    const struct table_options options = {
        .flags = TABLE_MAY_BLOCK, .warn = note_warning, .warn_context = server};

    *server = (struct relay_server){
        .settings = settings, .warning = span_empty(), .was_root = geteuid() == 0};
    relay_settings_find(settings, role, service, &server->own);
    list_init(&server->exchanges);
    arena_init(&server->arena, SERVER_ARENA_BYTES, 0);
    relay_cache_init(&server->cache, server->own.cache_ms);
    server->passwords = table_list_open(server->own.passwords, &options);
    for (size_t i = 0; server->passwords && i < table_list_count(server->passwords); i++)
        /* One that cannot be opened says so when it is asked. */
        (void)!table_prepare(table_list_at(server->passwords, i));
    return server->passwords != NULL;
}

struct lookup {
    struct relay_server *server;
    struct buffer *value;
};

static enum table_result try_key(void *context, struct span key)
{
    const struct lookup *lookup = context;
    return span_is_empty(key) ? TABLE_NOT_FOUND
                              : table_list_lookup(lookup->server->passwords, key, lookup->value);
}

static enum table_result find_by_sender(struct lookup *lookup, struct span sender,
                                        struct arena *arena)
{
    struct mailbox mailbox;
    if (span_is_empty(sender) ||
        mailbox_parse(sender, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &mailbox) != PARSE_OK)
        return TABLE_NOT_FOUND;
    const struct table_address address = {.local_part = mailbox.local_part,
                                          .domain = mailbox.domain,
                                          .recipient_delimiter =
                                              lookup->server->settings->recipient_delimiter};
    return table_address_lookup(&address, TABLE_ADDRESS_MAILBOX, try_key, lookup, arena, NULL);
}

/* Postfix's order: the sender, where senders have passwords of their own; the host; the next hop.
 */
static enum table_result find_password(struct relay_server *server,
                                       const struct ipc_relay_auth_start *message,
                                       struct arena *arena, struct buffer *value)
{
    struct lookup lookup = {server, value};
    enum table_result result = find_by_sender(&lookup, message->sender, arena);
    if (result == TABLE_NOT_FOUND)
        result = try_key(&lookup, message->host);
    if (result == TABLE_NOT_FOUND)
        result = try_key(&lookup, message->destination);
    /* A new file, perhaps, which only root may open: the client gets another process that was. */
    if (result == TABLE_ERROR && server->has_worked && server->was_root)
        _exit(EXIT_SUCCESS);
    server->has_worked |= result != TABLE_ERROR;
    return result == TABLE_FOUND && !buffer_ok(value) ? TABLE_ERROR : result;
}

/* ---- replies ---- */

static void reply(struct relay_server *server, uint32_t id, enum relay_auth_result result,
                  struct span reason)
{
    const struct ipc_relay_auth_reply message = {.result = result,
                                                 .mechanism = span_empty(),
                                                 .response = span_empty(),
                                                 .reason = span_first(reason, IPC_REASON_MAX)};
    (void)ipc_channel_reply(server->channel, id, IPC_RELAY_AUTH_REPLY, &message);
}

static void forget(struct relay_server *server, struct exchange *exchange)
{
    list_remove(&server->exchanges, &exchange->link);
    arena_destroy(&exchange->arena);
    free(exchange);
}

/* What is to be sent; or the exchange ends here. */
static void reply_event(struct relay_server *server, uint32_t id, struct exchange *exchange,
                        const struct sasl_client_event *event, const char *mechanism)
{
    const struct ipc_relay_auth_reply message = {
        .result = RELAY_AUTH_SEND,
        .mechanism = span_from_string(mechanism),
        .has_response = event->has_message,
        .response = event->message,
        .reason = span_first(event->server_text, IPC_REASON_MAX)};
    if (!event->has_failed) {
        (void)ipc_channel_reply(server->channel, id, IPC_RELAY_AUTH_REPLY, &message);
        return;
    }
    reply(server, id,
          event->failure == SASL_CLIENT_TEMPORARY ? RELAY_AUTH_TEMPORARY : RELAY_AUTH_FAILED,
          event->server_text.length ? event->server_text
                                    : span_from_string(sasl_client_failure_text(event->failure)));
    forget(server, exchange);
}

/* ---- the start ---- */

/* Of those that may be used, what this connection allows, in our order. */
static bool choose(const struct ipc_relay_auth_start *message, const struct sasl_bindings *bindings,
                   enum sasl_mechanism *mechanism)
{
    struct span rest = message->mechanisms, word;
    enum sasl_mechanism found;
    enum sasl_hash hash;
    bool is_plus;
    uint32_t set = 0;

    while (span_next_word(&rest, " ", &word))
        if (sasl_mechanism_from_name(word, &found))
            set |= SASL_BIT(found);
    for (size_t i = 0; i < SASL_MECHANISM_COUNT; i++)
        if (sasl_mechanism_is_scram((enum sasl_mechanism)i, &hash, &is_plus) && is_plus &&
            !sasl_bindings_exist(bindings))
            set &= ~SASL_BIT(i);
    /* There are no certificates here, and who has a password need not be nameless. */
    set &= ~(SASL_BIT(SASL_EXTERNAL) | SASL_BIT(SASL_ANONYMOUS));
    return sasl_mechanism_choose(set, mechanism);
}

static bool offers_plus(struct span offered, enum sasl_mechanism mechanism)
{
    struct span rest = offered, word;
    enum sasl_mechanism found;
    enum sasl_hash hash, other_hash;
    bool is_plus;

    if (!sasl_mechanism_is_scram(mechanism, &hash, &is_plus))
        return false;
    while (span_next_word(&rest, " ", &word))
        if (sasl_mechanism_from_name(word, &found) &&
            sasl_mechanism_is_scram(found, &other_hash, &is_plus) && is_plus && other_hash == hash)
            return true;
    return false;
}

static void split_value(const struct relay_server *server, struct span value,
                        struct exchange *exchange)
{
    const struct span delimiter = server->own.delimiter;
    const size_t at = span_find(value, delimiter);
    exchange->user = span_first(value, at);
    exchange->password = span_after(value, at + delimiter.length);
}

static void begin_exchange(struct relay_server *server, uint32_t id, struct exchange *exchange,
                           const struct ipc_relay_auth_start *message)
{
    uint8_t random[SASL_RANDOM_BYTES], nonce[SASL_NONCE_BYTES];
    struct sasl_client_config config = {
        .bindings = {{[SASL_BINDING_TLS_EXPORTER] = message->binding_exporter,
                      [SASL_BINDING_TLS_UNIQUE] = message->binding_unique,
                      [SASL_BINDING_TLS_SERVER_END_POINT] = message->binding_end_point}},
        .user = exchange->user,
        .authzid = message->sends_authorization ? exchange->user : span_empty(),
        .secret = exchange->password,
        .nonce = span_of(nonce, sizeof(nonce)),
        .host = message->host,
        .port = message->port,
    };
    const struct relay_cache_question question = {exchange->host, exchange->user,
                                                  exchange->password};
    struct sasl_client_event event;
    struct span refusal;

    if (relay_cache_find(&server->cache, &question, clock_monotonic_ms(), &refusal)) {
        reply(server, id, RELAY_AUTH_KNOWN_REFUSAL, refusal);
        forget(server, exchange);
        return;
    }
    if (!choose(message, &config.bindings, &config.mechanism)) {
        reply(server, id, RELAY_AUTH_NO_MECHANISM, span_empty());
        forget(server, exchange);
        return;
    }
    config.server_offers_plus = offers_plus(message->offered, config.mechanism);
    random_bytes(random, sizeof(random));
    sasl_nonce_print(random, nonce);
    exchange->client = sasl_client_create(&config, &exchange->arena);
    if (!exchange->client) {
        reply(server, id, RELAY_AUTH_TEMPORARY, SPAN("out of memory"));
        forget(server, exchange);
        return;
    }
    sasl_client_start(exchange->client, &event);
    reply_event(server, id, exchange, &event, sasl_mechanism_name(config.mechanism));
}

static struct exchange *find(const struct relay_server *server, uint32_t number)
{
    LIST_FOR_EACH (&server->exchanges, link) {
        struct exchange *exchange = LIST_ITEM(link, struct exchange, link);
        if (exchange->number == number)
            return exchange;
    }
    return NULL;
}

static void on_start(struct relay_server *server, uint32_t id,
                     const struct ipc_relay_auth_start *message)
{
    struct exchange *exchange = NULL;
    struct buffer value;

    if (server->exchanges.count < EXCHANGES_MAX && !find(server, message->exchange))
        exchange = calloc(1, sizeof(*exchange));
    if (!exchange) {
        reply(server, id, RELAY_AUTH_TEMPORARY, SPAN("too many exchanges"));
        return;
    }
    exchange->number = message->exchange;
    arena_init(&exchange->arena, EXCHANGE_ARENA_BYTES, ARENA_WIPE);
    list_append(&server->exchanges, &exchange->link);
    buffer_init(&value, &exchange->arena, VALUE_MAX_BYTES);
    exchange->user = exchange->password = span_empty();
    exchange->host = arena_copy(&exchange->arena, message->host);
    if (!exchange->host.bytes)
        exchange->host = span_empty();
    switch (find_password(server, message, &exchange->arena, &value)) {
    case TABLE_FOUND:
        split_value(server, buffer_span(&value), exchange);
        begin_exchange(server, id, exchange, message);
        return;
    case TABLE_NOT_FOUND:
        reply(server, id, RELAY_AUTH_NO_PASSWORD, server->warning);
        break;
    case TABLE_ERROR:
    case TABLE_WOULD_BLOCK:
        reply(server, id, RELAY_AUTH_TEMPORARY, table_list_error(server->passwords));
        break;
    }
    forget(server, exchange);
}

/* ---- further messages ---- */

static void on_step(struct relay_server *server, uint32_t id,
                    const struct ipc_relay_auth_step *message)
{
    struct exchange *exchange = find(server, message->exchange);
    struct sasl_client_event event;
    if (!exchange) {
        reply(server, id, RELAY_AUTH_TEMPORARY, SPAN("the exchange is over"));
        return;
    }
    sasl_client_step(exchange->client, message->challenge, &event);
    reply_event(server, id, exchange, &event, "");
}

static void on_end(struct relay_server *server, uint32_t id,
                   const struct ipc_relay_auth_end *message)
{
    struct exchange *exchange = find(server, message->exchange);
    if (!exchange) {
        if (id != 0)
            reply(server, id, RELAY_AUTH_TEMPORARY, SPAN("the exchange is over"));
        return;
    }
    const struct relay_cache_question question = {exchange->host, exchange->user,
                                                  exchange->password};
    if (id != 0 && sasl_client_finish(exchange->client, NULL))
        reply(server, id, RELAY_AUTH_DONE, span_empty());
    else if (id != 0)
        reply(server, id, RELAY_AUTH_FAILED,
              span_from_string(sasl_client_failure_text(SASL_CLIENT_UNPROVEN)));
    else if (!span_is_empty(message->refusal))
        relay_cache_add(&server->cache, &question, message->refusal, clock_monotonic_ms());
    forget(server, exchange);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct relay_server *server = context;
    (void)channel;
    watchdog_set(&server->watchdog, true);
    if (delivery->type == IPC_RELAY_AUTH_START && delivery->id != 0)
        on_start(server, delivery->id, delivery->message);
    else if (delivery->type == IPC_RELAY_AUTH_STEP && delivery->id != 0)
        on_step(server, delivery->id, delivery->message);
    else if (delivery->type == IPC_RELAY_AUTH_END)
        on_end(server, delivery->id, delivery->message);
    watchdog_set(&server->watchdog, false);
}

static void on_client_gone(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                           void *context UNUSED)
{
    _exit(EXIT_SUCCESS);
}

static void on_lifeline(evutil_socket_t lifeline UNUSED, short what UNUSED, void *context UNUSED)
{
    _exit(EXIT_SUCCESS);
}

void relay_server_run(struct relay_server *server, enum ipc_role role, int descriptor, int lifeline)
{
    static const struct ipc_permission permissions[] = {
        {IPC_RELAY_AUTH_START, IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LMTP)},
        {IPC_RELAY_AUTH_STEP, IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LMTP)},
        {IPC_RELAY_AUTH_END, IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LMTP)},
        {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_message, on_client_gone, permissions};
    struct loop *loop = loop_create();

    /* Nothing is ever read or written there: it is ready when its other end is closed. */
    if (loop &&
        event_assign(&server->lifeline_event, loop_event_base(loop), lifeline, EV_READ, on_lifeline,
                     server) == 0 &&
        event_add(&server->lifeline_event, NULL) == 0 &&
        watchdog_start(&server->watchdog, server->settings->auth_database_timeout_ms))
        server->channel = ipc_channel_create(loop, descriptor, role, &handlers, server);
    if (!server->channel)
        _exit(EXIT_FAILURE);
    loop_run(loop);
    _exit(EXIT_SUCCESS);
}
