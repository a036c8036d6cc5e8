/* crew/crew - see crew.h. */
#include "crew/crew.h"

#include <stdlib.h>

#include "system/task.h"

enum {
    PAUSE_MS = 1000, /* between two workers in the same place, when the first died early */
    ATTEMPTS = 2     /* a worker may die of somebody else's question, once */
};

struct crew_member {
    struct crew *crew;
    struct ipc_channel *channel; /* NULL: there is none */
    struct loop_timer pause;
    int64_t started_ms;
    uint32_t generation; /* of the worker in this place */
    bool is_wanted;      /* the nursery is making one, or will */
    bool is_busy;
};

struct waiter {
    struct list_link link;
    struct task *task;
    size_t subject;
    uint32_t asker;
    uint64_t turn;
    struct crew_member *member; /* given to it */
    uint32_t generation;
};

static void report(const struct crew *crew, const char *text)
{
    if (crew->settings.report)
        crew->settings.report(crew->settings.context, text);
}

static bool may_take_one(const struct crew *crew, size_t subject)
{
    const size_t count = crew->settings.worker_count;
    const size_t most = crew->settings.leaves_one && count > 1 ? count - 1 : count;
    return crew->busy_by_subject[subject] < most;
}

/* ---- making and replacing ---- */

static void serve_waiting(struct crew *crew);
static void on_member_closed(struct ipc_channel *channel, const char *reason, void *context);
static const struct ipc_channel_handlers member_handlers = {NULL, on_member_closed, NULL};

static void make_later(struct crew_member *member)
{
    loop_timer_set(&member->pause, clock_deadline_after(PAUSE_MS));
}

static void on_made(enum ipc_call_result result, void *reply, void *context)
{
    struct crew_member *member = context;
    if (result != IPC_CALL_OK)
        return; /* the nursery is gone, and all ends with it */
    struct ipc_nursery_worker *worker = reply;
    member->channel = ipc_channel_create(member->crew->loop, worker->socket, IPC_ROLE_WORKER,
                                         &member_handlers, member);
    worker->socket = -1;
    member->started_ms = clock_monotonic_ms();
    if (!member->channel) {
        make_later(member);
        return;
    }
    if (member->crew->settings.is_secret)
        ipc_channel_set_secret(member->channel);
    member->is_wanted = false;
    serve_waiting(member->crew);
}

static void make(void *context)
{
    struct crew_member *member = context;
    struct crew *crew = member->crew;
    const struct ipc_nursery_want want = {.place = (uint32_t)(member - crew->members)};
    member->is_wanted = true;
    if (!crew->nursery || !ipc_channel_call_async(crew->nursery, IPC_NURSERY_WANT, &want,
                                                  IPC_NURSERY_WORKER, CLOCK_NEVER, on_made, member))
        make_later(member);
}

static void vacate(struct crew_member *member)
{
    ipc_channel_destroy(&member->channel);
    member->is_busy = false;
    member->generation++;
}

/* Its question, if it had one, has failed before this. */
static void on_member_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                             void *context)
{
    struct crew_member *member = context;
    report(member->crew, "a worker has ended; another takes its place");
    vacate(member);
    if (clock_monotonic_ms() - member->started_ms < PAUSE_MS) {
        member->is_wanted = true;
        make_later(member);
    } else {
        make(member);
    }
}

static void on_nursery_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                              void *context)
{
    struct crew *crew = context;
    ipc_channel_destroy(&crew->nursery);
    if (crew->settings.on_nursery_gone)
        crew->settings.on_nursery_gone(crew->settings.context);
}

bool crew_start(struct crew *crew, struct loop *loop, const struct crew_settings *settings)
{
    static const struct ipc_channel_handlers nursery_handlers = {NULL, on_nursery_closed, NULL};
    const size_t count = settings->worker_count;

    ASSERT(count > 0);
    *crew = (struct crew){.loop = loop, .settings = *settings};
    list_init(&crew->waiting);
    crew->nursery =
        ipc_channel_create(loop, settings->nursery, IPC_ROLE_WORKER, &nursery_handlers, crew);
    crew->members = calloc(count, sizeof(*crew->members));
    crew->busy_by_subject = calloc(settings->subject_count + 1, sizeof(*crew->busy_by_subject));
    if (!crew->nursery || !crew->members || !crew->busy_by_subject)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct crew_member *member = &crew->members[i];
        member->crew = crew;
        loop_timer_init(&member->pause, loop, make, member);
        if (settings->starts_all)
            make(member);
    }
    return true;
}

void crew_stop(struct crew *crew)
{
    ipc_channel_destroy(&crew->nursery); /* first: those that it was to make come no more */
    for (size_t i = 0; crew->members && i < crew->settings.worker_count; i++) {
        if (!crew->members[i].crew)
            continue;
        loop_timer_release(&crew->members[i].pause);
        ipc_channel_destroy(&crew->members[i].channel);
    }
    free(crew->members);
    free(crew->busy_by_subject);
    *crew = (struct crew){.loop = NULL};
}

/* ---- asking ---- */

