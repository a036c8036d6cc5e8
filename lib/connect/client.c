/* connect/client - see client.h. */
#include "connect/client.h"

#include "ipc/helper.h"
#include "system/task.h"

enum { POLL_MS = 50 };

void connect_client_attach(struct connect_client *client, struct loop *loop, int descriptor)
{
    ipc_helper_attach(&client->channel, loop, descriptor, IPC_ROLE_CONNECTD);
}

/* RFC 3463: X.4.1 no answer from host. */
static int fail(struct outcome *outcome, const char *reason)
{
    *outcome = outcome_temporary(0, 4, 1, reason);
    return -1;
}

int connect_to_path(struct connect_client *client, struct span path, int64_t deadline_ms,
                    struct arena *arena, struct outcome *outcome)
{
    const struct ipc_connect question = {.path = path};
    const int64_t patience_ms = clock_deadline_after(CONNECT_CLIENT_PATIENCE_MS);

    for (;;) {
        enum ipc_call_result result = IPC_CALL_CLOSED;
        struct ipc_connect_reply reply;
        if (client->channel)
            result = ipc_channel_call(client->channel, IPC_CONNECT, &question, IPC_CONNECT_REPLY,
                                      &reply, arena, deadline_ms);
        if (result == IPC_CALL_CANCELLED)
            return fail(outcome, "delivery was stopped while connecting");
        if (result == IPC_CALL_TIMED_OUT)
            return fail(outcome, "Connection timed out");
        if (result == IPC_CALL_OK && reply.outcome.kind == OUTCOME_OK && reply.socket >= 0)
            return reply.socket;
        if (result == IPC_CALL_OK && !reply.is_busy) {
            *outcome = reply.outcome;
            if (outcome_is_ok(outcome))
                return fail(outcome, "no socket came");
            return -1;
        }
        const bool is_busy = result == IPC_CALL_OK;
        const int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= deadline_ms)
            return fail(outcome, "Connection timed out");
        if (!is_busy && now_ms >= patience_ms)
            return fail(outcome, "the helper that connects is not there");
        if (task_sleep(POLL_MS) == TASK_CANCELLED)
            return fail(outcome, "delivery was stopped while connecting");
    }
}
