/* system/watchdog - see watchdog.h. */
#include "system/watchdog.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_MS = 1000 }; /* beyond the limit: whoever waits gives up first and knows why */

static void wait_until(struct watchdog *watchdog, int64_t deadline_ms)
{
    const struct timespec until = {.tv_sec = (time_t)(deadline_ms / 1000),
                                   .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    (void)pthread_cond_timedwait(&watchdog->changed, &watchdog->mutex, &until); /* or earlier */
}

static void *watch(void *argument)
{
    struct watchdog *watchdog = argument;

    (void)pthread_mutex_lock(&watchdog->mutex);
    for (;;) {
        while (watchdog->deadline_ms == CLOCK_NEVER) {
            watchdog->is_waiting_for_work = true;
            (void)pthread_cond_wait(&watchdog->changed, &watchdog->mutex);
        }
        watchdog->is_waiting_for_work = false;
        if (clock_monotonic_ms() >= watchdog->deadline_ms)
            _exit(EXIT_FAILURE);
        wait_until(watchdog, watchdog->deadline_ms);
    }
    return NULL;
}

bool watchdog_start(struct watchdog *watchdog, int64_t limit_ms)
{
    pthread_condattr_t attributes;
    pthread_t thread;

    *watchdog = (struct watchdog){.limit_ms = limit_ms, .deadline_ms = CLOCK_NEVER};
    return pthread_mutex_init(&watchdog->mutex, NULL) == 0 &&
           pthread_condattr_init(&attributes) == 0 &&
           pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(&watchdog->changed, &attributes) == 0 &&
           pthread_create(&thread, NULL, watch, watchdog) == 0;
}

void watchdog_set(struct watchdog *watchdog, bool is_working)
{
    (void)pthread_mutex_lock(&watchdog->mutex);
    watchdog->deadline_ms =
        is_working ? clock_deadline_after(watchdog->limit_ms + GRACE_MS) : CLOCK_NEVER;
    /* In the middle of an earlier wait it looks at the new deadline when that is over. */
    if (is_working && watchdog->is_waiting_for_work)
        (void)pthread_cond_signal(&watchdog->changed);
    (void)pthread_mutex_unlock(&watchdog->mutex);
}
