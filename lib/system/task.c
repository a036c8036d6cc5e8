/* system/task - see task.h.
 * makecontext() starts a coroutine once per stack; afterwards switches are _setjmp/_longjmp, which
 * save no signal mask and so make no system call. Sanitizer builds switch by swapcontext(), which
 * AddressSanitizer can follow. */
#undef _FORTIFY_SOURCE /* its longjmp check takes another stack for a corrupted one */

#include "config.h"

#include "system/task.h"

#include <setjmp.h>
#include <stdlib.h>
#include <ucontext.h>

#include "system/note.h"
#include "system/task_stack.h"

#ifdef POSTHOUSE_SANITIZERS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

enum { IDLE_COROUTINES_KEPT = 32 };

enum task_state { TASK_STATE_READY, TASK_STATE_RUNNING, TASK_STATE_PARKED, TASK_STATE_FINISHED };

struct coroutine {
    struct coroutine *next_idle;
    struct task_stack stack;
#ifdef POSTHOUSE_SANITIZERS
    ucontext_t context;
    void *fake_stack;
#else
    jmp_buf context;
    bool is_started;
#endif
    void (*body)(void *argument);
    void *argument;
    bool is_finished;
};

struct task {
    struct list_link link;     /* on the loop's ready list */
    struct list_link all_link; /* in all_tasks, for debuggers */
    struct loop *loop;
    const char *name;
    struct coroutine *coroutine;
    struct loop_timer timer;
    enum task_state state;
    bool has_timed_out;
    bool is_cancelled;
    void (*before_waiting)(void *context);
    void *before_waiting_context;
    char note[NOTE_BYTES];
};

/* The event loop's side of the switch: one loop per process runs tasks. */
static struct task *running;
static struct list all_tasks; /* lib/system/tasks-gdb.py walks it */
static struct coroutine *entering;
static struct coroutine *idle_coroutines;
static size_t idle_count;
#ifdef POSTHOUSE_SANITIZERS
static ucontext_t loop_context;
static void *loop_fake_stack;
static const void *loop_stack_bottom;
static size_t loop_stack_size;
#else
static jmp_buf loop_context;
#endif

/* ---- the switch ---- */

#ifdef POSTHOUSE_SANITIZERS
static void leave_coroutine(struct coroutine *coroutine)
{
    __sanitizer_start_switch_fiber(&coroutine->fake_stack, loop_stack_bottom, loop_stack_size);
    (void)swapcontext(&coroutine->context, &loop_context);
    __sanitizer_finish_switch_fiber(coroutine->fake_stack, &loop_stack_bottom, &loop_stack_size);
}
#else
static NOINLINE void leave_coroutine(struct coroutine *coroutine)
{
    if (_setjmp(coroutine->context) == 0)
        _longjmp(loop_context, 1);
}
#endif

static void coroutine_main(void)
{
    struct coroutine *coroutine = entering;
#ifdef POSTHOUSE_SANITIZERS
    __sanitizer_finish_switch_fiber(NULL, &loop_stack_bottom, &loop_stack_size);
#endif
    for (;;) { /* a stack serves one task after another without a new context */
        coroutine->body(coroutine->argument);
        coroutine->is_finished = true;
        leave_coroutine(coroutine);
    }
}

#ifdef POSTHOUSE_SANITIZERS
static void enter_coroutine(struct coroutine *coroutine)
{
    entering = coroutine;
    __sanitizer_start_switch_fiber(&loop_fake_stack, coroutine->stack.bottom,
                                   coroutine->stack.size);
    (void)swapcontext(&loop_context, &coroutine->context);
    __sanitizer_finish_switch_fiber(loop_fake_stack, NULL, NULL);
}
#else
static NOINLINE void enter_coroutine(struct coroutine *coroutine)
{
    if (_setjmp(loop_context) != 0)
        return;
    if (coroutine->is_started)
        _longjmp(coroutine->context, 1);
    coroutine->is_started = true;
    entering = coroutine;
    ucontext_t context;
    ASSERT(getcontext(&context) == 0);
    context.uc_stack.ss_sp = coroutine->stack.bottom;
    context.uc_stack.ss_size = coroutine->stack.size;
    context.uc_link = NULL;
    makecontext(&context, coroutine_main, 0);
    (void)setcontext(&context);
}
#endif

static struct coroutine *coroutine_create(struct loop *loop)
{
    struct coroutine *coroutine = idle_coroutines;
    if (coroutine) { /* parked at the end of its last body: no new context, no system call */
        idle_coroutines = coroutine->next_idle;
        idle_count--;
        coroutine->is_finished = false;
        return coroutine;
    }
    coroutine = calloc(1, sizeof(*coroutine));
    if (!coroutine)
        return NULL;
    if (!task_stack_take(loop_stacks(loop), &coroutine->stack)) {
        free(coroutine);
        return NULL;
    }
#ifdef POSTHOUSE_SANITIZERS
    ASSERT(getcontext(&coroutine->context) == 0);
    coroutine->context.uc_stack.ss_sp = coroutine->stack.bottom;
    coroutine->context.uc_stack.ss_size = coroutine->stack.size;
    coroutine->context.uc_link = NULL;
    makecontext(&coroutine->context, coroutine_main, 0);
#endif
    return coroutine;
}

