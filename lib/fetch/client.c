/* fetch/client - see client.h. */
#include "fetch/client.h"

#include "system/task.h"

enum {
    /* Beyond the request's own time: fetchd answers when that is over. */
    GRACE_MS = 5000,
    /* How long a request waits for a new fetchd when the old one went away. */
    PATIENCE_MS = 5000,
    POLL_MS = 50
};

/* On the stack of the waiting task. */
struct waiting_fetch {
    struct list_link link;
    uint32_t serial;
    struct buffer body;
};

void fetch_client_init(struct fetch_client *client, struct loop *loop)
{
    *client = (struct fetch_client){.loop = loop};
    list_init(&client->waiting);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct fetch_client *client = context;
    const struct ipc_fetch_part *part = delivery->message;
    (void)channel;
    if (delivery->type != IPC_FETCH_PART)
        return;
    LIST_FOR_EACH (&client->waiting, link) {
        struct waiting_fetch *waiting = LIST_ITEM(link, struct waiting_fetch, link);
        if (waiting->serial == part->serial)
            buffer_append_span(&waiting->body, part->bytes);
    }
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct fetch_client *client = context;
    (void)channel;
    (void)reason; /* master brings another */
    ipc_channel_destroy(&client->channel);
}

void fetch_client_attach(struct fetch_client *client, int descriptor)
{
    static const struct ipc_permission permissions[] = {
        {IPC_FETCH_PART, IPC_ROLE_BIT(IPC_ROLE_FETCHD)},
        {0, 0},
    };
    static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};
    ipc_channel_destroy(&client->channel);
    client->channel =
        ipc_channel_create(client->loop, descriptor, IPC_ROLE_FETCHD, &handlers, client);
}

static struct fetch_answer unavailable(const char *reason)
{
    return (struct fetch_answer){.result = FETCH_UNAVAILABLE,
                                 .content_type = span_empty(),
                                 .body = span_empty(),
                                 .reason = span_from_string(reason)};
}

static bool wait_for_channel(const struct fetch_client *client)
{
    const int64_t deadline_ms = clock_deadline_after(PATIENCE_MS);
    while (!client->channel)
        if (clock_monotonic_ms() >= deadline_ms || task_sleep(POLL_MS) == TASK_CANCELLED)
            return false;
    return true;
}

static void read_reply(const struct ipc_fetch_reply *reply, struct buffer *body,
                       struct fetch_answer *answer)
{
    buffer_append_span(body, reply->body);
    *answer = buffer_ok(body) && reply->result < FETCH_RESULT_COUNT
                  ? (struct fetch_answer){.result = (enum fetch_result)reply->result,
                                          .http_status = reply->http_status,
                                          .content_type = reply->content_type,
                                          .body = buffer_span(body),
                                          .reason = reply->reason}
                  : unavailable("out of memory");
}

void fetch(struct fetch_client *client, const struct fetch_request *request, struct arena *arena,
           struct fetch_answer *answer)
{
    struct waiting_fetch waiting = {.serial = ++client->serial};
    struct ipc_fetch_reply reply;
    if (!wait_for_channel(client)) {
        *answer = unavailable("fetchd is not running");
        return;
    }
    const struct ipc_fetch message = {
        .kind = request->kind,
        .serial = waiting.serial,
        .target = request->target,
        .content_type = request->content_type,
        .authorization = request->authorization,
        .body = request->body,
        .timeout_ms = request->timeout_ms,
    };
    buffer_init(&waiting.body, arena, FETCH_BODY_MAX_BYTES);
    list_append(&client->waiting, &waiting.link);
    switch (ipc_channel_call(client->channel, IPC_FETCH, &message, IPC_FETCH_REPLY, &reply, arena,
                             clock_deadline_after((int64_t)request->timeout_ms + GRACE_MS))) {
    case IPC_CALL_OK:
        read_reply(&reply, &waiting.body, answer);
        break;
    case IPC_CALL_TIMED_OUT:
        *answer = unavailable("fetchd does not answer");
        break;
    case IPC_CALL_CLOSED:
    case IPC_CALL_CANCELLED:
        *answer = unavailable("the request was interrupted");
        break;
    }
    list_remove(&client->waiting, &waiting.link);
}
