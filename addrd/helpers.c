/* addrd/helpers - see helpers.h. */
#include "helpers.h"

#include <stdlib.h>

#include "system/task.h"

enum {
    HELPER_PAUSE_MS = 1000, /* between two workers in the same place, when the first died early */
    HELPER_ARENA_BYTES = 256 * 1024,
    HELPER_KEY_MAX_BYTES = 1024, /* IPC_ADDRESS_MAX */
    HELPER_ATTEMPTS = 2          /* a worker may die of somebody else's look-up, once */
};

struct helper {
    struct helpers *helpers;
    struct ipc_channel *channel; /* NULL: being replaced */
    struct loop_timer pause;
    int64_t started_ms;
    uint32_t generation; /* of the worker in this place */
    bool is_busy;
};

struct waiter {
    struct list_link link;
    struct task *task;
    size_t table_number;
    struct helper *helper; /* given to it */
    uint32_t generation;
};

static void report(struct helpers *helpers, const char *text)
{
    if (helpers->report)
        helpers->report(helpers->report_context, span_from_string(text));
}

static bool may_take_one(const struct helpers *helpers, size_t table_number)
{
    const size_t most = helpers->count > 1 ? helpers->count - 1 : 1;
    return helpers->busy_by_table[table_number] < most;
}

static struct helper *find_idle(struct helpers *helpers)
{
    for (size_t i = 0; i < helpers->count; i++)
        if (helpers->all[i].channel && !helpers->all[i].is_busy)
            return &helpers->all[i];
    return NULL;
}

static struct helper *take(struct helpers *helpers, struct helper *helper, size_t table_number)
{
    helper->is_busy = true;
    helpers->busy_by_table[table_number]++;
    return helper;
}

/* Whoever waits longest among those that may. */
static void serve_waiting(struct helpers *helpers)
{
    LIST_FOR_EACH (&helpers->waiting, link) {
        struct waiter *waiter = LIST_ITEM(link, struct waiter, link);
        struct helper *idle = find_idle(helpers);
        if (!idle)
            return;
        if (!may_take_one(helpers, waiter->table_number))
            continue;
        waiter->helper = take(helpers, idle, waiter->table_number);
        waiter->generation = idle->generation;
        list_remove(&helpers->waiting, link);
        task_wake(waiter->task);
    }
}

/* ---- making and replacing ---- */

static void on_helper_closed(struct ipc_channel *channel, const char *reason, void *context);
static const struct ipc_channel_handlers helper_handlers = {NULL, on_helper_closed, NULL};

static void make_later(struct helper *helper)
{
    loop_timer_set(&helper->pause, clock_deadline_after(HELPER_PAUSE_MS));
}

static void on_made(enum ipc_call_result result, void *reply, void *context)
{
    struct helper *helper = context;

    if (result != IPC_CALL_OK)
        return; /* the nursery is gone, and all ends with it */
    struct ipc_nursery_worker *worker = reply;
    helper->channel = ipc_channel_create(helper->helpers->loop, worker->socket, IPC_ROLE_WORKER,
                                         &helper_handlers, helper);
    worker->socket = -1;
    helper->started_ms = clock_monotonic_ms();
    if (helper->channel)
        serve_waiting(helper->helpers);
    else
        make_later(helper);
}

static void make(void *context)
{
    struct helper *helper = context;
    struct helpers *helpers = helper->helpers;
    const struct ipc_nursery_want want = {.place = (uint32_t)(helper - helpers->all)};

    if (!helpers->nursery ||
        !ipc_channel_call_async(helpers->nursery, IPC_NURSERY_WANT, &want, IPC_NURSERY_WORKER,
                                CLOCK_NEVER, on_made, helper))
        make_later(helper);
}

static void vacate(struct helper *helper)
{
    ipc_channel_destroy(&helper->channel);
    helper->is_busy = false;
    helper->generation++;
}

/* Its look-up, if it had one, has failed before this. */
static void on_helper_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                             void *context)
{
    struct helper *helper = context;
    report(helper->helpers, "a worker has ended; another takes its place");
    vacate(helper);
    if (clock_monotonic_ms() - helper->started_ms < HELPER_PAUSE_MS)
        make_later(helper);
    else
        make(helper);
}

static void on_nursery_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                              void *context)
{
    struct helpers *helpers = context;
    ipc_channel_destroy(&helpers->nursery);
    if (helpers->on_nursery_gone)
        helpers->on_nursery_gone(helpers->context);
}