/* One that is idle; where none is, one more is made, as long as there is a place. */
static struct crew_member *find_idle(struct crew *crew)
{
    struct crew_member *empty = NULL;
    bool is_one_coming = false;
    for (size_t i = 0; i < crew->settings.worker_count; i++) {
        struct crew_member *member = &crew->members[i];
        if (member->channel && !member->is_busy)
            return member;
        is_one_coming = is_one_coming || (!member->channel && member->is_wanted);
        if (!member->channel && !member->is_wanted && !empty)
            empty = member;
    }
    if (empty && !is_one_coming)
        make(empty);
    return NULL;
}

/* The next asker finds room, however much those before it have asked. */
static bool has_room(const struct crew *crew, uint32_t asker)
{
    size_t own_count = 0;
    LIST_FOR_EACH (&crew->waiting, link)
        own_count += LIST_ITEM(link, struct waiter, link)->asker == asker;
    const size_t room = crew->settings.waiting_max;
    const size_t others_count = crew->waiting.count - own_count;
    return others_count < room && own_count <= (room - others_count - 1) / 2;
}

/* A question's turn is the one behind its asker's last that waits: who has many in the line lets
 * others in between. */
static uint64_t turn_of(const struct crew *crew, uint32_t asker)
{
    uint64_t last = crew->turn;
    LIST_FOR_EACH (&crew->waiting, link) {
        const struct waiter *waiter = LIST_ITEM(link, struct waiter, link);
        if (waiter->asker == asker && waiter->turn > last)
            last = waiter->turn;
    }
    return last + 1;
}

/* Whose turn it is among those that may; of several, who waits longest. NULL: nobody. */
static struct waiter *next_waiter(const struct crew *crew)
{
    struct waiter *next = NULL;
    LIST_FOR_EACH (&crew->waiting, link) {
        struct waiter *waiter = LIST_ITEM(link, struct waiter, link);
        if (may_take_one(crew, waiter->subject) && (!next || waiter->turn < next->turn))
            next = waiter;
    }
    return next;
}

static void serve_waiting(struct crew *crew)
{
    struct waiter *waiter;
    while ((waiter = next_waiter(crew)) != NULL) {
        struct crew_member *idle = find_idle(crew);
        if (!idle)
            return;
        idle->is_busy = true;
        crew->busy_by_subject[waiter->subject]++;
        if (waiter->turn > crew->turn)
            crew->turn = waiter->turn;
        waiter->member = idle;
        waiter->generation = idle->generation;
        list_remove(&crew->waiting, &waiter->link);
        task_wake(waiter->task);
    }
}

static struct crew_member *wait_for_member(struct crew *crew, size_t subject, uint32_t asker,
                                           int64_t deadline_ms, uint32_t *generation,
                                           enum task_wake *wake)
{
    struct waiter waiter = {
        .task = task_current(), .subject = subject, .asker = asker, .turn = turn_of(crew, asker)};
    *wake = TASK_WOKEN;
    list_append(&crew->waiting, &waiter.link);
    serve_waiting(crew);
    while (!waiter.member && *wake == TASK_WOKEN)
        *wake = task_park(deadline_ms);
    if (!waiter.member)
        list_remove(&crew->waiting, &waiter.link);
    *generation = waiter.generation;
    return waiter.member;
}

/* generation: of the worker that was asked; another may stand in its place by now. */
static void give_back(struct crew *crew, struct crew_member *member, uint32_t generation,
                      size_t subject, enum ipc_call_result result)
{
    crew->busy_by_subject[subject]--;
    if (member->generation == generation) {
        if (result == IPC_CALL_TIMED_OUT || result == IPC_CALL_CANCELLED) {
            /* It still works on what nobody waits for any more. */
            if (result == IPC_CALL_TIMED_OUT)
                report(crew, "a worker does not answer; another takes its place");
            vacate(member);
            make(member);
        } else {
            member->is_busy = false;
        }
    }
    serve_waiting(crew);
}

enum ipc_call_result crew_ask(struct crew *crew, size_t subject, uint32_t asker, enum ipc_type type,
                              const void *question, enum ipc_type reply_type, void *reply,
                              struct arena *arena, const char **reason)
{
    const int64_t timeout_ms = crew->settings.timeout_ms;
    const int64_t wait_deadline_ms = clock_deadline_after(timeout_ms);
    enum ipc_call_result result = IPC_CALL_CLOSED;

    ASSERT(subject < crew->settings.subject_count);
    *reason = "too many questions are waiting";
    if (!has_room(crew, asker))
        return IPC_CALL_TIMED_OUT;
    for (int i = 0; i < ATTEMPTS && result == IPC_CALL_CLOSED; i++) {
        uint32_t generation;
        enum task_wake wake;
        struct crew_member *member =
            wait_for_member(crew, subject, asker, wait_deadline_ms, &generation, &wake);
        if (!member) {
            result = wake == TASK_CANCELLED ? IPC_CALL_CANCELLED : IPC_CALL_TIMED_OUT;
            break;
        }
        /* Its channel may have closed between the choice and now. A worker has the whole time,
         * however long its turn was in coming: being short of time is no reason to replace it. */
        if (member->generation == generation)
            result = ipc_channel_call(member->channel, type, question, reply_type, reply, arena,
                                      clock_deadline_after(timeout_ms));
        give_back(crew, member, generation, subject, result);
    }
    *reason =
        result == IPC_CALL_TIMED_OUT ? "no answer in time" : "the worker that was asked has ended";
    return result;
}
