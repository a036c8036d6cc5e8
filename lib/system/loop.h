/* system/loop - one event loop per process: ready tasks, timers, end-of-turn hooks, libevent below.
 * A turn: run the tasks that are ready, run the hooks, then wait for events. Not thread-safe; the
 * pool (system/pool) is how threads report back. */
#ifndef SYSTEM_LOOP_H
#define SYSTEM_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/list.h"
#include "system/clock.h"

struct loop;
struct task;

/* NULL when memory or descriptors are out. */
struct loop *loop_create(void);
void loop_destroy(struct loop **loop);
/* Turns until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
struct event_base *loop_event_base(struct loop *loop);
/* Counts turns, from 1 on; good for the loop's life. */
const uint64_t *loop_turn(const struct loop *loop);

/* A call at the end of this turn, once per request; asking again before it ran changes nothing. */
struct loop_hook {
    struct list_link link;
    void (*run)(struct loop_hook *hook);
};
void loop_hook_request(struct loop *loop, struct loop_hook *hook);
void loop_hook_cancel(struct loop *loop, struct loop_hook *hook);

/* A timer. Moving a deadline further away costs nothing: the event fires at its old time and is
 * set again. */
struct loop_timer {
    struct event event;
    struct loop *loop;
    void (*fire)(void *context);
    void *context;
    int64_t deadline_ms; /* CLOCK_NEVER when stopped */
    int64_t armed_ms;    /* when the event below will fire, CLOCK_NEVER when it is not set */
};
void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*fire)(void *context),
                     void *context);
/* Fires once, not before the deadline; CLOCK_NEVER stops it. */
void loop_timer_set(struct loop_timer *timer, int64_t deadline_ms);
/* Must be called before the memory goes. */
void loop_timer_release(struct loop_timer *timer);

/* Equal blocks for reading: kept in the loop so that an idle stream holds none. */
enum { LOOP_BLOCK_BYTES = 16384 };
MUST_USE void *loop_block_take(struct loop *loop);
void loop_block_give(struct loop *loop, void *block);

/* For system/task. */
struct list *loop_ready_tasks(struct loop *loop);
struct task_stack_pool *loop_stacks(struct loop *loop);

#endif
