/* system/watchdog - a thread that ends its process when one piece of work has taken too long.
 * Nobody behind a sandbox may send signals; whoever hangs in a library has to end by itself.
 * Callers: lib/crew, authd/relay_server. */
#ifndef SYSTEM_WATCHDOG_H
#define SYSTEM_WATCHDOG_H

#include <pthread.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "system/clock.h"

struct watchdog {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t limit_ms;
    int64_t deadline_ms; /* CLOCK_NEVER: nothing is being done */
    bool is_waiting_for_work;
};

/* Starts the thread, which lasts as long as the process, as *watchdog must. False: there is none.
 */
MUST_USE bool watchdog_start(struct watchdog *watchdog, int64_t limit_ms);
/* A piece of work begins, or has ended. One that lasts longer than limit_ms and a second of grace
 * is the end of the process, with EXIT_FAILURE. */
void watchdog_set(struct watchdog *watchdog, bool is_working);

#endif
