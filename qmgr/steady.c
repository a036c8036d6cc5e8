/* qmgr/steady - see steady.h. */
#include "steady.h"

int64_t steady_look(struct steady *steady, uint64_t realtime_us, int64_t boottime_ms)
{
    const struct steady before = *steady;
    steady->realtime_us = realtime_us;
    steady->boottime_ms = boottime_ms;
    if (before.realtime_us == 0)
        return 0;
    const int64_t by_clock_ms =
        (int64_t)(realtime_us / 1000U) - (int64_t)(before.realtime_us / 1000U);
    const int64_t jump_ms = by_clock_ms - (boottime_ms - before.boottime_ms);
    if (jump_ms > -STEADY_JUMP_MS && jump_ms < STEADY_JUMP_MS)
        return 0;
    steady->unsteady_until_ms = boottime_ms + STEADY_WAIT_MS;
    return jump_ms;
}

bool steady_is_trusted(const struct steady *steady, int64_t boottime_ms)
{
    return boottime_ms >= steady->unsteady_until_ms;
}
