/* auth/client - see client.h. */
#include "auth/client.h"

#include "system/task.h"

enum { CHANNEL_POLL_MS = 50 };

const struct ipc_permission auth_client_permissions[] = {
    {IPC_AUTH_MECHANISMS, IPC_ROLE_BIT(IPC_ROLE_AUTHD)}, {0, 0}};

void auth_client_init(struct auth_client *client)
{
    *client = (struct auth_client){.channel = NULL};
}

void auth_client_set_channel(struct auth_client *client, struct ipc_channel *channel)
{
    client->channel = channel;
    client->channel_count++;
}

static bool add_mechanism(struct auth_client *client, const struct ipc_auth_mechanism *mechanism,
                          size_t *used_bytes)
{
    if (client->mechanism_count == AUTH_MECHANISMS_MAX ||
        mechanism->name.length > sizeof(client->names) - *used_bytes)
        return false;
    uint8_t *name = client->names + *used_bytes;
    memcpy(name, mechanism->name.bytes, mechanism->name.length);
    *used_bytes += mechanism->name.length;
    client->mechanisms[client->mechanism_count++] = (struct auth_mechanism){
        .name = span_of(name, mechanism->name.length), .properties = mechanism->properties};
    return true;
}

void auth_client_on_message(struct auth_client *client, const struct ipc_delivery *delivery)
{
    if (delivery->type != IPC_AUTH_MECHANISMS)
        return;
    const struct ipc_auth_mechanisms *message = delivery->message;
    struct span rest = message->mechanisms;
    struct ipc_auth_mechanism mechanism;
    size_t used_bytes = 0;
    client->mechanism_count = 0;
    client->is_told = true;
    while (rest.length > 0 && ipc_records_next(&rest, IPC_AUTH_MECHANISM, &mechanism) == PARSE_OK &&
           add_mechanism(client, &mechanism, &used_bytes))
        ;
}

bool auth_client_await_mechanisms(const struct auth_client *client)
{
    const int64_t patience_ms = clock_deadline_after(AUTH_CLIENT_PATIENCE_MS);
    while (!client->is_told)
        if (clock_monotonic_ms() >= patience_ms || task_sleep(CHANNEL_POLL_MS) == TASK_CANCELLED)
            return false;
    return true;
}

const struct auth_mechanism *auth_client_find(const struct auth_client *client, struct span name)
{
    for (size_t i = 0; i < client->mechanism_count; i++)
        if (span_equals_ascii_nocase(client->mechanisms[i].name, name))
            return &client->mechanisms[i];
    return NULL;
}

static void fail(struct auth_answer *answer, const char *reason)
{
    *answer = (struct auth_answer){.result = AUTH_TEMPORARY,
                                   .challenge = span_empty(),
                                   .user = span_empty(),
                                   .authorization = span_empty(),
                                   .reason = span_from_string(reason)};
}

static bool wait_for_channel(const struct auth_client *client, int64_t deadline_ms)
{
    const int64_t patience_ms = clock_deadline_after(AUTH_CLIENT_PATIENCE_MS);
    while (!client->channel) {
        const int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= patience_ms || now_ms >= deadline_ms ||
            task_sleep(CHANNEL_POLL_MS) == TASK_CANCELLED)
            return false;
    }
    return true;
}

/* A step and its answer. */
static void ask(struct auth_exchange *exchange, enum ipc_type type, const void *message,
                int64_t deadline_ms, struct arena *arena, struct auth_answer *answer)
{
    struct auth_client *client = exchange->client;
    struct ipc_auth_reply reply;
    exchange->is_open = false;
    const enum ipc_call_result result = ipc_channel_call(
        client->channel, type, message, IPC_AUTH_REPLY, &reply, arena, deadline_ms);
    if (result == IPC_CALL_TIMED_OUT || result == IPC_CALL_CANCELLED) {
        exchange->is_open = true; /* there, as far as we know */
        auth_exchange_cancel(exchange);
    }
    if (result == IPC_CALL_TIMED_OUT) {
        fail(answer, "no answer from authd in time");
    } else if (result == IPC_CALL_CANCELLED) {
        fail(answer, "the session ends");
    } else if (result != IPC_CALL_OK || reply.result >= AUTH_RESULT_COUNT ||
               reply.failure >= AUTH_FAILURE_COUNT) {
        fail(answer, "authd is not there");
    } else {
        exchange->is_open = reply.result == AUTH_CHALLENGE;
        *answer = (struct auth_answer){
            .result = (enum auth_result)reply.result,
            .failure = (enum auth_failure)reply.failure,
            .has_challenge = reply.has_challenge,
            .challenge = reply.challenge,
            .user = reply.user,
            .authorization = reply.authorization.length ? reply.authorization : reply.user,
            .reason = reply.reason};
    }
}

void auth_exchange_start(struct auth_exchange *exchange, struct auth_client *client,
                         const struct auth_start *start, int64_t deadline_ms, struct arena *arena,
                         struct auth_answer *answer)
{
    *exchange = (struct auth_exchange){.client = client};
    if (!wait_for_channel(client, deadline_ms)) {
        fail(answer, "authd is not there");
        return;
    }
    exchange->number = ++client->exchange_count;
    exchange->channel_count = client->channel_count;
    const struct ipc_auth_start message = {
        .exchange = exchange->number,
        .service = start->service,
        .mechanism = start->mechanism,
        .initial_response = start->initial_response,
        .has_initial_response = start->has_initial_response,
        .client_address = start->client_address,
        .client_port = start->client_port,
        .server_address = start->server_address,
        .server_port = start->server_port,
        .is_encrypted = start->is_encrypted,
        .binding_exporter = start->binding_exporter,
        .binding_unique = start->binding_unique,
        .binding_end_point = start->binding_end_point,
        .certificate_identity = start->certificate_identity,
        .server_name = start->server_name,
    };
    ask(exchange, IPC_AUTH_START, &message, deadline_ms, arena, answer);
}

void auth_exchange_continue(struct auth_exchange *exchange, struct span response,
                            int64_t deadline_ms, struct arena *arena, struct auth_answer *answer)
{
    const struct ipc_auth_continue message = {.exchange = exchange->number, .response = response};
    if (!exchange->is_open || !exchange->client->channel ||
        exchange->channel_count != exchange->client->channel_count) {
        exchange->is_open = false;
        fail(answer, "authd has gone meanwhile");
        return;
    }
    ask(exchange, IPC_AUTH_CONTINUE, &message, deadline_ms, arena, answer);
}

void auth_exchange_cancel(struct auth_exchange *exchange)
{
    const struct ipc_auth_cancel message = {.exchange = exchange->number};
    if (exchange->is_open && exchange->client->channel &&
        exchange->channel_count == exchange->client->channel_count)
        (void)ipc_channel_send(exchange->client->channel, IPC_AUTH_CANCEL, &message);
    exchange->is_open = false;
}
