/* tests/qmgr/steady - clocks that somebody sets. */
#include "../test.h"

#include "qmgr/steady.h"

enum { SECOND_MS = 1000, HOUR_MS = 3600 * 1000 };

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t realtime_ms, boottime_ms; /* that went by */
        int64_t jump_ms;
    } rows[] = {
        {"a second", SECOND_MS, SECOND_MS, 0},
        {"the process slept", HOUR_MS, HOUR_MS, 0},
        {"slewed", 1100, SECOND_MS, 0},
        {"a leap second", 0, SECOND_MS, 0},
        {"set forward an hour", HOUR_MS + SECOND_MS, SECOND_MS, HOUR_MS},
        {"set back an hour", SECOND_MS - HOUR_MS, SECOND_MS, -HOUR_MS},
        {"not quite a minute", 60999, SECOND_MS, 0},
        {"a minute", 61000, SECOND_MS, 60000},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct steady steady = {0};
        const int64_t realtime_ms = INT64_C(1800000000000), boottime_ms = 5000;
        assert_int_equal(steady_look(&steady, (uint64_t)realtime_ms * 1000U, boottime_ms), 0);
        assert_true(steady_is_trusted(&steady, boottime_ms));
        const int64_t now_ms = boottime_ms + rows[i].boottime_ms;
        const int64_t jump_ms =
            steady_look(&steady, (uint64_t)(realtime_ms + rows[i].realtime_ms) * 1000U, now_ms);
        if (jump_ms != rows[i].jump_ms)
            fail_msg("%s: %lld", rows[i].name, (long long)jump_ms);
        assert_int_equal(steady_is_trusted(&steady, now_ms), rows[i].jump_ms == 0);
        assert_true(steady_is_trusted(&steady, now_ms + STEADY_WAIT_MS));
    }
}

static void test_from_the_epoch(void **state)
{
    (void)state;
    struct steady steady = {0};
    /* An empty battery: the first look is in 1970, the next one after the time service came. */
    assert_int_equal(steady_look(&steady, 7000000, 7000), 0);
    assert_true(steady_look(&steady, UINT64_C(1800000000000000), 8000) > 0);
    assert_false(steady_is_trusted(&steady, 9000));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_from_the_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
