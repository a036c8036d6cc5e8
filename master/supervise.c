/* master/supervise - see supervise.h. */
#include "supervise.h"

/* clang-format off */
#define STAYS(state) {SUPERVISE_##state, SUPERVISE_DO_NOTHING}
#define GOES(state, action) {SUPERVISE_##state, SUPERVISE_DO_##action}
static const struct supervise_step
    table[SUPERVISE_STATE_COUNT][SUPERVISE_EVENT_COUNT] = {
    [SUPERVISE_HELD] = {
        [SUPERVISE_BEGIN]   = GOES(STARTING, START),
        [SUPERVISE_READY]   = STAYS(HELD),
        [SUPERVISE_FAILED]  = STAYS(HELD),
        [SUPERVISE_HUNG]    = STAYS(HELD),
        [SUPERVISE_EXITED]  = STAYS(HELD),
        [SUPERVISE_DUE]     = STAYS(HELD),
        [SUPERVISE_DRAIN]   = GOES(GONE, FORGET),
        [SUPERVISE_LEAVE]   = GOES(GONE, FORGET),
        [SUPERVISE_END]     = GOES(GONE, FORGET),
    },
    [SUPERVISE_STARTING] = {
        [SUPERVISE_BEGIN]   = STAYS(STARTING),
        [SUPERVISE_READY]   = GOES(SERVING, SERVE),
        [SUPERVISE_FAILED]  = GOES(REPLACED, KILL),
        [SUPERVISE_HUNG]    = GOES(REPLACED, KILL),
        [SUPERVISE_EXITED]  = GOES(WAITING, SCHEDULE),
        [SUPERVISE_DUE]     = STAYS(STARTING),
        [SUPERVISE_DRAIN]   = GOES(DRAINING, DRAIN),
        [SUPERVISE_LEAVE]   = GOES(LEAVING, STOP),
        [SUPERVISE_END]     = GOES(ENDING, KILL),
    },
    [SUPERVISE_SERVING] = {
        [SUPERVISE_BEGIN]   = STAYS(SERVING),
        [SUPERVISE_READY]   = STAYS(SERVING),
        [SUPERVISE_FAILED]  = GOES(REPLACED, KILL),
        [SUPERVISE_HUNG]    = GOES(REPLACED, KILL),
        [SUPERVISE_EXITED]  = GOES(WAITING, SCHEDULE),
        [SUPERVISE_DUE]     = STAYS(SERVING),
        [SUPERVISE_DRAIN]   = GOES(DRAINING, DRAIN),
        [SUPERVISE_LEAVE]   = GOES(LEAVING, STOP),
        [SUPERVISE_END]     = GOES(ENDING, KILL),
    },
    [SUPERVISE_WAITING] = {
        [SUPERVISE_BEGIN]   = STAYS(WAITING),
        [SUPERVISE_READY]   = STAYS(WAITING),
        [SUPERVISE_FAILED]  = STAYS(WAITING),
        [SUPERVISE_HUNG]    = STAYS(WAITING),
        [SUPERVISE_EXITED]  = STAYS(WAITING),
        [SUPERVISE_DUE]     = GOES(STARTING, START),
        [SUPERVISE_DRAIN]   = GOES(GONE, FORGET),
        [SUPERVISE_LEAVE]   = GOES(GONE, FORGET),
        [SUPERVISE_END]     = GOES(GONE, FORGET),
    },
    [SUPERVISE_REPLACED] = {
        [SUPERVISE_BEGIN]   = STAYS(REPLACED),
        [SUPERVISE_READY]   = STAYS(REPLACED),
        [SUPERVISE_FAILED]  = STAYS(REPLACED),
        [SUPERVISE_HUNG]    = STAYS(REPLACED),
        [SUPERVISE_EXITED]  = GOES(WAITING, SCHEDULE),
        [SUPERVISE_DUE]     = STAYS(REPLACED),
        [SUPERVISE_DRAIN]   = STAYS(ENDING),
        [SUPERVISE_LEAVE]   = STAYS(ENDING),
        [SUPERVISE_END]     = STAYS(ENDING),
    },
    [SUPERVISE_DRAINING] = {
        [SUPERVISE_BEGIN]   = STAYS(DRAINING),
        [SUPERVISE_READY]   = STAYS(DRAINING),
        [SUPERVISE_FAILED]  = GOES(ENDING, KILL),
        [SUPERVISE_HUNG]    = GOES(ENDING, KILL),
        [SUPERVISE_EXITED]  = GOES(GONE, FORGET),
        [SUPERVISE_DUE]     = STAYS(DRAINING),
        [SUPERVISE_DRAIN]   = STAYS(DRAINING),
        [SUPERVISE_LEAVE]   = GOES(LEAVING, STOP),
        [SUPERVISE_END]     = GOES(ENDING, KILL),
    },
    [SUPERVISE_LEAVING] = {
        [SUPERVISE_BEGIN]   = STAYS(LEAVING),
        [SUPERVISE_READY]   = STAYS(LEAVING),
        [SUPERVISE_FAILED]  = GOES(ENDING, KILL),
        [SUPERVISE_HUNG]    = GOES(ENDING, KILL),
        [SUPERVISE_EXITED]  = GOES(GONE, FORGET),
        [SUPERVISE_DUE]     = STAYS(LEAVING),
        [SUPERVISE_DRAIN]   = STAYS(LEAVING),
        [SUPERVISE_LEAVE]   = STAYS(LEAVING),
        [SUPERVISE_END]     = GOES(ENDING, KILL),
    },
    [SUPERVISE_ENDING] = {
        [SUPERVISE_BEGIN]   = STAYS(ENDING),
        [SUPERVISE_READY]   = STAYS(ENDING),
        [SUPERVISE_FAILED]  = STAYS(ENDING),
        [SUPERVISE_HUNG]    = STAYS(ENDING),
        [SUPERVISE_EXITED]  = GOES(GONE, FORGET),
        [SUPERVISE_DUE]     = STAYS(ENDING),
        [SUPERVISE_DRAIN]   = STAYS(ENDING),
        [SUPERVISE_LEAVE]   = STAYS(ENDING),
        [SUPERVISE_END]     = STAYS(ENDING),
    },
    [SUPERVISE_GONE] = {
        [SUPERVISE_BEGIN]   = STAYS(GONE),
        [SUPERVISE_READY]   = STAYS(GONE),
        [SUPERVISE_FAILED]  = STAYS(GONE),
        [SUPERVISE_HUNG]    = STAYS(GONE),
        [SUPERVISE_EXITED]  = STAYS(GONE),
        [SUPERVISE_DUE]     = STAYS(GONE),
        [SUPERVISE_DRAIN]   = STAYS(GONE),
        [SUPERVISE_LEAVE]   = STAYS(GONE),
        [SUPERVISE_END]     = STAYS(GONE),
    },
};
/* clang-format on */

