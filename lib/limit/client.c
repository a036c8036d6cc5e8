/* limit/client - see client.h. */
#include "limit/client.h"

#include "system/task.h"

enum { CHANNEL_POLL_MS = 20 };

void limit_client_init(struct limit_client *client)
{
    *client = (struct limit_client){.channel = NULL};
    list_init(&client->holds);
}

static void tell_of_hold(struct limit_client *client, struct limit_hold *hold)
{
    const struct ipc_limit_hold message = {
        .kind = hold->kind, .key = hold->key, .is_event = !hold->is_told};
    if (ipc_channel_send(client->channel, IPC_LIMIT_HOLD, &message))
        hold->is_told = true;
}

void limit_client_set_channel(struct limit_client *client, struct ipc_channel *channel)
{
    client->channel = channel;
    client->channel_count++;
    client->is_silent = false;
    if (!channel)
        return;
    LIST_FOR_EACH (&client->holds, link)
        tell_of_hold(client, LIST_ITEM(link, struct limit_hold, link));
}

/* An answer that nobody waited for. */
static void on_late_answer(enum ipc_call_result result, void *reply, void *context)
{
    struct limit_client *client = context;
    (void)reply;
    if (result == IPC_CALL_OK)
        client->is_silent = false;
}

/* limitd may be just starting. False when it is not there in time. */
static bool wait_for_channel(struct limit_client *client, int64_t deadline_ms)
{
    while (!client->channel) {
        if (client->is_silent || task_sleep(CHANNEL_POLL_MS) == TASK_CANCELLED)
            return false;
        client->is_silent = !client->channel && clock_monotonic_ms() >= deadline_ms;
    }
    return true;
}

/* A request and its reply. False when it was not sent, or to a limitd that has gone since. */
static bool ask(struct limit_client *client, enum ipc_type type, const void *message,
                struct limit_answer *answer)
{
    struct ipc_limit_count_reply reply;
    struct arena arena;
    const int64_t deadline_ms = clock_deadline_after(LIMIT_ANSWER_MS);
    *answer = (struct limit_answer){.is_known = false};
    if (!wait_for_channel(client, deadline_ms))
        return false;
    if (client->is_silent)
        return ipc_channel_call_async(client->channel, type, message, IPC_LIMIT_COUNT_REPLY,
                                      deadline_ms, on_late_answer, client);
    arena_init(&arena, sizeof(reply), 0);
    const enum ipc_call_result result = ipc_channel_call(
        client->channel, type, message, IPC_LIMIT_COUNT_REPLY, &reply, &arena, deadline_ms);
    arena_destroy(&arena);
    client->is_silent = result == IPC_CALL_TIMED_OUT;
    if (result == IPC_CALL_OK)
        *answer = (struct limit_answer){true, reply.count, reply.held_count};
    return result != IPC_CALL_CLOSED;
}

void limit_hold_begin(struct limit_client *client, struct limit_hold *hold, enum limit_kind kind,
                      struct span key, struct limit_answer *answer)
{
    const struct ipc_limit_hold message = {.kind = kind, .key = key, .is_event = true};
    hold->kind = kind;
    hold->key = key;
    if (!client->channel)
        (void)wait_for_channel(client, clock_deadline_after(LIMIT_ANSWER_MS)); /* ask() finds out */
    const uint32_t channel_count = client->channel_count;
    hold->is_told = ask(client, IPC_LIMIT_HOLD, &message, answer);
    /* From here on a new limitd learns of it; one that came while we waited does so now. */
    list_append(&client->holds, &hold->link);
    if (client->channel && (!hold->is_told || client->channel_count != channel_count))
        tell_of_hold(client, hold);
}

void limit_hold_end(struct limit_client *client, struct limit_hold *hold)
{
    if (!list_is_linked(&hold->link))
        return;
    list_remove(&client->holds, &hold->link);
    const struct ipc_limit_release message = {.kind = hold->kind, .key = hold->key};
    if (client->channel && hold->is_told)
        (void)ipc_channel_send(client->channel, IPC_LIMIT_RELEASE, &message);
}

void limit_count(struct limit_client *client, enum limit_kind kind, struct span key,
                 uint32_t amount, uint32_t window_s, struct limit_answer *answer)
{
    const struct ipc_limit_count message = {
        .kind = kind, .key = key, .amount = amount, .window_s = window_s};
    (void)ask(client, IPC_LIMIT_COUNT, &message, answer); /* the answer says what is known */
}

void limit_set(struct limit_client *client, enum limit_kind kind, struct span key, uint32_t value,
               uint32_t window_s)
{
    const struct ipc_limit_count message = {
        .kind = kind, .key = key, .amount = value, .window_s = window_s, .sets = true};
    if (client->channel)
        (void)ipc_channel_send(client->channel, IPC_LIMIT_COUNT, &message);
}
