/* auth/relay - see relay.h. */
#include "auth/relay.h"

#include "system/task.h"

enum { CHANNEL_POLL_MS = 50 };

void relay_auth_init(struct relay_auth_client *client)
{
    *client = (struct relay_auth_client){.channel = NULL};
}

void relay_auth_set_channel(struct relay_auth_client *client, struct ipc_channel *channel)
{
    client->channel = channel;
    client->channel_count += channel != NULL;
}

static void fail(struct relay_auth_answer *answer, const char *reason)
{
    *answer = (struct relay_auth_answer){.result = RELAY_AUTH_TEMPORARY,
                                         .mechanism = span_empty(),
                                         .response = span_empty(),
                                         .reason = span_from_string(reason)};
}

static bool wait_for_channel(const struct relay_auth_client *client, int64_t deadline_ms)
{
    while (!client->channel)
        if (clock_monotonic_ms() >= deadline_ms || task_sleep(CHANNEL_POLL_MS) == TASK_CANCELLED)
            return false;
    return true;
}

/* True when somebody answered. */
static bool ask(struct relay_auth_exchange *exchange, enum ipc_type type, const void *message,
                struct arena *arena, struct relay_auth_answer *answer)
{
    struct ipc_relay_auth_reply reply;
    const enum ipc_call_result result =
        ipc_channel_call(exchange->client->channel, type, message, IPC_RELAY_AUTH_REPLY, &reply,
                         arena, clock_deadline_after(RELAY_AUTH_TIMEOUT_MS));

    if (result == IPC_CALL_TIMED_OUT) {
        fail(answer, "no answer from authd in time");
        return true;
    }
    if (result == IPC_CALL_CANCELLED) {
        fail(answer, "the session ends");
        return true;
    }
    if (result != IPC_CALL_OK || reply.result >= RELAY_AUTH_RESULT_COUNT) {
        fail(answer, "authd is not there");
        return false;
    }
    *answer = (struct relay_auth_answer){.result = (enum relay_auth_result)reply.result,
                                         .mechanism = reply.mechanism,
                                         .has_response = reply.has_response,
                                         .response = reply.response,
                                         .reason = reply.reason};
    return true;
}

void relay_auth_start(struct relay_auth_exchange *exchange, struct relay_auth_client *client,
                      struct ipc_relay_auth_start *start, struct arena *arena,
                      struct relay_auth_answer *answer)
{
    const int64_t deadline_ms = clock_deadline_after(RELAY_AUTH_PATIENCE_MS);

    *exchange = (struct relay_auth_exchange){.client = client};
    fail(answer, "authd is not there");
    /* Whoever asks while the other side starts anew (a table has changed) asks its successor. */
    while (wait_for_channel(client, deadline_ms)) {
        start->exchange = exchange->number = ++client->exchange_count;
        exchange->channel_count = client->channel_count;
        if (ask(exchange, IPC_RELAY_AUTH_START, start, arena, answer) ||
            clock_monotonic_ms() >= deadline_ms || task_sleep(CHANNEL_POLL_MS) == TASK_CANCELLED)
            break;
    }
}

static bool is_open(const struct relay_auth_exchange *exchange)
{
    return exchange->client->channel && exchange->channel_count == exchange->client->channel_count;
}

void relay_auth_step(struct relay_auth_exchange *exchange, struct span challenge,
                     struct arena *arena, struct relay_auth_answer *answer)
{
    const struct ipc_relay_auth_step message = {.exchange = exchange->number,
                                                .challenge = challenge};
    if (is_open(exchange))
        (void)ask(exchange, IPC_RELAY_AUTH_STEP, &message, arena, answer);
    else
        fail(answer, "authd has gone meanwhile");
}

void relay_auth_finish(struct relay_auth_exchange *exchange, struct arena *arena,
                       struct relay_auth_answer *answer)
{
    const struct ipc_relay_auth_end message = {.exchange = exchange->number,
                                               .refusal = span_empty()};
    if (is_open(exchange))
        (void)ask(exchange, IPC_RELAY_AUTH_END, &message, arena, answer);
    else
        fail(answer, "authd has gone meanwhile");
}

void relay_auth_give_up(struct relay_auth_exchange *exchange, struct span refusal)
{
    const struct ipc_relay_auth_end message = {.exchange = exchange->number,
                                               .refusal = span_first(refusal, IPC_REASON_MAX)};
    if (is_open(exchange))
        (void)ipc_channel_send(exchange->client->channel, IPC_RELAY_AUTH_END, &message);
}
