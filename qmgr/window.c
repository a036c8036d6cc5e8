/* qmgr/window - see window.h. */
#include "window.h"

#include "conf/value.h"

enum { UNIT = CONF_FEEDBACK_UNIT, ROUNDING = UNIT / 1000 };

static size_t whole_root(size_t number)
{
    size_t root = 1;
    while ((root + 1) <= number / (root + 1))
        root++;
    return root;
}

static int64_t feedback(int64_t encoded, size_t window)
{
    const int64_t millionths = conf_feedback_millionths(encoded);
    if (conf_feedback_divisor(encoded) == CONF_FEEDBACK_BY_CONCURRENCY)
        return millionths / (int64_t)window;
    if (conf_feedback_divisor(encoded) == CONF_FEEDBACK_BY_ROOT)
        return millionths / (int64_t)whole_root(window);
    return millionths;
}

void window_open(struct window *window, const struct window_rules *rules)
{
    const size_t size = rules->initial < rules->limit ? rules->initial : rules->limit;
    *window = (struct window){.size = size > 0 ? size : 1};
}

void window_success(struct window *window, const struct window_rules *rules, size_t in_flight_count)
{
    window->failed_cohorts = 0;
    if (window->size >= rules->limit || window->size >= in_flight_count + rules->initial)
        return;
    window->success += feedback(rules->positive_feedback, window->size);
    /* Parts that should make one make a little less: a third three times. */
    while (window->success + ROUNDING >= UNIT && window->size < rules->limit) {
        window->size++;
        window->success -= UNIT;
        window->failure = 0;
    }
    if (window->success < 0)
        window->success = 0;
}

bool window_failure(struct window *window, const struct window_rules *rules)
{
    window->failed_cohorts += UNIT / (int64_t)window->size;
    if (rules->failed_cohort_limit > 0 &&
        window->failed_cohorts + ROUNDING >= rules->failed_cohort_limit * UNIT)
        return true;
    window->failure += feedback(rules->negative_feedback, window->size);
    while (window->failure + ROUNDING >= UNIT && window->size > 1) {
        window->size--;
        window->failure -= UNIT;
        window->success = 0;
    }
    if (window->failure < 0)
        window->failure = 0;
    return false;
}
