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
    /* So long what it has looked up counts, who its user is: then another one has the new work. */
    LIFE_MS = 30000,
    TIDY_MS = 2000,
    TRIES_MAX = 2,
    RECORDS_LIMIT_BYTES = 32768,
    RECORD_EXTRA_BYTES = 64, /* tags, lengths and numbers of a record, with room */
    WANT_TIMEOUT_MS = 60000
};

struct worker {
    struct map_node node;
    struct list_link link; /* least recently used first */
    struct dispatch *dispatch;
    struct ipc_channel *channel;
    struct list errands;
    int64_t hired_ms;
    int64_t idle_since_ms;
    uint64_t number;         /* of the worker: another may have its key one day */
    unsigned question_count; /* that it has not answered */
    bool is_to_go;
    bool is_gone; /* its channel closed */
    uint8_t key[];
};

/* The recipients of one message that have one owner. */
enum member_state { MEMBER_OPEN, MEMBER_TOLD /* in the result at hand */, MEMBER_DONE };

struct errand {
    struct list_link link;
    struct worker *worker; /* NULL: waits until there may be one more */
    /* Of the first that waits for a worker of its key; the others of that key are behind it. */
    struct map_node node;
    struct list followers;
    struct agent_message *message;
    struct agent_recipient **recipients;
    uint8_t *states; /* enum member_state of each */
    size_t recipient_count;
    size_t pending_count;
    uint64_t number;
    unsigned try_count;
    int64_t started_ms;  /* when the worker that has it was given it */
    int64_t deadline_ms; /* for that worker */
    bool is_maybe_repeated;
    struct span key;
};

struct dispatch {
    struct loop *loop;
    struct dispatch_settings settings;
    struct ipc_channel *root_part;
    struct map workers_by_key;
    struct list workers;
    struct map waiting_by_key;
    struct list waiting; /* errands, the first of each key; no worker serves such a key */
    uint64_t next_number;
    struct loop_timer tidy_timer;
};

static void start_errand(struct dispatch *dispatch, struct errand *errand);
static void start_waiting(struct dispatch *dispatch);

/* ---- errands ---- */

static void end_recipient(struct dispatch *dispatch, struct agent_recipient *recipient,
                          const struct ipc_recipient_result *result)
{
    if (dispatch->settings.on_result)
        dispatch->settings.on_result(recipient, result, dispatch->settings.context);
    else
        agent_finish_result(recipient, result);
}

static void fail_errand(struct dispatch *dispatch, struct errand *errand, struct outcome outcome)
{
    const struct ipc_recipient_result result = {.outcome = outcome};
    for (size_t i = 0; i < errand->recipient_count; i++)
        if (errand->states[i] == MEMBER_OPEN)
            end_recipient(dispatch, errand->recipients[i], &result);
}

static struct agent_recipient *errand_recipient(const struct errand *errand, uint32_t index,
                                                enum member_state from, enum member_state to)
{
    for (size_t i = 0; i < errand->recipient_count; i++)
        if (errand->states[i] == from && errand->recipients[i]->index == index) {
            errand->states[i] = (uint8_t)to;
            return errand->recipients[i];
        }
    return NULL;
}

