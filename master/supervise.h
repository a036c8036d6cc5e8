/* master/supervise - what to do about one process when something happens to it: a table of state
 * and event, and how long to wait before a restart. Pure: the caller supplies the clock and acts.
 * Callers: master/fleet, the tests. */
#ifndef MASTER_SUPERVISE_H
#define MASTER_SUPERVISE_H

#include <stdint.h>

#include "base/compiler.h"

enum supervise_state {
    SUPERVISE_HELD,     /* not begun: waits for its turn, or for its predecessor to go */
    SUPERVISE_STARTING, /* runs, is not ready */
    SUPERVISE_SERVING,  /* ready, answers pings */
    SUPERVISE_WAITING,  /* has died and is started again later */
    SUPERVISE_REPLACED, /* was killed; another is started when it is gone */
    SUPERVISE_DRAINING, /* was told to take no more work and to finish what it has */
    SUPERVISE_LEAVING,  /* was told to leave */
    SUPERVISE_ENDING,   /* was killed, for good */
    SUPERVISE_GONE,     /* and will not come back */
    SUPERVISE_STATE_COUNT
};

enum supervise_event {
    SUPERVISE_BEGIN,  /* it is its turn */
    SUPERVISE_READY,  /* it says that it serves */
    SUPERVISE_FAILED, /* it says that it cannot serve */
    SUPERVISE_HUNG,   /* no ready or no pong within the time, or a channel that makes no sense */
    SUPERVISE_EXITED, /* the process is gone */
    SUPERVISE_DUE,    /* the wait before its restart is over */
    SUPERVISE_DRAIN,  /* a reload: others take over */
    SUPERVISE_LEAVE,  /* a stop, or the time for draining is over */
    SUPERVISE_END,    /* an operator is in a hurry, or the time for leaving is over */
    SUPERVISE_EVENT_COUNT
};

enum supervise_action {
    SUPERVISE_DO_NOTHING,
    SUPERVISE_DO_START,    /* fork, wire, await READY */
    SUPERVISE_DO_SERVE,    /* begin to ping */
    SUPERVISE_DO_KILL,     /* SIGKILL, and await the exit */
    SUPERVISE_DO_SCHEDULE, /* restart after supervise_restart_delay_ms() */
    SUPERVISE_DO_DRAIN,    /* ask it to finish, and limit the time for that */
    SUPERVISE_DO_STOP,     /* ask it to leave, and limit the time for that */
    SUPERVISE_DO_FORGET    /* nothing is left of it */
};

struct supervise_step {
    enum supervise_state next;
    enum supervise_action action;
};

/* Every pair has an answer; one that cannot happen changes nothing. */
MUST_USE struct supervise_step supervise(enum supervise_state state, enum supervise_event event);

/* A run that lasted this long was healthy: what failed before it is forgotten. */
enum { SUPERVISE_HEALTHY_MS = 2000 };
/* How many times it died without a healthy run between: the new count. */
MUST_USE uint32_t supervise_count_failure(uint32_t failure_count, int64_t served_ms);
/* The first restart is at once, the next after 1 s, 2 s, 4 s, up to maximum_ms. */
MUST_USE int64_t supervise_restart_delay_ms(uint32_t failure_count, int64_t maximum_ms);

const char *supervise_state_name(enum supervise_state state);

#endif
