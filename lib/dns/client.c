/* dns/client - see client.h. */
#include "dns/client.h"

#include <stdlib.h>

#include "dns/records.h"
#include "ipc/helper.h"
#include "system/task.h"

enum { CHANNEL_POLL_MS = 50 };

/* Questions under way. On the heap, because the asking task may be cancelled while dnsd still has
 * them: then task is NULL and whoever answers last gives the memory back. */
struct batch {
    struct task *task;
    struct arena *arena;
    struct dns_answer *answers;
    size_t open_count;
    struct batch_item {
        struct batch *batch;
        size_t index;
        bool has_lost_channel; /* to be asked again */
    } items[];
};

void dns_client_attach(struct dns_client *client, struct loop *loop, int descriptor)
{
    ipc_helper_attach(&client->channel, loop, descriptor, IPC_ROLE_DNSD);
}

static void read_reply(const struct ipc_dns_reply *reply, struct arena *arena,
                       struct dns_answer *answer)
{
    *answer = (struct dns_answer){.status = (enum dns_status)reply->status,
                                  .is_authenticated = reply->is_authentic,
                                  .ttl_s = reply->ttl_s,
                                  .canonical_name = arena_copy(arena, reply->canonical_name)};
    const struct span records = arena_copy(arena, reply->records);
    if (!answer->canonical_name.bytes || !records.bytes) {
        *answer = dns_answer_failed(DNS_FAILURE_RESOURCES);
        return;
    }
    if (reply->status > DNS_TEMPORARY || dns_records_unpack(records, arena, answer) != PARSE_OK ||
        (reply->status == DNS_FOUND) != (answer->record_count > 0)) {
        *answer = dns_answer_failed(DNS_FAILURE_HELPER);
        return;
    }
    if (answer->status == DNS_TEMPORARY) {
        const enum dns_failure failure = dns_failure_from_name(reply->reason);
        answer->failure = failure != DNS_FAILURE_NONE ? failure : DNS_FAILURE_HELPER;
    }
}

static void on_reply(enum ipc_call_result result, void *message, void *context)
{
    struct batch_item *item = context;
    struct batch *batch = item->batch;

    batch->open_count--;
    if (!batch->task) {
        if (batch->open_count == 0)
            free(batch);
        return;
    }
    if (result == IPC_CALL_OK)
        read_reply(message, batch->arena, &batch->answers[item->index]);
    else if (result == IPC_CALL_TIMED_OUT)
        batch->answers[item->index] = dns_answer_failed(DNS_FAILURE_TIMEOUT);
    else
        item->has_lost_channel = true;
    if (batch->open_count == 0)
        task_wake(batch->task);
}

/* Sends what has not been answered; items that cannot be sent wait for another channel. */
static void send_items(struct dns_client *client, struct batch *batch,
                       const struct dns_request *requests, size_t count, int64_t deadline_ms)
{
    for (size_t i = 0; i < count; i++) {
        struct batch_item *item = &batch->items[i];
        if (!item->has_lost_channel || !client->channel)
            continue;
        const struct ipc_dns_query query = {.name = requests[i].name, .type = requests[i].type};
        if (ipc_channel_call_async(client->channel, IPC_DNS_QUERY, &query, IPC_DNS_REPLY,
                                   deadline_ms, on_reply, item)) {
            item->has_lost_channel = false;
            batch->open_count++;
        }
    }
}

static bool has_unasked(const struct batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (batch->items[i].has_lost_channel)
            return true;
    return false;
}

/* False when the task was cancelled; the batch then belongs to the last answer. */
static bool run_batch(struct dns_client *client, struct batch *batch,
                      const struct dns_request *requests, size_t count, int64_t deadline_ms)
{
    const int64_t patience_ms = clock_deadline_after(DNS_CLIENT_PATIENCE_MS);
    for (;;) {
        send_items(client, batch, requests, count, deadline_ms);
        while (batch->open_count > 0)
            if (task_park(CLOCK_NEVER) == TASK_CANCELLED && batch->open_count > 0)
                return false;
        const int64_t now_ms = clock_monotonic_ms();
        if (!has_unasked(batch, count) || now_ms >= patience_ms || now_ms >= deadline_ms)
            return true;
        if (task_sleep(CHANNEL_POLL_MS) == TASK_CANCELLED)
            return true;
    }
}

static bool is_name(struct span text)
{
    struct dns_name name;
    return dns_name_from_text(text, &name) == PARSE_OK;
}

void dns_lookup_many(struct dns_client *client, const struct dns_request *requests, size_t count,
                     int64_t deadline_ms, struct arena *arena, struct dns_answer *answers)
{
    ASSERT(count <= DNS_LOOKUPS_AT_ONCE_MAX);
    struct batch *batch = calloc(1, sizeof(*batch) + count * sizeof(batch->items[0]));
    for (size_t i = 0; i < count; i++)
        answers[i] = dns_answer_failed(batch ? DNS_FAILURE_HELPER : DNS_FAILURE_RESOURCES);
    if (!batch)
        return;
    batch->task = task_current();
    batch->arena = arena;
    batch->answers = answers;
    for (size_t i = 0; i < count; i++) {
        batch->items[i] = (struct batch_item){.batch = batch, .index = i, .has_lost_channel = true};
        if (!is_name(requests[i].name)) {
            answers[i] =
                (struct dns_answer){.status = DNS_NO_SUCH_NAME, .canonical_name = span_empty()};
            batch->items[i].has_lost_channel = false;
        }
    }
    if (run_batch(client, batch, requests, count, deadline_ms))
        free(batch);
    else
        batch->task = NULL;
}

void dns_lookup(struct dns_client *client, struct span name, uint16_t type, int64_t deadline_ms,
                struct arena *arena, struct dns_answer *answer)
{
    const struct dns_request request = {name, type};
    dns_lookup_many(client, &request, 1, deadline_ms, arena, answer);
}