static bool put_recipients(const struct errand *errand, struct buffer *records)
{
    for (size_t i = 0; i < errand->recipient_count; i++) {
        const struct agent_recipient *recipient = errand->recipients[i];
        if (errand->states[i] != MEMBER_OPEN)
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
    deliver.is_maybe_repeated =
        deliver.is_maybe_repeated || errand->is_maybe_repeated || errand->try_count > 1;
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

/* From now on another one is made for its key. */
static void forget_key(struct worker *worker)
{
    if (!worker->is_gone)
        map_remove(&worker->dispatch->workers_by_key, &worker->node);
    worker->is_gone = true;
}

static void free_worker(struct worker *worker)
{
    struct dispatch *dispatch = worker->dispatch;
    forget_key(worker);
    list_remove(&dispatch->workers, &worker->link); /* first: who asked it hears that it is gone */
    /* Whom it asked, too: it may have told of the end before it had its answer. */
    if (dispatch->settings.on_worker_gone)
        dispatch->settings.on_worker_gone(worker->channel, dispatch->settings.context);
    ipc_channel_destroy(&worker->channel);
    free(worker);
}

/* It is dead, or hangs. */
static void lose_worker(struct worker *worker)
{
    struct dispatch *dispatch = worker->dispatch;
    const int64_t now_ms = clock_monotonic_ms();
    struct list errands;
    list_init(&errands);
    while (!list_is_empty(&worker->errands))
        list_append(&errands, list_pop(&worker->errands));
    free_worker(worker);
    while (!list_is_empty(&errands)) {
        struct errand *errand = CONTAINER_OF(list_pop(&errands), struct errand, link);
        errand->worker = NULL;
        if (errand->deadline_ms <= now_ms) {
            fail_errand(dispatch, errand,
                        outcome_temporary(451, 3, 0, "the delivery process hangs"));
        } else if (errand->try_count < TRIES_MAX) {
            start_errand(dispatch, errand);
        } else {
            fail_errand(dispatch, errand,
                        outcome_temporary(451, 3, 0, "the delivery process ended early"));
        }
    }
    start_waiting(dispatch);
}

static void on_worker_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)channel;
    (void)reason;
    lose_worker(context);
}

/* True: all of the errand has been told. */
static bool note_results(struct errand *errand, const struct ipc_deliver_result *result)
{
    struct ipc_recipient_result one;
    struct span rest = result->results;
    if (result->is_corrupt)
        errand->message->is_corrupt = true;
    while (rest.length > 0 && ipc_records_next(&rest, IPC_RECIPIENT_RESULT, &one) == PARSE_OK)
        if (errand_recipient(errand, one.index, MEMBER_OPEN, MEMBER_TOLD))
            errand->pending_count--; /* else repeated, or made up */
    return errand->pending_count == 0;
}

