/* system/loop - see loop.h. */
#include "system/loop.h"

#include <stdlib.h>

#include "system/task.h"
#include "system/task_stack.h"

enum { LOOP_BLOCKS_KEPT = 64 };

struct loop_block {
    struct loop_block *next;
};

struct loop {
    struct event_base *base;
    struct list ready;
    struct list hooks;
    struct loop_block *blocks;
    size_t block_count;
    struct task_stack_pool *stacks;
    uint64_t turn;
    bool is_stopped;
};

struct loop *loop_create(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return NULL;
    list_init(&loop->ready);
    list_init(&loop->hooks);
    loop->turn = 1;
    struct event_config *config = event_config_new();
    if (config) {
        /* The loop belongs to one thread: libevent needs no locks and no environment. */
        (void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        (void)event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
        (void)event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
        loop->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    loop->stacks = task_stack_pool_create();
    if (!loop->base || !loop->stacks)
        loop_destroy(&loop);
    return loop;
}

void loop_destroy(struct loop **loop)
{
    if (!*loop)
        return;
    while ((*loop)->blocks) {
        struct loop_block *block = (*loop)->blocks;
        (*loop)->blocks = block->next;
        free(block);
    }
    if ((*loop)->base)
        event_base_free((*loop)->base);
    task_forget_idle(*loop);
    task_stack_pool_destroy(&(*loop)->stacks);
    free(*loop);
    *loop = NULL;
}

static void run_hooks(struct loop *loop)
{
    struct list_link *link;
    while ((link = list_pop(&loop->hooks)) != NULL) {
        struct loop_hook *hook = LIST_ITEM(link, struct loop_hook, link);
        hook->run(hook);
    }
}

void loop_run(struct loop *loop)
{
    loop->is_stopped = false;
    while (!loop->is_stopped) {
        task_run_ready(loop);
        run_hooks(loop);
        if (loop->is_stopped)
            break;
        const int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY |
                          (list_is_empty(&loop->ready) ? 0 : EVLOOP_NONBLOCK);
        if (event_base_loop(loop->base, flags) < 0)
            break;
        loop->turn++;
    }
}

void loop_stop(struct loop *loop)
{
    loop->is_stopped = true;
    (void)event_base_loopbreak(loop->base);
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

const uint64_t *loop_turn(const struct loop *loop)
{
    return &loop->turn;
}

void loop_hook_request(struct loop *loop, struct loop_hook *hook)
{
    if (!list_is_linked(&hook->link))
        list_append(&loop->hooks, &hook->link);
}

void loop_hook_cancel(struct loop *loop, struct loop_hook *hook)
{
    if (list_is_linked(&hook->link))
        list_remove(&loop->hooks, &hook->link);
}

static void arm(struct loop_timer *timer, int64_t now_ms)
{
    const int64_t wait_ms = timer->deadline_ms > now_ms ? timer->deadline_ms - now_ms : 0;
    const struct timeval wait = {wait_ms / 1000, (suseconds_t)(wait_ms % 1000 * 1000)};
    timer->armed_ms = timer->deadline_ms;
    (void)event_add(&timer->event, &wait);
}

static void on_timer(evutil_socket_t descriptor, short what, void *context)
{
    struct loop_timer *timer = context;
    (void)descriptor;
    (void)what;
    timer->armed_ms = CLOCK_NEVER;
    if (timer->deadline_ms == CLOCK_NEVER)
        return;
    const int64_t now_ms = clock_monotonic_ms();
    if (now_ms < timer->deadline_ms) {
        arm(timer, now_ms);
        return;
    }
    timer->deadline_ms = CLOCK_NEVER;
    timer->fire(timer->context);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*fire)(void *context),
                     void *context)
{
    *timer = (struct loop_timer){.loop = loop,
                                 .fire = fire,
                                 .context = context,
                                 .deadline_ms = CLOCK_NEVER,
                                 .armed_ms = CLOCK_NEVER};
    (void)event_assign(&timer->event, loop->base, -1, 0, on_timer, timer);
}

void loop_timer_set(struct loop_timer *timer, int64_t deadline_ms)
{
    timer->deadline_ms = deadline_ms;
    if (deadline_ms < timer->armed_ms)
        arm(timer, clock_monotonic_ms());
}

void loop_timer_release(struct loop_timer *timer)
{
    timer->deadline_ms = timer->armed_ms = CLOCK_NEVER;
    (void)event_del(&timer->event);
}

void *loop_block_take(struct loop *loop)
{
    struct loop_block *block = loop->blocks;
    if (!block)
        return malloc(LOOP_BLOCK_BYTES);
    loop->blocks = block->next;
    loop->block_count--;
    return block;
}

void loop_block_give(struct loop *loop, void *block)
{
    if (loop->block_count >= LOOP_BLOCKS_KEPT) {
        free(block);
        return;
    }
    struct loop_block *kept = block;
    kept->next = loop->blocks;
    loop->blocks = kept;
    loop->block_count++;
}

struct list *loop_ready_tasks(struct loop *loop)
{
    return &loop->ready;
}

struct task_stack_pool *loop_stacks(struct loop *loop)
{
    return loop->stacks;
}
