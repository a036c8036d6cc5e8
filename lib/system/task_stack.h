/* system/task_stack - guarded stacks for tasks, in slabs.
 * Below each stack lies a guard page. Where the kernel offers MADV_GUARD_INSTALL a slab stays one
 * mapping; elsewhere each guard costs two. */
#ifndef SYSTEM_TASK_STACK_H
#define SYSTEM_TASK_STACK_H

#include <stddef.h>

enum { TASK_STACK_BYTES = 65536 }; /* usable; sanitizer builds take four times that */

struct task_stack_pool;
struct task_stack {
    void *bottom; /* lowest usable byte */
    size_t size;
};

struct task_stack_pool *task_stack_pool_create(void);
/* All stacks must have been given back or be unused from now on. */
void task_stack_pool_destroy(struct task_stack_pool **pool);
/* False when memory is out. */
int task_stack_take(struct task_stack_pool *pool, struct task_stack *stack);
/* Its pages go back to the kernel unless few stacks are waiting for reuse. */
void task_stack_give(struct task_stack_pool *pool, const struct task_stack *stack);

#endif
