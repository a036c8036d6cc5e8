/* system/watch - wait, in a task, until a descriptor can be read or written.
 * One epoll registration for the life of the descriptor, edge-triggered: the owner tries first,
 * says when the kernel had no more, and only then waits. */
#ifndef SYSTEM_WATCH_H
#define SYSTEM_WATCH_H

#include "system/task.h"

struct watch {
    struct event event;
    struct loop *loop;
    struct task *reader;
    struct task *writer;
    int descriptor;
    bool is_readable;
    bool is_writable;
    bool has_hung_up; /* the peer closed its side: read on to the end, short reads prove nothing */
};

/* The descriptor must be non-blocking and stays the caller's. 0, or -1 when libevent refuses. */
MUST_USE int watch_start(struct watch *watch, struct loop *loop, int descriptor);
/* Before the descriptor is closed. */
void watch_stop(struct watch *watch);
/* TASK_WOKEN: the kernel says so since it was last found empty (full). */
enum task_wake watch_wait_readable(struct watch *watch, int64_t deadline_ms);
enum task_wake watch_wait_writable(struct watch *watch, int64_t deadline_ms);

#endif