static void take_results(struct dispatch *dispatch, const struct errand *errand,
                         const struct ipc_deliver_result *result)
{
    struct ipc_recipient_result one;
    struct span rest = result->results;
    while (rest.length > 0 && ipc_records_next(&rest, IPC_RECIPIENT_RESULT, &one) == PARSE_OK) {
        struct agent_recipient *recipient =
            errand_recipient(errand, one.index, MEMBER_TOLD, MEMBER_DONE);
        if (recipient)
            end_recipient(dispatch, recipient, &one);
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

static void take_request(struct worker *worker, struct ipc_channel *channel,
                         const struct ipc_delivery *request)
{
    const struct dispatch_settings *settings = &worker->dispatch->settings;
    const struct ipc_forward *forward = request->message;
    const struct ipc_run *run = request->message;
    const bool is_forward = request->type == IPC_FORWARD;
    const struct errand *errand =
        find_errand(worker, is_forward ? forward->delivery : run->delivery);
    struct agent_recipient *recipient =
        errand ? errand_recipient(errand, is_forward ? forward->index : run->index, MEMBER_OPEN,
                                  MEMBER_OPEN)
               : NULL;
    if (settings->on_request && recipient && request->id != 0)
        settings->on_request(recipient, worker->node.key, channel, request, settings->context);
    else
        worker->is_to_go = true; /* it asks for what is not its own */
}

static void on_worker_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                              void *context)
{
    struct worker *worker = context;
    if (delivery->type == IPC_FORWARD || delivery->type == IPC_RUN) {
        take_request(worker, channel, delivery);
        if (worker->is_to_go)
            on_worker_closed(channel, "a request for somebody else's mail", worker);
        return;
    }
    if (delivery->type == IPC_MAIL_NOTICE && worker->dispatch->settings.on_notice)
        worker->dispatch->settings.on_notice(worker->node.key, delivery->message,
                                             worker->dispatch->settings.context);
    if (delivery->type != IPC_DELIVER_RESULT)
        return; /* its capacity is as we know it */
    const struct ipc_deliver_result *result = delivery->message;
    const struct ipc_deliver_acknowledge acknowledge = {
        .queue_id = result->queue_id, .delivery = result->delivery, .serial = result->serial};
    struct dispatch *dispatch = worker->dispatch;
    struct errand *errand = find_errand(worker, result->delivery);
    if (errand && note_results(errand, result))
        list_remove(&worker->errands, &errand->link);
    (void)ipc_channel_send(channel, IPC_DELIVER_ACKNOWLEDGE,
                           &acknowledge); /* or it is told again */
    const bool is_done = list_is_empty(&worker->errands);
    const bool has_single_use = dispatch->settings.has_single_use;
    if (is_done)
        worker->idle_since_ms = clock_monotonic_ms();
    /* What follows may send this worker home to make room, unless it goes anyway. */
    if (errand)
        take_results(dispatch, errand, result);
    if (is_done && has_single_use)
        free_worker(worker);
    start_waiting(dispatch);
}

static const struct ipc_permission worker_permissions[] = {
    {IPC_DELIVER_RESULT, IPC_ROLE_BIT(IPC_ROLE_WORKER)},
    {IPC_DELIVER_CAPACITY, IPC_ROLE_BIT(IPC_ROLE_WORKER)},
    {IPC_FORWARD, IPC_ROLE_BIT(IPC_ROLE_WORKER)},
    {IPC_RUN, IPC_ROLE_BIT(IPC_ROLE_WORKER)},
    {IPC_MAIL_NOTICE, IPC_ROLE_BIT(IPC_ROLE_WORKER)},
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

static bool is_idle(const struct worker *worker)
{
    return list_is_empty(&worker->errands) && worker->question_count == 0;
}

/* It waits rather than works: for a file server that is away, for its command. */
static bool is_slow(const struct worker *worker, int64_t now_ms)
{
    const struct errand *first = LIST_ITEM(list_first(&worker->errands), struct errand, link);
    return first && now_ms - first->started_ms >= LIFE_MS;
}

/* How many of them leave their places to others. A process for each command is as many as may run
 * at once, however long they take. */
static size_t max_slow(const struct dispatch *dispatch)
{
    const size_t limit = dispatch->settings.worker_limit;
    if (dispatch->settings.has_single_use)
        return 0;
    return limit > DISPATCH_SLOW_MIN ? limit : DISPATCH_SLOW_MIN;
}

static bool has_place(const struct dispatch *dispatch)
{
    const size_t limit = dispatch->settings.worker_limit;
    const size_t slow_limit = max_slow(dispatch);
    const int64_t now_ms = clock_monotonic_ms();
    size_t slow_count = 0;
    if (dispatch->workers.count < limit)
        return true;
    LIST_FOR_EACH (&dispatch->workers, link)
        slow_count += is_slow(CONTAINER_OF(link, struct worker, link), now_ms);
    if (slow_count > slow_limit)
        slow_count = slow_limit;
    return dispatch->workers.count - slow_count < limit;
}

/* Sends the least recently used worker home if it has nothing to do. */
static bool make_room(struct dispatch *dispatch)
{
    if (has_place(dispatch))
        return true;
    LIST_FOR_EACH (&dispatch->workers, link) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        if (is_idle(worker)) {
            free_worker(worker);
            return true;
        }
    }
    return false;
}

static bool hire(struct dispatch *dispatch, struct span key, int socket)
{
    const struct ipc_worker_want want = {.key = key, .socket = socket};
    return ipc_channel_call_async(dispatch->root_part, IPC_WORKER_WANT, &want, IPC_WORKER_REPLY,
                                  clock_deadline_after(WANT_TIMEOUT_MS), on_worker_reply, NULL);
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
    worker->number = dispatch->next_number++;
    worker->hired_ms = clock_monotonic_ms();
    list_init(&worker->errands);
    worker->channel =
        ipc_channel_create(dispatch->loop, ends[0], IPC_ROLE_WORKER, &worker_handlers, worker);
    if (!worker->channel) {
        file_close(ends[1]);
        free(worker);
        return NULL;
    }
    if (!hire(dispatch, worker->node.key, ends[1]) ||
        !map_insert(&dispatch->workers_by_key, &worker->node)) {
        ipc_channel_destroy(&worker->channel);
        free(worker);
        return NULL;
    }
    list_append(&dispatch->workers, &worker->link);
    return worker;
}

/* Errands that hang, for a user's files or behind his commands, keep the worker that has them, and
 * every half minute there would be another one for the next: half of the places are for others.
 * Where there are few, one that hangs does not count, and may have one more beside it. */
static size_t share_of_places(const struct dispatch *dispatch)
{
    const size_t limit = dispatch->settings.worker_limit;
    return limit > 4 ? limit / 2 : 2;
}

/* Workers that had been the key's and still have something to do. */
static size_t count_former(const struct dispatch *dispatch, struct span key)
{
    size_t count = 0;
    LIST_FOR_EACH (&dispatch->workers, link) {
        const struct worker *worker = CONTAINER_OF(link, struct worker, link);
        count += worker->is_gone && !is_idle(worker) && span_equals(worker->node.key, key);
    }
    return count;
}

/* Who may have new work for that key; NULL: nobody. Where there may be no other one the last goes
 * on: what is slow, a list's command, say, is not to hold up everything else of that key. */
static struct worker *find_serving(struct dispatch *dispatch, struct span key)
{
    struct map_node *node = map_find(&dispatch->workers_by_key, key);
    struct worker *worker = node ? CONTAINER_OF(node, struct worker, node) : NULL;
    if (!worker || clock_monotonic_ms() - worker->hired_ms < LIFE_MS)
        return worker;
    if (is_idle(worker))
        free_worker(worker);
    else if (count_former(dispatch, key) + 1 < share_of_places(dispatch))
        forget_key(worker);
    else
        return worker;
    return NULL;
}

static bool has_its_share(const struct dispatch *dispatch, struct span key)
{
    return count_former(dispatch, key) >= share_of_places(dispatch);
}

static void wait_for_worker(struct dispatch *dispatch, struct errand *errand)
{
    struct map_node *node = map_find(&dispatch->waiting_by_key, errand->key);
    if (node) {
        list_append(&CONTAINER_OF(node, struct errand, node)->followers, &errand->link);
        return;
    }
    list_init(&errand->followers);
    errand->node.key = errand->key;
    if (map_insert(&dispatch->waiting_by_key, &errand->node))
        list_append(&dispatch->waiting, &errand->link);
    else
        fail_errand(dispatch, errand, outcome_temporary(451, 3, 0, "out of memory"));
}

/* All that wait for a worker of that key. */
static void start_key(struct dispatch *dispatch, struct span key)
{
    struct map_node *node = map_find(&dispatch->waiting_by_key, key);
    struct errand *first = node ? CONTAINER_OF(node, struct errand, node) : NULL;
    struct list errands;
    if (!first)
        return;
    list_init(&errands);
    map_remove(&dispatch->waiting_by_key, node);
    list_remove(&dispatch->waiting, &first->link);
    list_append(&errands, &first->link);
    while (!list_is_empty(&first->followers))
        list_append(&errands, list_pop(&first->followers));
    while (!list_is_empty(&errands))
        start_errand(dispatch, CONTAINER_OF(list_pop(&errands), struct errand, link));
}

/* Up to the first for which there is no place: one result costs no look at all that wait. A key
 * that has its share waits again, at the end; there are few of those. */
static void start_waiting(struct dispatch *dispatch)
{
    for (size_t count = dispatch->waiting.count; count > 0 && !list_is_empty(&dispatch->waiting);
         count--) {
        struct errand *first = LIST_ITEM(list_first(&dispatch->waiting), struct errand, link);
        if (has_its_share(dispatch, first->key)) {
            list_remove(&dispatch->waiting, &first->link);
            list_append(&dispatch->waiting, &first->link);
        } else if (make_room(dispatch)) {
            start_key(dispatch, first->key);
        } else {
            return;
        }
    }
}

static void start_errand(struct dispatch *dispatch, struct errand *errand)
{
    struct worker *worker = find_serving(dispatch, errand->key);
    const bool is_new = !worker;
    if (is_new && (has_its_share(dispatch, errand->key) || !make_room(dispatch))) {
        wait_for_worker(dispatch, errand);
        return;
    }
    if (is_new)
        worker = create_worker(dispatch, errand->key);
    if (worker) {
        list_remove(&dispatch->workers, &worker->link);
        list_append(&dispatch->workers, &worker->link);
        errand->worker = worker;
        errand->try_count++;
        errand->started_ms = clock_monotonic_ms();
        errand->deadline_ms = dispatch->settings.time_limit_ms > 0
                                  ? clock_deadline_after(dispatch->settings.time_limit_ms)
                                  : CLOCK_NEVER;
        list_append(&worker->errands, &errand->link);
        if (send_errand(errand)) {
            if (is_new)
                start_key(dispatch, errand->key);
            return;
        }
        list_remove(&worker->errands, &errand->link);
        errand->worker = NULL;
    }
    fail_errand(dispatch, errand,
                outcome_temporary(451, 3, 0, "cannot hand over to a delivery process"));
}

/* For us: a command that has its turn late, behind others. */
static bool has_to_wait(const struct dispatch *dispatch, const struct errand *errand)
{
    for (size_t i = 0; dispatch->settings.is_waiting && i < errand->recipient_count; i++)
        if (errand->states[i] == MEMBER_OPEN &&
            dispatch->settings.is_waiting(errand->recipients[i], dispatch->settings.context))
            return true;
    return false;
}

/* Somebody who owns it may have stopped it, or lets it wait for a file system of his own. */
static struct worker *find_hanging(const struct dispatch *dispatch, int64_t now_ms)
{
    LIST_FOR_EACH (&dispatch->workers, link) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        LIST_FOR_EACH (&worker->errands, errand_link) {
            struct errand *errand = CONTAINER_OF(errand_link, struct errand, link);
            if (errand->deadline_ms > now_ms)
                continue;
            if (!has_to_wait(dispatch, errand))
                return worker;
            errand->deadline_ms = now_ms + dispatch->settings.time_limit_ms;
        }
    }
    return NULL;
}

