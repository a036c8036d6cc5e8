/* qmgr/window - how many deliveries a destination may have at once, learnt from what comes back.
 * The window opens by a part of one for each delivery that the next hop took, and closes by a part
 * of one for each that found the next hop bad; how large the parts are is set (feedback). After a
 * number of failed cohorts (a cohort is as many deliveries as the window holds) in a row the
 * destination counts as dead. Pure. Callers: qmgr/schedule. Design: man/qmgr.8, section
 * CONCURRENCY. */
#ifndef QMGR_WINDOW_H
#define QMGR_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a transport. Feedback as conf/value.h encodes it. */
struct window_rules {
    size_t initial; /* 1 or more */
    size_t limit;   /* 1 or more; SIZE_MAX: none */
    int64_t positive_feedback, negative_feedback;
    int64_t failed_cohort_limit; /* 0: never dead */
};

struct window {
    size_t size;
    /* In millionths. */
    int64_t success, failure, failed_cohorts;
};

/* What one delivery adds or takes, in millionths, by a window of that size. */
int64_t window_feedback(int64_t encoded, size_t window);
void window_open(struct window *window, const struct window_rules *rules);
/* in_flight_count: deliveries still under way, without this one. The window grows only while it is
 * used: what was never tried teaches nothing. True when it was. */
bool window_success(struct window *window, const struct window_rules *rules,
                    size_t in_flight_count);
/* True when the destination is to be left alone. */
bool window_failure(struct window *window, const struct window_rules *rules);

#endif
