/* system/task_stack - see task_stack.h. */
#include "config.h"

#include "system/task_stack.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

#ifdef POSTHOUSE_SANITIZERS
#define STACK_BYTES ((size_t)TASK_STACK_BYTES * 4)
#else
#define STACK_BYTES ((size_t)TASK_STACK_BYTES)
#endif
#define GUARD_BYTES ((size_t)4096)
#define SLOT_BYTES (STACK_BYTES + GUARD_BYTES)

enum { SLAB_STACKS = 32, WARM_STACKS = 32 };

/* The links of free stacks live outside the stacks: touching one would keep its page. */
struct slab {
    struct slab *next;
    uint8_t *memory;
};

struct task_stack_pool {
    struct slab *slabs;
    void **free_bottoms;
    size_t free_count;
    size_t stack_count;
    bool has_guard_advice;
};

struct task_stack_pool *task_stack_pool_create(void)
{
    struct task_stack_pool *pool = calloc(1, sizeof(*pool));
    if (pool)
        pool->has_guard_advice = true;
    return pool;
}

void task_stack_pool_destroy(struct task_stack_pool **pool)
{
    if (!*pool)
        return;
    while ((*pool)->slabs) {
        struct slab *slab = (*pool)->slabs;
        (*pool)->slabs = slab->next;
        (void)munmap(slab->memory, SLOT_BYTES * SLAB_STACKS);
        free(slab);
    }
    free((*pool)->free_bottoms);
    free(*pool);
    *pool = NULL;
}

static bool install_guard(struct task_stack_pool *pool, uint8_t *guard)
{
    if (pool->has_guard_advice) {
        if (madvise(guard, GUARD_BYTES, MADV_GUARD_INSTALL) == 0)
            return true;
        pool->has_guard_advice = false;
    }
    return mprotect(guard, GUARD_BYTES, PROT_NONE) == 0;
}

static bool add_slab(struct task_stack_pool *pool)
{
    const size_t total = pool->stack_count + SLAB_STACKS;
    void **bottoms = realloc(pool->free_bottoms, total * sizeof(*bottoms));
    if (!bottoms)
        return false;
    pool->free_bottoms = bottoms;
    struct slab *slab = malloc(sizeof(*slab));
    if (!slab)
        return false;
    slab->memory = mmap(NULL, SLOT_BYTES * SLAB_STACKS, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slab->memory == MAP_FAILED) {
        free(slab);
        return false;
    }
    for (size_t i = 0; i < SLAB_STACKS; i++)
        if (!install_guard(pool, slab->memory + i * SLOT_BYTES)) {
            (void)munmap(slab->memory, SLOT_BYTES * SLAB_STACKS);
            free(slab);
            return false;
        }
    /* A transparent huge page would make every stack cost two megabytes. */
    (void)madvise(slab->memory, SLOT_BYTES * SLAB_STACKS, MADV_NOHUGEPAGE);
    slab->next = pool->slabs;
    pool->slabs = slab;
    for (size_t i = SLAB_STACKS; i-- > 0;)
        pool->free_bottoms[pool->free_count++] = slab->memory + i * SLOT_BYTES + GUARD_BYTES;
    pool->stack_count = total;
    return true;
}

int task_stack_take(struct task_stack_pool *pool, struct task_stack *stack)
{
    if (pool->free_count == 0 && !add_slab(pool))
        return 0;
    stack->bottom = pool->free_bottoms[--pool->free_count];
    stack->size = STACK_BYTES;
    return 1;
}

void task_stack_give(struct task_stack_pool *pool, const struct task_stack *stack)
{
    if (pool->free_count >= WARM_STACKS)
        (void)madvise(stack->bottom, stack->size, MADV_DONTNEED);
    pool->free_bottoms[pool->free_count++] = stack->bottom;
}
