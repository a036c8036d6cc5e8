/* qmgr/window - see window.h. */
#include "window.h"

#include "conf/value.h"

enum { UNIT = CONF_FEEDBACK_UNIT, ROUNDING = UNIT / 1000, ROOT_UNIT = 1000 };

/* Newton's method, from above. */
static uint64_t whole_root(uint64_t number)
{
    uint64_t root = number;
    for (uint64_t next = (number + 1) / 2; next < root; next = (root + number / root) / 2)
        root = next;
    return root;
}

int64_t window_feedback(int64_t encoded, size_t window)
{
    const int64_t millionths = conf_feedback_millionths(encoded);
    if (conf_feedback_divisor(encoded) == CONF_FEEDBACK_BY_CONCURRENCY)
        return millionths / (int64_t)window;
    if (conf_feedback_divisor(encoded) == CONF_FEEDBACK_BY_ROOT)
        return millionths * ROOT_UNIT /
               (int64_t)whole_root((uint64_t)window * ROOT_UNIT * ROOT_UNIT);
    return millionths;
}

void window_open(struct window *window, const struct window_rules *rules)
{
    const size_t size = rules->initial < rules->limit ? rules->initial : rules->limit;
    *window = (struct window){.size = size > 0 ? size : 1};
}

/* As in Postfix the window changes when half a part would be missing; what was too much is owed. */
bool window_success(struct window *window, const struct window_rules *rules, size_t in_flight_count)
{
    window->failed_cohorts = 0;
    if (window->size >= rules->limit || window->size >= in_flight_count + rules->initial)
        return false;
    const int64_t part = window_feedback(rules->positive_feedback, window->size);
    window->success += part;
    while (window->success + part / 2 >= UNIT) {
        window->size++;
        window->success -= UNIT;
        window->failure = 0;
    }
    if (window->size > rules->limit)
        window->size = rules->limit;
    return true;
}

bool window_failure(struct window *window, const struct window_rules *rules)
{
    window->failed_cohorts += UNIT / (int64_t)window->size;
    if (rules->failed_cohort_limit > 0 &&
        window->failed_cohorts + ROUNDING >= rules->failed_cohort_limit * UNIT)
        return true;
    /* The first failure closes the window, and then one in as many as make a whole: waiting for
     * those would leave a site that is in trouble what it cannot bear. */
    const int64_t part = window_feedback(rules->negative_feedback, window->size);
    window->failure -= part;
    while (window->failure - part / 2 < 0) {
        window->size -= window->size > 1;
        window->failure += UNIT;
        window->success = 0;
    }
    return false;
}