struct supervise_step supervise(enum supervise_state state, enum supervise_event event)
{
    ASSERT((unsigned)state < SUPERVISE_STATE_COUNT && (unsigned)event < SUPERVISE_EVENT_COUNT);
    return table[state][event];
}

uint32_t supervise_count_failure(uint32_t failure_count, int64_t served_ms)
{
    if (served_ms >= SUPERVISE_HEALTHY_MS)
        return 1;
    return failure_count < UINT32_MAX ? failure_count + 1 : failure_count;
}

int64_t supervise_restart_delay_ms(uint32_t failure_count, int64_t maximum_ms)
{
    int64_t delay_ms = 1000;
    if (failure_count <= 1)
        return 0;
    for (uint32_t i = 2; i < failure_count && delay_ms < maximum_ms; i++)
        delay_ms *= 2;
    return delay_ms < maximum_ms ? delay_ms : maximum_ms;
}

const char *supervise_state_name(enum supervise_state state)
{
    static const char *const names[SUPERVISE_STATE_COUNT] = {
        [SUPERVISE_HELD] = "held",         [SUPERVISE_STARTING] = "starting",
        [SUPERVISE_SERVING] = "serving",   [SUPERVISE_WAITING] = "waiting",
        [SUPERVISE_REPLACED] = "replaced", [SUPERVISE_DRAINING] = "draining",
        [SUPERVISE_LEAVING] = "leaving",   [SUPERVISE_ENDING] = "ending",
        [SUPERVISE_GONE] = "gone",
    };
    return (unsigned)state < SUPERVISE_STATE_COUNT ? names[state] : "unknown";
}
