/* system/random - see random.h. */
#include "system/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "base/compiler.h"

/* One system call fetches enough for many queue ids; used bytes are wiped at once. */
static uint8_t pool[512];
static size_t pool_used = sizeof(pool);
static bool is_watching_forks;

static void fetch(uint8_t *bytes, size_t length)
{
    while (length) {
        const ssize_t count = getrandom(bytes, length, 0);
        if (count < 0) {
            ASSERT(errno == EINTR);
            continue;
        }
        bytes += count;
        length -= (size_t)count;
    }
}

/* What its parent has fetched ahead the parent uses, and so would every other child. */
static void forget(void)
{
    explicit_bzero(pool, sizeof(pool));
    pool_used = sizeof(pool);
}

void random_bytes(void *bytes, size_t length)
{
    if (!is_watching_forks)
        is_watching_forks = pthread_atfork(NULL, NULL, forget) == 0;
    if (length > sizeof(pool) || !is_watching_forks) {
        fetch(bytes, length);
        return;
    }
    if (length > sizeof(pool) - pool_used) {
        fetch(pool, sizeof(pool));
        pool_used = 0;
    }
    memcpy(bytes, pool + pool_used, length);
    explicit_bzero(pool + pool_used, length);
    pool_used += length;
}

uint32_t random_below(uint32_t bound)
{
    uint32_t value;
    random_bytes(&value, sizeof(value));
    return (uint32_t)((uint64_t)value * bound >> 32);
}
