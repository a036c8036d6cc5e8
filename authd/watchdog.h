/* authd/watchdog - a thread that ends a worker when one piece of its work has taken too long.
 * Nobody in authd may send signals; whoever hangs in a library has to end by itself.
 * Callers: authd/worker, authd/relay_server. */
#ifndef AUTHD_WATCHDOG_H
#define AUTHD_WATCHDOG_H

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

MUST_USE bool watchdog_start(struct watchdog *watchdog, int64_t limit_ms);
void watchdog_set(struct watchdog *watchdog, bool is_working);

#endif
