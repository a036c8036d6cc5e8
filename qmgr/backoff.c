/* qmgr/backoff - see backoff.h. */
#include "backoff.h"

enum { FIRST_LOOK_MS = 50, LAST_LOOK_MS = 5000 };

uint64_t backoff_next_attempt_us(uint64_t now_us, uint64_t arrival_us, int64_t minimal_ms,
                                 int64_t maximal_ms, uint32_t jitter)
{
    const uint64_t minimal_us = (uint64_t)minimal_ms * 1000U;
    const uint64_t maximal_us = (uint64_t)maximal_ms * 1000U;
    /* A clock that went back makes the message look new. */
    uint64_t wait_us = now_us > arrival_us ? now_us - arrival_us : 0;
    if (wait_us < minimal_us)
        wait_us = minimal_us;
    if (wait_us > maximal_us)
        wait_us = maximal_us;
    const uint64_t tenth = wait_us / 10;
    const uint64_t shift = (tenth / 1000U) * 2U * jitter / UINT32_MAX * 1000U;
    wait_us = wait_us - tenth + shift;
    if (wait_us < minimal_us)
        wait_us = minimal_us;
    return now_us + wait_us;
}

int64_t backoff_next_look_ms(int64_t waited_ms)
{
    if (waited_ms <= 0)
        return FIRST_LOOK_MS;
    return waited_ms < LAST_LOOK_MS / 2 ? waited_ms * 2 : LAST_LOOK_MS;
}
