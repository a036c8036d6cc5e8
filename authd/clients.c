/* authd/clients - see clients.h. */
#include "clients.h"

#include <stdlib.h>

#include "mechanisms.h"

enum { RECORDS_MAX_BYTES = 8192 };

struct client {
    struct list_link link; /* authd->clients */
    struct authd *authd;
    uint32_t process_number;
    struct ipc_channel *channel;
    struct list conversations;
};

/* An exchange as its client numbers it. */
struct conversation {
    struct list_link link;
    struct client *client;
    struct exchange *exchange;
    uint32_t number;
    uint32_t request; /* to be answered; 0: none */
};

static void reply(struct client *client, uint32_t request, const struct auth_answer *answer)
{
    const struct ipc_auth_reply message = {
        .result = answer->result,
        .failure = answer->failure,
        .has_challenge = answer->has_challenge,
        .challenge = answer->challenge,
        .user = span_first(answer->user, IPC_ADDRESS_MAX),
        .authorization = answer->authorization,
        .reason = span_first(answer->reason, 512),
    };
    (void)ipc_channel_reply(client->channel, request, IPC_AUTH_REPLY, &message); /* or it is gone */
}

static void reply_temporary(struct client *client, uint32_t request, const char *reason)
{
    const struct auth_answer answer = {.result = AUTH_TEMPORARY,
                                       .challenge = span_empty(),
                                       .user = span_empty(),
                                       .authorization = span_empty(),
                                       .reason = span_from_string(reason)};
    reply(client, request, &answer);
}

static void on_answer(void *context, const struct auth_answer *answer)
{
    struct conversation *conversation = context;
    if (conversation->request != 0)
        reply(conversation->client, conversation->request, answer);
    conversation->request = 0;
}

static void forget(struct conversation *conversation)
{
    list_remove(&conversation->client->conversations, &conversation->link);
    free(conversation);
}

static void on_end(void *context)
{
    forget(context);
}

static struct conversation *find(const struct client *client, uint32_t number)
{
    LIST_FOR_EACH (&client->conversations, link) {
        struct conversation *conversation = LIST_ITEM(link, struct conversation, link);
        if (conversation->number == number)
            return conversation;
    }
    return NULL;
}

/* A number beyond what is a port is none. */
static uint16_t port_of(uint32_t number)
{
    return number <= UINT16_MAX ? (uint16_t)number : 0;
}

static void on_start(struct client *client, uint32_t request, const struct ipc_auth_start *message)
{
    const struct auth_start start = {
        .service = message->service,
        .mechanism = message->mechanism,
        .has_initial_response = message->has_initial_response,
        .initial_response = message->initial_response,
        .client_address = message->client_address,
        .client_port = port_of(message->client_port),
        .server_address = message->server_address,
        .server_port = port_of(message->server_port),
        .server_name = message->server_name,
        .is_encrypted = message->is_encrypted,
        .binding_exporter = message->binding_exporter,
        .binding_unique = message->binding_unique,
        .binding_end_point = message->binding_end_point,
        .certificate_identity = message->certificate_identity,
    };
    struct conversation *conversation = NULL;
    if (!find(client, message->exchange))
        conversation = calloc(1, sizeof(*conversation));
    if (!conversation) {
        reply_temporary(client, request, "too many exchanges");
        return;
    }
    const struct exchange_owner owner = {client->process_number, on_answer, on_end, conversation};
    conversation->client = client;
    conversation->number = message->exchange;
    conversation->request = request;
    conversation->exchange = exchange_start(client->authd, &start, &owner);
    if (!conversation->exchange) {
        free(conversation);
        reply_temporary(client, request, "too many exchanges");
        return;
    }
    list_append(&client->conversations, &conversation->link);
}

static void on_continue(struct client *client, uint32_t request,
                        const struct ipc_auth_continue *message)
{
    struct conversation *conversation = find(client, message->exchange);
    if (!conversation || conversation->request != 0 ||
        !exchange_continue(conversation->exchange, message->response)) {
        reply_temporary(client, request, "the exchange is over");
        return;
    }
    conversation->request = request;
}