static void tidy(void *context)
{
    struct dispatch *dispatch = context;
    const int64_t now_ms = clock_monotonic_ms();
    for (struct worker *worker; (worker = find_hanging(dispatch, now_ms));)
        lose_worker(worker);
    LIST_FOR_EACH (&dispatch->workers, link) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        if (is_idle(worker) && now_ms - worker->idle_since_ms >= IDLE_MS)
            free_worker(worker);
    }
    start_waiting(dispatch); /* one that has become slow makes room */
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
    errand->states = arena_alloc(&message->arena, message->recipient_count);
    return errand->key.bytes && errand->recipients && errand->states ? errand : NULL;
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

void dispatch_send(struct dispatch *dispatch, struct agent_recipient *recipient, struct span key,
                   bool is_maybe_repeated)
{
    struct errand *errand = make_errand(dispatch, recipient->message, key);
    if (!errand) {
        const struct ipc_recipient_result result = {
            .outcome = outcome_temporary(451, 3, 0, "out of memory")};
        end_recipient(dispatch, recipient, &result);
        return;
    }
    errand->recipients[errand->recipient_count++] = recipient;
    errand->pending_count = 1;
    errand->is_maybe_repeated = is_maybe_repeated;
    start_errand(dispatch, errand);
}

/* What a record of DELIVER takes. */
static size_t record_bytes(const struct agent_recipient *recipient)
{
    return recipient->recipient.length + recipient->original.length + recipient->mailbox.length +
           RECORD_EXTRA_BYTES;
}

