/* tests/qmgr/window - concurrency windows and their feedback. */
#include "../test.h"

#include "conf/value.h"
#include "qmgr/window.h"

static int64_t encoded(const char *text)
{
    int64_t value = -1;
    if (!conf_value_parse_feedback(span_from_string(text), &value))
        fail_msg("%s is no feedback", text);
    return value;
}

/* What happens, a letter each: s a success with the window full, i one with nothing else in
 * flight, f a failure. "!" as the expected size: left alone. */
static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t initial, limit;
        const char *positive, *negative;
        int64_t cohort_limit;
        const char *events;
        size_t size; /* 0: left alone by the last event, and by no other */
    } rows[] = {
        {"opens at its initial size", 5, 20, "1", "1", 1, "", 5},
        {"never above the limit", 5, 3, "1", "1", 1, "s", 3},
        {"grows by one for each", 5, 20, "1", "1", 1, "sss", 8},
        {"grows to the limit", 5, 7, "1", "1", 1, "sssss", 7},
        {"not while it is unused", 5, 20, "1", "1", 1, "iiii", 5},
        {"half a part takes two", 2, 20, "0.5", "1", 1, "sss", 3},
        {"a part of the window takes a window", 4, 20, "1 / concurrency", "1", 1, "ssss", 5},
        {"three thirds are one", 3, 20, "1/concurrency", "1", 1, "sss", 4},
        {"the root of nine is three", 9, 20, "1 / sqrt_concurrency", "1", 1, "sss", 10},
        {"the root of two is less than two", 2, 20, "1 / sqrt_concurrency", "1", 1, "s", 3},
        {"that of eight is more", 8, 20, "1 / sqrt_concurrency", "1", 1, "s", 8},
        {"but less than three", 8, 20, "1 / sqrt_concurrency", "1", 1, "ssssss", 10},
        {"what was too much is owed", 5, 20, "0.4", "1", 1, "sssssss", 8},
        {"the first failure counts whole", 6, 20, "1", "1 / concurrency", 0, "f", 5},
        {"and then as many as fit", 6, 20, "1", "1 / concurrency", 0, "ffff", 5},
        {"until they are one", 6, 20, "1", "1 / concurrency", 0, "fffff", 4},
        {"no feedback, no change", 5, 20, "0", "0", 0, "ssssff", 5},
        {"the first failure takes two, the next one each", 8, 20, "1", "1", 3, "fff", 4},
        {"never below one", 2, 20, "1", "1", 0, "ffffff", 1},
        {"dead when one cohort failed", 1, 20, "1", "1", 1, "f", 0},
        {"a smaller window makes a cohort sooner", 5, 20, "1", "1", 1, "fff", 0},
        {"a success between them forgives", 5, 20, "1", "1", 1, "ffsf", 1},
        {"two cohorts where two may fail", 1, 20, "1", "1", 2, "ff", 0},
        {"never dead without a limit", 1, 20, "1", "1", 0, "ffffffffff", 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct window_rules rules = {rows[i].initial, rows[i].limit,
                                           encoded(rows[i].positive), encoded(rows[i].negative),
                                           rows[i].cohort_limit};
        struct window window;
        bool is_dead = false;
        window_open(&window, &rules);
        for (const char *event = rows[i].events; *event; event++) {
            assert_false(is_dead);
            if (*event == 'f')
                is_dead = window_failure(&window, &rules);
            else
                (void)window_success(&window, &rules, *event == 's' ? window.size : 0);
        }
        if (is_dead != (rows[i].size == 0) || (!is_dead && window.size != rows[i].size))
            fail_msg("%s: window %zu, %s", rows[i].name, window.size,
                     is_dead ? "left alone" : "in use");
    }
}

static void test_feedback_syntax(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t millionths; /* -1: refused */
        enum conf_feedback_divisor divisor;
    } rows[] = {
        {"1", 1000000, CONF_FEEDBACK_CONSTANT},
        {"0", 0, CONF_FEEDBACK_CONSTANT},
        {".25", 250000, CONF_FEEDBACK_CONSTANT},
        {"0.3333333333", 333333, CONF_FEEDBACK_CONSTANT},
        {"1.0", 1000000, CONF_FEEDBACK_CONSTANT},
        {"1/concurrency", 1000000, CONF_FEEDBACK_BY_CONCURRENCY},
        {"0.5 / concurrency", 500000, CONF_FEEDBACK_BY_CONCURRENCY},
        {" 1 / sqrt_concurrency ", 1000000, CONF_FEEDBACK_BY_ROOT},
        {"", -1, CONF_FEEDBACK_CONSTANT},
        {"1.1", -1, CONF_FEEDBACK_CONSTANT},
        {"2", -1, CONF_FEEDBACK_CONSTANT},
        {"-1", -1, CONF_FEEDBACK_CONSTANT},
        {"1.", -1, CONF_FEEDBACK_CONSTANT},
        {".", -1, CONF_FEEDBACK_CONSTANT},
        {"1 /", -1, CONF_FEEDBACK_CONSTANT},
        {"1 / window", -1, CONF_FEEDBACK_CONSTANT},
        {"/ concurrency", -1, CONF_FEEDBACK_CONSTANT},
        {"1/concurrency/concurrency", -1, CONF_FEEDBACK_CONSTANT},
        {"0.5x", -1, CONF_FEEDBACK_CONSTANT},
        {"99999999999999999999", -1, CONF_FEEDBACK_CONSTANT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t value;
        const bool is_taken = conf_value_parse_feedback(span_from_string(rows[i].text), &value);
        if (is_taken != (rows[i].millionths >= 0))
            fail_msg("\"%s\": %s", rows[i].text, is_taken ? "taken" : "refused");
        if (is_taken && (conf_feedback_millionths(value) != rows[i].millionths ||
                         conf_feedback_divisor(value) != rows[i].divisor))
            fail_msg("\"%s\": %lld", rows[i].text, (long long)value);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_feedback_syntax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
