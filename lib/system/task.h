/* system/task - coroutines: straight-line blocking code, many per process, one loop.
 * A task runs until it parks, yields or ends; nothing preempts it, so state needs no locks but a
 * long computation must yield. Every wait carries a deadline. */
#ifndef SYSTEM_TASK_H
#define SYSTEM_TASK_H

#include "base/span.h"
#include <stdbool.h>

#include "base/compiler.h"
#include "system/loop.h"

enum task_wake {
    TASK_WOKEN,     /* somebody called task_wake(): look again at what was waited for */
    TASK_TIMED_OUT, /* the deadline passed */
    TASK_CANCELLED  /* task_cancel(): clean up and return; every later wait says so at once */
};

struct task;

/* The body starts in the next round of ready tasks. name is a literal, for the back-trace of
 * parked tasks. NULL when memory is out. The task's memory goes when the body returns. */
MUST_USE struct task *task_start(struct loop *loop, const char *name, void (*body)(void *argument),
                                 void *argument);
/* From a task: what it works on from now on (system/note.h); empty: nothing in particular. */
void task_note(struct span text);
/* The running task, NULL outside of tasks. */
struct task *task_current(void);

/* Called each time the running task is about to wait, or to let others run: whoever has work of
 * others at hand gives it away then. It must not wait itself. */
void task_before_waiting(void (*function)(void *context), void *context);

/* The following four are for the running task only. */
enum task_wake task_park(int64_t deadline_ms);
/* Lets every other ready task run first. */
void task_yield(void);
/* TASK_TIMED_OUT is the ordinary end. */
enum task_wake task_sleep(int64_t timeout_ms);
bool task_is_cancelled(void);

/* Makes a parked task ready; nothing for one that is not parked (it will look at its condition
 * before it parks). */
void task_wake(struct task *task);
/* Asks a task to end; it still runs, to clean up. */
void task_cancel(struct task *task);

/* Parks whether cancelled or not and without a deadline, for the few waits that must be seen
 * through because somebody else still uses the caller's stack. */
void task_park_uncancelled(void);

/* For system/loop: runs the tasks that were ready when called. */
void task_run_ready(struct loop *loop);
/* For system/loop: gives back the stacks kept for reuse. */
void task_forget_idle(struct loop *loop);

#endif