void dispatch_send_each(struct dispatch *dispatch, struct agent_recipient *const *recipients,
                        size_t count, struct span key)
{
    while (count > 0) {
        struct errand *errand = make_errand(dispatch, recipients[0]->message, key);
        size_t taken = 0;
        for (size_t bytes = 0; errand && taken < count; taken++) {
            bytes += record_bytes(recipients[taken]);
            if (bytes > RECORDS_LIMIT_BYTES && taken > 0)
                break; /* the rest in another */
            errand->recipients[errand->recipient_count++] = recipients[taken];
        }
        if (errand) {
            errand->pending_count = errand->recipient_count;
            start_errand(dispatch, errand);
        } else {
            agent_finish(recipients[taken++], outcome_temporary(451, 3, 0, "out of memory"));
        }
        recipients += taken;
        count -= taken;
    }
}

bool dispatch_has_worker(struct dispatch *dispatch, struct span key)
{
    return find_serving(dispatch, key) != NULL;
}

/* ---- questions ---- */

struct question {
    struct dispatch *dispatch;
    uint64_t worker_number; /* it may be gone by then */
    ipc_call_done *done;
    void *context;
};

/* NULL: it is gone. */
static struct worker *find_worker(const struct dispatch *dispatch, uint64_t number)
{
    LIST_FOR_EACH (&dispatch->workers, link) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        if (worker->number == number)
            return worker;
    }
    return NULL;
}

