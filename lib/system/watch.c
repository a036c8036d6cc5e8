/* system/watch - see watch.h. */
#include "system/watch.h"

static void on_event(evutil_socket_t descriptor, short what, void *context)
{
    struct watch *watch = context;
    (void)descriptor;
    if (what & EV_CLOSED)
        watch->has_hung_up = true;
    if (what & (EV_READ | EV_CLOSED)) {
        watch->is_readable = true;
        if (watch->reader)
            task_wake(watch->reader);
    }
    /* Whoever waits for room in a connection that is over finds that out when it writes. */
    if (what & (EV_WRITE | EV_CLOSED)) {
        watch->is_writable = true;
        if (watch->writer)
            task_wake(watch->writer);
    }
}

int watch_start(struct watch *watch, struct loop *loop, int descriptor)
{
    *watch = (struct watch){.loop = loop, .descriptor = descriptor, .is_writable = true};
    if (event_assign(&watch->event, loop_event_base(loop), descriptor,
                     EV_READ | EV_WRITE | EV_CLOSED | EV_PERSIST | EV_ET, on_event, watch) != 0)
        return -1;
    return event_add(&watch->event, NULL);
}

void watch_stop(struct watch *watch)
{
    (void)event_del(&watch->event);
}

static enum task_wake wait_for(const bool *condition, struct task **waiter, int64_t deadline_ms)
{
    enum task_wake wake = TASK_WOKEN;
    *waiter = task_current();
    while (!*condition && wake == TASK_WOKEN)
        wake = task_park(deadline_ms);
    *waiter = NULL;
    return wake;
}

enum task_wake watch_wait_readable(struct watch *watch, int64_t deadline_ms)
{
    return wait_for(&watch->is_readable, &watch->reader, deadline_ms);
}

enum task_wake watch_wait_writable(struct watch *watch, int64_t deadline_ms)
{
    return wait_for(&watch->is_writable, &watch->writer, deadline_ms);
}
