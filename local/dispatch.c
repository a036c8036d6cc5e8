/* local/dispatch - see dispatch.h. */
#include "dispatch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/map.h"
#include "system/file.h"
#include "system/random.h"

enum {
    IDLE_MS = 10000, /* a worker without work is sent home */
    TIDY_MS = 2000,
    TRIES_MAX = 2,
    RECORDS_LIMIT_BYTES = 32768,
    WANT_TIMEOUT_MS = 60000
};

struct worker {
    struct map_node node;
    struct list_link link; /* least recently used first */
    struct dispatch *dispatch;
    struct ipc_channel *channel;
    struct list errands;
    int64_t idle_since_ms;
    uint8_t key[];
};

/* The recipients of one message that have one owner. */
struct errand {
    struct list_link link;
    struct worker *worker; /* NULL: waits until there may be one more */
    struct agent_message *message;
    struct agent_recipient **recipients;
    size_t recipient_count;
    size_t pending_count;
    uint64_t number;
    unsigned try_count;
    struct span key;
};

struct dispatch {
    struct loop *loop;
    struct dispatch_settings settings;
    struct ipc_channel *root_part;
    struct map workers_by_key;
    struct list workers;
    struct list waiting; /* errands */
    uint64_t next_number;
    struct loop_timer tidy_timer;
};

static void start_errand(struct dispatch *dispatch, struct errand *errand);

/* ---- errands ---- */

static void fail_errand(struct errand *errand, struct outcome outcome)
{
    for (size_t i = 0; i < errand->recipient_count; i++)
        if (!errand->recipients[i]->is_finished)
            agent_finish(errand->recipients[i], outcome);
}

static struct agent_recipient *errand_recipient(const struct errand *errand, uint32_t index)
{
    for (size_t i = 0; i < errand->recipient_count; i++)
        if (errand->recipients[i]->index == index && !errand->recipients[i]->is_finished)
            return errand->recipients[i];
    return NULL;
}

static bool put_recipients(const struct errand *errand, struct buffer *records)
{
    for (size_t i = 0; i < errand->recipient_count; i++) {
        const struct agent_recipient *recipient = errand->recipients[i];
        if (recipient->is_finished)
            continue; /* a worker had told of this one before it died */
        const struct ipc_deliver_recipient sent = {.index = recipient->index,
                                                   .recipient = recipient->recipient,
                                                   .original = recipient->original,
                                                   .mailbox = recipient->mailbox};
        ipc_records_append(IPC_DELIVER_RECIPIENT, &sent, records);
    }
    return buffer_ok(records);
}

/* The worker gets a descriptor of its own; ours keeps the lock until the last acknowledgement. */
static bool send_errand(struct errand *errand)
{
    struct buffer records;
    const struct agent_message *message = errand->message;
    struct ipc_deliver deliver = message->deliver;
    buffer_init(&records, NULL, RECORDS_LIMIT_BYTES);
    deliver.content = fcntl(message->content.descriptor, F_DUPFD_CLOEXEC, 0);
    deliver.delivery = errand->number;
    deliver.is_maybe_repeated = deliver.is_maybe_repeated || errand->try_count > 1;
    bool is_sent = false;
    if (deliver.content >= 0 && put_recipients(errand, &records)) {
        deliver.recipients = buffer_span(&records);
        is_sent = ipc_channel_send(errand->worker->channel, IPC_DELIVER, &deliver);
    } else {
        file_close(deliver.content);
    }
    buffer_release(&records);
    return is_sent;
}

/* ---- workers ---- */

static void free_worker(struct worker *worker)
{
    struct dispatch *dispatch = worker->dispatch;
    ipc_channel_destroy(&worker->channel);
    map_remove(&dispatch->workers_by_key, &worker->node);
    list_remove(&dispatch->workers, &worker->link);
    free(worker);
}

static void start_waiting(struct dispatch *dispatch)
{
    /* Each either starts or waits again, at the end. */
    for (size_t count = dispatch->waiting.count; count > 0; count--)
        start_errand(dispatch, CONTAINER_OF(list_pop(&dispatch->waiting), struct errand, link));
}

static void on_worker_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct worker *worker = context;
    struct dispatch *dispatch = worker->dispatch;
    struct list errands;
    (void)channel;
    (void)reason;
    list_init(&errands);
    while (!list_is_empty(&worker->errands))
        list_append(&errands, list_pop(&worker->errands));
    free_worker(worker);
    while (!list_is_empty(&errands)) {
        struct errand *errand = CONTAINER_OF(list_pop(&errands), struct errand, link);
        errand->worker = NULL;
        if (errand->try_count < TRIES_MAX)
            start_errand(dispatch, errand);
        else
            fail_errand(errand, outcome_temporary(451, 3, 0, "the delivery process ended early"));
    }
    start_waiting(dispatch);
}

