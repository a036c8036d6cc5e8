/* system/pool - threads for work that would block the loop: fsync, directories, slow tables.
 * A job's work runs in a thread and touches nothing but the job; its done runs in the loop. */
#ifndef SYSTEM_POOL_H
#define SYSTEM_POOL_H

#include "system/loop.h"

struct pool;

struct pool_job {
    struct list_link link;
    void (*work)(struct pool_job *job); /* in a thread */
    void (*done)(struct pool_job *job); /* in the loop, later; may free the job */
};

/* Threads start with all signals blocked but SIGSYS, which the sandbox answers in place. NULL when
 * threads or memory are out. */
struct pool *pool_create(struct loop *loop, size_t thread_count);
/* Waits for the work that has begun; jobs not begun are dropped without done. */
void pool_destroy(struct pool **pool);
/* The job stays the pool's until done. Order between jobs is not kept. */
void pool_submit(struct pool *pool, struct pool_job *job);
/* Jobs submitted whose done has not run. */
size_t pool_pending_count(const struct pool *pool);

/* From a task: runs work(argument) in a thread and parks until it is over. */
void pool_run(struct pool *pool, void (*work)(void *argument), void *argument);

#endif