static void on_cancel(struct client *client, const struct ipc_auth_cancel *message)
{
    struct conversation *conversation = find(client, message->exchange);
    if (!conversation)
        return;
    if (conversation->request != 0)
        reply_temporary(client, conversation->request, "cancelled");
    exchange_abandon(conversation->exchange);
    forget(conversation);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct client *client = context;
    (void)channel;
    if (delivery->type == IPC_AUTH_START && delivery->id != 0) {
        on_start(client, delivery->id, delivery->message);
    } else if (delivery->type == IPC_AUTH_CONTINUE && delivery->id != 0) {
        on_continue(client, delivery->id, delivery->message);
    } else if (delivery->type == IPC_AUTH_CANCEL) {
        on_cancel(client, delivery->message);
    }
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct client *client = context;
    struct authd *authd = client->authd;
    (void)reason;
    LIST_FOR_EACH (&client->conversations, link) {
        struct conversation *conversation = LIST_ITEM(link, struct conversation, link);
        exchange_abandon(conversation->exchange);
        forget(conversation);
    }
    ipc_channel_destroy(&channel);
    list_remove(&authd->clients, &client->link);
    free(client);
    authd_on_client_gone(authd);
}

static void tell_mechanisms(const struct client *client)
{
    const struct authd *authd = client->authd;
    struct buffer records;
    if (authd->forwarder && authd->forwarded_count == 0)
        return; /* all are told when the server has said it */
    buffer_init(&records, NULL, RECORDS_MAX_BYTES);
    for (size_t i = 0; i < authd->forwarded_count; i++) {
        const struct ipc_auth_mechanism mechanism = {.name = authd->forwarded[i].name,
                                                     .properties = authd->forwarded[i].properties};
        ipc_records_append(IPC_AUTH_MECHANISM, &mechanism, &records);
    }
    for (size_t i = 0; i < authd->mechanism_count && !authd->forwarder; i++) {
        const struct ipc_auth_mechanism mechanism = {
            .name = span_from_string(sasl_mechanism_name(authd->mechanisms[i])),
            .properties = mechanisms_properties(authd->mechanisms[i])};
        ipc_records_append(IPC_AUTH_MECHANISM, &mechanism, &records);
    }
    const struct ipc_auth_mechanisms message = {.mechanisms = buffer_span(&records)};
    (void)ipc_channel_send(client->channel, IPC_AUTH_MECHANISMS, &message);
    buffer_release(&records);
}

void authd_tell_mechanisms(struct authd *authd)
{
    LIST_FOR_EACH (&authd->clients, link)
        tell_mechanisms(LIST_ITEM(link, struct client, link));
}

/* Those of whom it is known that their clients authenticate. */
#define SERVERS (IPC_ROLE_BIT(IPC_ROLE_SMTPD) | IPC_ROLE_BIT(IPC_ROLE_SUBMITD))

void clients_add(struct authd *authd, const struct service_peer *peer, int descriptor)
{
    static const struct ipc_permission permissions[] = {{IPC_AUTH_START, SERVERS},
                                                        {IPC_AUTH_CONTINUE, SERVERS},
                                                        {IPC_AUTH_CANCEL, SERVERS},
                                                        {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};
    struct client *client = calloc(1, sizeof(*client));
    if (client) {
        client->authd = authd;
        client->process_number = peer->process_number;
        list_init(&client->conversations);
    }
    struct ipc_channel *channel =
        ipc_channel_create(authd->service->loop, descriptor, peer->role, &handlers, client);
    if (!client || !channel) {
        ipc_channel_destroy(&channel);
        free(client);
        return;
    }
    client->channel = channel;
    ipc_channel_set_secret(channel);
    list_append(&authd->clients, &client->link);
    tell_mechanisms(client);
}