/* A worker without an answer is dead, or hangs: in a file of somebody's, a server of tables,
 * stopped. Others are not to wait for that, and ask another. */
static void on_answer(enum ipc_call_result result, void *reply, void *context)
{
    struct question *question = context;
    struct dispatch *dispatch = question->dispatch;
    struct worker *worker = find_worker(dispatch, question->worker_number);
    if (worker) {
        worker->question_count--;
        worker->idle_since_ms = clock_monotonic_ms();
    }
    if (worker && result != IPC_CALL_OK)
        forget_key(worker);
    question->done(result, reply, question->context);
    free(question);
    start_waiting(dispatch); /* this one may make room now */
}

/* Workers that are asked are few, one for each table, and so beside the limit. */
bool dispatch_ask(struct dispatch *dispatch, struct span key, enum ipc_type type, const void *ask,
                  enum ipc_type reply_type, int64_t deadline_ms, ipc_call_done *done, void *context)
{
    struct worker *serving = find_serving(dispatch, key);
    struct worker *worker = serving ? serving : create_worker(dispatch, key);
    struct question *question = worker ? calloc(1, sizeof(*question)) : NULL;
    if (!question)
        return false;
    *question = (struct question){
        .dispatch = dispatch, .worker_number = worker->number, .done = done, .context = context};
    if (!ipc_channel_call_async(worker->channel, type, ask, reply_type, deadline_ms, on_answer,
                                question)) {
        free(question);
        return false;
    }
    worker->question_count++;
    list_remove(&dispatch->workers, &worker->link);
    list_append(&dispatch->workers, &worker->link);
    start_key(dispatch, key);
    return true;
}

struct ipc_channel *dispatch_hire(struct dispatch *dispatch, struct span key,
                                  const struct ipc_channel_handlers *handlers, void *context)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return NULL;
    struct ipc_channel *channel =
        ipc_channel_create(dispatch->loop, ends[0], IPC_ROLE_WORKER, handlers, context);
    if (!channel) {
        file_close(ends[1]);
        return NULL;
    }
    if (!hire(dispatch, key, ends[1]))
        ipc_channel_destroy(&channel);
    return channel;
}

void dispatch_deliver(struct agent_message *message, void *context)
{
    struct dispatch *dispatch = context;
    struct list errands;
    list_init(&errands);
    for (size_t i = 0; dispatch->settings.route && i < message->recipient_count; i++)
        dispatch->settings.route(&message->recipients[i], dispatch->settings.context);
    if (dispatch->settings.route)
        return;
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
    dispatch->settings.on_root_part_gone(dispatch->settings.root_part_context);
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
    map_init(&dispatch->waiting_by_key, seed);
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