static void take_results(struct errand *errand, const struct ipc_deliver_result *result)
{
    struct ipc_recipient_result one;
    struct span rest = result->results;
    if (result->is_corrupt)
        errand->message->is_corrupt = true;
    while (rest.length > 0 && ipc_records_next(&rest, IPC_RECIPIENT_RESULT, &one) == PARSE_OK) {
        struct agent_recipient *recipient = errand_recipient(errand, one.index);
        if (!recipient)
            continue; /* repeated, or made up */
        errand->pending_count--;
        agent_finish(recipient, one.outcome);
    }
}

static struct errand *find_errand(const struct worker *worker, uint64_t number)
{
    LIST_FOR_EACH (&worker->errands, link) {
        struct errand *errand = CONTAINER_OF(link, struct errand, link);
        if (errand->number == number)
            return errand;
    }
    return NULL;
}

static void on_worker_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                              void *context)
{
    struct worker *worker = context;
    if (delivery->type != IPC_DELIVER_RESULT)
        return; /* its capacity is as we know it */
    const struct ipc_deliver_result *result = delivery->message;
    const struct ipc_deliver_acknowledge acknowledge = {
        .queue_id = result->queue_id, .delivery = result->delivery, .serial = result->serial};
    struct errand *errand = find_errand(worker, result->delivery);
    if (errand) {
        take_results(errand, result);
        if (errand->pending_count == 0)
            list_remove(&worker->errands, &errand->link);
    }
    (void)ipc_channel_send(channel, IPC_DELIVER_ACKNOWLEDGE,
                           &acknowledge); /* or it is told again */
    if (list_is_empty(&worker->errands)) {
        struct dispatch *dispatch = worker->dispatch;
        worker->idle_since_ms = clock_monotonic_ms();
        if (dispatch->settings.has_single_use)
            free_worker(worker);
        start_waiting(dispatch);
    }
}

static const struct ipc_permission worker_permissions[] = {
    {IPC_DELIVER_RESULT, IPC_ROLE_BIT(IPC_ROLE_WORKER)},
    {IPC_DELIVER_CAPACITY, IPC_ROLE_BIT(IPC_ROLE_WORKER)},
    {0, 0}};
static const struct ipc_channel_handlers worker_handlers = {on_worker_message, on_worker_closed,
                                                            worker_permissions};

/* A refusal closes the worker's end of its channel, of which the worker's handler hears. */
static void on_worker_reply(enum ipc_call_result result, void *reply, void *context)
{
    (void)result;
    (void)reply;
    (void)context;
}

/* Sends the least recently used worker home if it has nothing to do. */
static bool make_room(struct dispatch *dispatch)
{
    if (dispatch->workers.count < dispatch->settings.worker_limit)
        return true;
    LIST_FOR_EACH (&dispatch->workers, link) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        if (list_is_empty(&worker->errands)) {
            free_worker(worker);
            return true;
        }
    }
    return false;
}

static struct worker *create_worker(struct dispatch *dispatch, struct span key)
{
    int ends[2];
    struct worker *worker = calloc(1, sizeof(*worker) + key.length);
    if (!worker)
        return NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        free(worker);
        return NULL;
    }
    memcpy(worker->key, key.bytes, key.length);
    worker->node.key = span_of(worker->key, key.length);
    worker->dispatch = dispatch;
    list_init(&worker->errands);
    const struct ipc_worker_want want = {.key = worker->node.key, .socket = ends[1]};
    worker->channel =
        ipc_channel_create(dispatch->loop, ends[0], IPC_ROLE_WORKER, &worker_handlers, worker);
    if (!worker->channel) {
        file_close(ends[1]);
        free(worker);
        return NULL;
    }
    if (!ipc_channel_call_async(dispatch->root_part, IPC_WORKER_WANT, &want, IPC_WORKER_REPLY,
                                clock_deadline_after(WANT_TIMEOUT_MS), on_worker_reply, NULL) ||
        !map_insert(&dispatch->workers_by_key, &worker->node)) {
        ipc_channel_destroy(&worker->channel);
        free(worker);
        return NULL;
    }
    list_append(&dispatch->workers, &worker->link);
    return worker;
}