bool helpers_start(struct helpers *helpers, struct loop *loop, int nursery_descriptor, size_t count,
                   size_t table_count, int64_t timeout_ms)
{
    static const struct ipc_channel_handlers nursery_handlers = {NULL, on_nursery_closed, NULL};

    helpers->loop = loop;
    helpers->count = count;
    helpers->table_count = table_count;
    helpers->timeout_ms = timeout_ms;
    list_init(&helpers->waiting);
    helpers->all = calloc(count, sizeof(*helpers->all));
    helpers->busy_by_table = calloc(table_count + 1, sizeof(*helpers->busy_by_table));
    helpers->nursery =
        ipc_channel_create(loop, nursery_descriptor, IPC_ROLE_WORKER, &nursery_handlers, helpers);
    if (!helpers->all || !helpers->busy_by_table || !helpers->nursery)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct helper *helper = &helpers->all[i];
        helper->helpers = helpers;
        loop_timer_init(&helper->pause, loop, make, helper);
        make(helper);
    }
    return true;
}

void helpers_stop(struct helpers *helpers)
{
    for (size_t i = 0; i < helpers->count; i++) {
        loop_timer_release(&helpers->all[i].pause);
        ipc_channel_destroy(&helpers->all[i].channel);
    }
    ipc_channel_destroy(&helpers->nursery);
    free(helpers->all);
    free(helpers->busy_by_table);
    helpers->count = 0;
}

/* ---- asking ---- */

static struct helper *wait_for_helper(struct helpers *helpers, size_t table_number,
                                      int64_t deadline_ms, uint32_t *generation)
{
    struct waiter waiter = {.task = task_current(), .table_number = table_number};
    enum task_wake wake = TASK_WOKEN;

    list_append(&helpers->waiting, &waiter.link);
    serve_waiting(helpers);
    while (!waiter.helper && wake == TASK_WOKEN)
        wake = task_park(deadline_ms);
    if (!waiter.helper)
        list_remove(&helpers->waiting, &waiter.link);
    *generation = waiter.generation;
    return waiter.helper;
}

/* generation: of the worker that was asked; another may stand in its place by now. */
static void give_back(struct helpers *helpers, struct helper *helper, uint32_t generation,
                      size_t table_number, enum ipc_call_result result)
{
    helpers->busy_by_table[table_number]--;
    if (helper->generation == generation) {
        if (result == IPC_CALL_TIMED_OUT || result == IPC_CALL_CANCELLED) {
            /* It still works on what nobody waits for any more. */
            report(helpers, "a worker does not answer; another takes its place");
            vacate(helper);
            make(helper);
        } else {
            helper->is_busy = false;
        }
    }
    serve_waiting(helpers);
}

enum table_result helpers_ask(struct helpers *helpers, size_t table_number, struct span key,
                              struct buffer *value, struct buffer *reason)
{
    const int64_t wait_deadline_ms = clock_deadline_after(helpers->timeout_ms);
    struct ipc_table_lookup_reply reply = {.status = TABLE_ERROR};
    enum ipc_call_result result = IPC_CALL_CLOSED;
    struct arena arena;

    ASSERT(table_number < helpers->table_count);
    if (key.length > HELPER_KEY_MAX_BYTES)
        return TABLE_NOT_FOUND; /* no name or address is that long */
    arena_init(&arena, HELPER_ARENA_BYTES, 0);
    const struct ipc_table_lookup question = {.table = (uint32_t)table_number,
                                              .key = arena_copy(&arena, key)};
    for (int i = 0; question.key.bytes && i < HELPER_ATTEMPTS && result == IPC_CALL_CLOSED; i++) {
        uint32_t generation;
        struct helper *helper =
            wait_for_helper(helpers, table_number, wait_deadline_ms, &generation);
        if (!helper) {
            result = IPC_CALL_TIMED_OUT;
            break;
        }
        /* Its channel may have closed between the choice and now. A worker has the whole time,
         * however long its turn was in coming: being short of time is no reason to replace it. */
        if (helper->generation == generation)
            result = ipc_channel_call(helper->channel, IPC_TABLE_LOOKUP, &question,
                                      IPC_TABLE_LOOKUP_REPLY, &reply, &arena,
                                      clock_deadline_after(helpers->timeout_ms));
        give_back(helpers, helper, generation, table_number, result);
    }
    enum table_result found = TABLE_ERROR;
    if (result == IPC_CALL_OK && reply.status <= TABLE_ERROR)
        found = (enum table_result)reply.status;
    if (found == TABLE_FOUND)
        buffer_append_span(value, reply.value);
    else if (found == TABLE_ERROR && result == IPC_CALL_OK)
        buffer_append_span(reason, reply.reason);
    else if (found == TABLE_ERROR)
        buffer_append_string(reason, result == IPC_CALL_TIMED_OUT
                                         ? "no answer in time"
                                         : "the worker that was asked has ended");
    arena_destroy(&arena);
    return found;
}