static void coroutine_destroy(struct loop *loop, struct coroutine *coroutine)
{
    if (idle_count < IDLE_COROUTINES_KEPT) {
        coroutine->next_idle = idle_coroutines;
        idle_coroutines = coroutine;
        idle_count++;
        return;
    }
#ifdef POSTHOUSE_SANITIZERS
    /* The parked frames of coroutine_main are abandoned with their poison. */
    __asan_unpoison_memory_region(coroutine->stack.bottom, coroutine->stack.size);
#endif
    task_stack_give(loop_stacks(loop), &coroutine->stack);
    free(coroutine);
}

/* ---- tasks ---- */

static void make_ready(struct task *task)
{
    task->state = TASK_STATE_READY;
    list_append(loop_ready_tasks(task->loop), &task->link);
}

static void on_deadline(void *context)
{
    struct task *task = context;
    if (task->state != TASK_STATE_PARKED)
        return;
    task->has_timed_out = true;
    make_ready(task);
}

struct task *task_start(struct loop *loop, const char *name, void (*body)(void *argument),
                        void *argument)
{
    struct task *task = calloc(1, sizeof(*task));
    if (!task)
        return NULL;
    task->coroutine = coroutine_create(loop);
    if (!task->coroutine) {
        free(task);
        return NULL;
    }
    task->coroutine->body = body;
    task->coroutine->argument = argument;
    task->loop = loop;
    task->name = name;
    loop_timer_init(&task->timer, loop, on_deadline, task);
    if (!list_is_linked(&all_tasks.head))
        list_init(&all_tasks);
    list_append(&all_tasks, &task->all_link);
    make_ready(task);
    return task;
}

static void run_task(struct task *task)
{
    task->state = TASK_STATE_RUNNING;
    running = task;
    if (task->note[0])
        note_set(span_from_string(task->note));
    enter_coroutine(task->coroutine);
    running = NULL;
    if (task->note[0])
        note_clear();
    if (task->coroutine->is_finished) {
        loop_timer_release(&task->timer);
        list_remove(&all_tasks, &task->all_link);
        coroutine_destroy(task->loop, task->coroutine);
        free(task);
    }
}

void task_forget_idle(struct loop *loop)
{
    while (idle_coroutines) {
        struct coroutine *coroutine = idle_coroutines;
        idle_coroutines = coroutine->next_idle;
        idle_count = IDLE_COROUTINES_KEPT; /* so that it is not kept again */
        coroutine_destroy(loop, coroutine);
    }
    idle_count = 0;
}

void task_run_ready(struct loop *loop)
{
    struct list *ready = loop_ready_tasks(loop);
    /* Those made ready meanwhile wait for the next turn, so that events get theirs. */
    for (size_t count = ready->count; count > 0 && !list_is_empty(ready); count--)
        run_task(LIST_ITEM(list_pop(ready), struct task, link));
}

void task_note(struct span text)
{
    ASSERT(running);
    const size_t length = text.length < NOTE_BYTES - 1 ? text.length : NOTE_BYTES - 1;
    memcpy(running->note, text.bytes, length);
    running->note[length] = '\0';
    if (length)
        note_set(text);
    else
        note_clear();
}

struct task *task_current(void)
{
    return running;
}

void task_before_waiting(void (*function)(void *context), void *context)
{
    ASSERT(running);
    running->before_waiting = function;
    running->before_waiting_context = context;
}

static void prepare_to_wait(const struct task *task)
{
    if (task->before_waiting)
        task->before_waiting(task->before_waiting_context);
}

enum task_wake task_park(int64_t deadline_ms)
{
    struct task *task = running;
    ASSERT(task);
    if (task->is_cancelled)
        return TASK_CANCELLED;
    if (deadline_ms != CLOCK_NEVER && deadline_ms <= clock_monotonic_ms())
        return TASK_TIMED_OUT;
    prepare_to_wait(task);
    task->has_timed_out = false;
    task->state = TASK_STATE_PARKED;
    loop_timer_set(&task->timer, deadline_ms);
    leave_coroutine(task->coroutine);
    loop_timer_set(&task->timer, CLOCK_NEVER);
    if (task->is_cancelled)
        return TASK_CANCELLED;
    return task->has_timed_out ? TASK_TIMED_OUT : TASK_WOKEN;
}

void task_park_uncancelled(void)
{
    struct task *task = running;
    ASSERT(task);
    prepare_to_wait(task);
    task->state = TASK_STATE_PARKED;
    leave_coroutine(task->coroutine);
}

void task_yield(void)
{
    struct task *task = running;
    ASSERT(task);
    prepare_to_wait(task);
    make_ready(task);
    leave_coroutine(task->coroutine);
}

enum task_wake task_sleep(int64_t timeout_ms)
{
    const int64_t deadline_ms = clock_deadline_after(timeout_ms);
    enum task_wake wake;
    do
        wake = task_park(deadline_ms);
    while (wake == TASK_WOKEN);
    return wake;
}

bool task_is_cancelled(void)
{
    return running && running->is_cancelled;
}

void task_wake(struct task *task)
{
    if (task->state == TASK_STATE_PARKED)
        make_ready(task);
}

void task_cancel(struct task *task)
{
    task->is_cancelled = true;
    task_wake(task);
}