static void start_errand(struct dispatch *dispatch, struct errand *errand)
{
    struct map_node *node = map_find(&dispatch->workers_by_key, errand->key);
    struct worker *worker = node ? CONTAINER_OF(node, struct worker, node) : NULL;
    if (!worker && !make_room(dispatch)) {
        list_append(&dispatch->waiting, &errand->link);
        return;
    }
    if (!worker)
        worker = create_worker(dispatch, errand->key);
    if (worker) {
        list_remove(&dispatch->workers, &worker->link);
        list_append(&dispatch->workers, &worker->link);
        errand->worker = worker;
        errand->try_count++;
        list_append(&worker->errands, &errand->link);
        if (send_errand(errand))
            return;
        list_remove(&worker->errands, &errand->link);
        errand->worker = NULL;
    }
    fail_errand(errand, outcome_temporary(451, 3, 0, "cannot hand over to a delivery process"));
}

static void tidy(void *context)
{
    struct dispatch *dispatch = context;
    const int64_t now_ms = clock_monotonic_ms();
    LIST_FOR_EACH (&dispatch->workers, link) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        if (list_is_empty(&worker->errands) && now_ms - worker->idle_since_ms >= IDLE_MS)
            free_worker(worker);
    }
    loop_timer_set(&dispatch->tidy_timer, clock_deadline_after(TIDY_MS));
}

/* ---- deliveries ---- */

static struct errand *make_errand(struct dispatch *dispatch, struct agent_message *message,
                                  struct span key)
{
    struct errand *errand = arena_alloc(&message->arena, sizeof(*errand));
    if (!errand)
        return NULL;
    errand->message = message;
    errand->number = ++dispatch->next_number;
    errand->key = arena_copy(&message->arena, key);
    errand->recipients =
        arena_alloc(&message->arena, message->recipient_count * sizeof(struct agent_recipient *));
    return errand->key.bytes && errand->recipients ? errand : NULL;
}

/* Puts the recipient to those with the same owner. NULL: it was finished instead. */
static struct errand *find_or_make(struct dispatch *dispatch, struct list *errands,
                                   struct agent_recipient *recipient, struct span key)
{
    LIST_FOR_EACH (errands, link) {
        struct errand *errand = CONTAINER_OF(link, struct errand, link);
        if (span_equals(errand->key, key))
            return errand;
    }
    struct errand *errand = make_errand(dispatch, recipient->message, key);
    if (errand)
        list_append(errands, &errand->link);
    return errand;
}

static void sort_recipient(struct dispatch *dispatch, struct list *errands,
                           struct agent_recipient *recipient)
{
    struct buffer key;
    struct outcome outcome = outcome_temporary(451, 3, 0, "out of memory");
    struct errand *errand = NULL;
    buffer_init(&key, NULL, DISPATCH_KEY_MAX_BYTES);
    if (dispatch->settings.key(recipient, &key, &outcome, dispatch->settings.context) &&
        buffer_ok(&key))
        errand = find_or_make(dispatch, errands, recipient, buffer_span(&key));
    buffer_release(&key);
    if (!errand) {
        agent_finish(recipient, outcome);
        return;
    }
    errand->recipients[errand->recipient_count++] = recipient;
    errand->pending_count++;
}

void dispatch_deliver(struct agent_message *message, void *context)
{
    struct dispatch *dispatch = context;
    struct list errands;
    list_init(&errands);
    for (size_t i = 0; i < message->recipient_count; i++)
        sort_recipient(dispatch, &errands, &message->recipients[i]);
    while (!list_is_empty(&errands))
        start_errand(dispatch, CONTAINER_OF(list_pop(&errands), struct errand, link));
}

/* ---- life ---- */

static void on_root_part_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct dispatch *dispatch = context;
    (void)channel;
    (void)reason;
    dispatch->settings.on_root_part_gone(dispatch->settings.context);
}

struct dispatch *dispatch_create(struct loop *loop, const struct dispatch_settings *settings)
{
    static const struct ipc_permission none[] = {{0, 0}};
    static const struct ipc_channel_handlers handlers = {NULL, on_root_part_closed, none};
    uint8_t seed[16];
    struct dispatch *dispatch = calloc(1, sizeof(*dispatch));
    if (!dispatch)
        return NULL;
    random_bytes(seed, sizeof(seed));
    map_init(&dispatch->workers_by_key, seed);
    list_init(&dispatch->workers);
    list_init(&dispatch->waiting);
    dispatch->loop = loop;
    dispatch->settings = *settings;
    dispatch->root_part =
        ipc_channel_create(loop, settings->root_part, IPC_ROLE_WORKER, &handlers, dispatch);
    if (!dispatch->root_part) {
        free(dispatch);
        return NULL;
    }
    loop_timer_init(&dispatch->tidy_timer, loop, tidy, dispatch);
    loop_timer_set(&dispatch->tidy_timer, clock_deadline_after(TIDY_MS));
    return dispatch;
}
