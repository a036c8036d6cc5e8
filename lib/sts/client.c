/* sts/client - see client.h. */
#include "sts/client.h"

#include "dnswire/name.h"
#include "system/task.h"

enum {
    /* How long a question waits for a new stsd when the old one went away. */
    PATIENCE_MS = 5000,
    POLL_MS = 50
};

void sts_client_init(struct sts_client *client, struct loop *loop)
{
    *client = (struct sts_client){.loop = loop};
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct sts_client *client = context;
    (void)channel;
    (void)reason; /* master brings another */
    ipc_channel_destroy(&client->channel);
}

void sts_client_attach(struct sts_client *client, int descriptor)
{
    /* It says nothing unasked. */
    static const struct ipc_permission permissions[] = {{0, 0}};
    static const struct ipc_channel_handlers handlers = {NULL, on_closed, permissions};
    ipc_channel_destroy(&client->channel);
    client->channel =
        ipc_channel_create(client->loop, descriptor, IPC_ROLE_STSD, &handlers, client);
}

static struct sts_policy none(enum sts_state state, const char *reason)
{
    return (struct sts_policy){.state = state,
                               .policy.text = span_empty(),
                               .id = span_empty(),
                               .reason = span_from_string(reason)};
}

static void read_reply(const struct ipc_sts_reply *reply, struct sts_policy *policy)
{
    *policy = none(STS_NONE, NULL);
    policy->failure =
        reply->failure < TLSRPT_RESULT_COUNT ? (enum tlsrpt_result)reply->failure : TLSRPT_SUCCESS;
    policy->id = reply->policy_id;
    policy->reason = reply->reason;
    if (reply->is_unknown) {
        *policy = none(STS_UNKNOWN, "stsd cannot find out");
        if (!span_is_empty(reply->reason))
            policy->reason = reply->reason;
    }
    if (span_is_empty(reply->policy))
        return;
    if (mtasts_policy_parse(reply->policy, &policy->policy) != PARSE_OK)
        *policy = none(STS_UNKNOWN, "stsd sent what is no policy");
    else if (policy->policy.mode == MTASTS_ENFORCE)
        policy->state = STS_ENFORCE;
    else if (policy->policy.mode == MTASTS_TESTING)
        policy->state = STS_TESTING;
}

void sts_lookup(struct sts_client *client, struct span domain, int64_t deadline_ms,
                struct arena *arena, struct sts_policy *policy)
{
    const struct ipc_sts_query query = {.domain = domain};
    const int64_t patience_ms = clock_deadline_after(PATIENCE_MS);
    struct ipc_sts_reply reply;
    if (!dns_name_is_mail_host(domain)) {
        *policy = none(STS_NONE, NULL);
        return;
    }
    for (;;) {
        if (client->channel) {
            switch (ipc_channel_call(client->channel, IPC_STS_QUERY, &query, IPC_STS_REPLY, &reply,
                                     arena, deadline_ms)) {
            case IPC_CALL_OK:
                read_reply(&reply, policy);
                return;
            case IPC_CALL_TIMED_OUT:
                *policy = none(STS_UNKNOWN, "stsd did not answer in time");
                return;
            case IPC_CALL_CANCELLED:
                *policy = none(STS_UNKNOWN, "the question was interrupted");
                return;
            case IPC_CALL_CLOSED:
                break; /* its successor may know */
            }
        }
        const int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= patience_ms || now_ms >= deadline_ms || task_sleep(POLL_MS) == TASK_CANCELLED)
            break;
    }
    *policy = none(STS_UNKNOWN, "stsd is not running");
}

bool sts_permits(const struct sts_policy *policy, struct span host)
{
    return (policy->state != STS_ENFORCE && policy->state != STS_TESTING) ||
           mtasts_policy_matches(&policy->policy, host);
}
