/* system/clock - see clock.h. */
#include "system/clock.h"

#include <time.h>

int64_t clock_monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_boottime_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_realtime_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

int64_t clock_deadline_after(int64_t timeout_ms)
{
    const int64_t now_ms = clock_monotonic_ms();
    return timeout_ms > INT64_MAX - now_ms ? CLOCK_NEVER : now_ms + timeout_ms;
}
