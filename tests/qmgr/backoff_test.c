/* tests/qmgr/backoff - when a message is tried again. */
#include "../test.h"

#include "qmgr/backoff.h"

enum { MINIMAL_MS = 300 * 1000, MAXIMAL_MS = 4000 * 1000 };
#define SECOND UINT64_C(1000000)

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t age_s;
        uint64_t least_s, most_s; /* the wait, whatever the jitter */
    } rows[] = {
        {"the first failure", 0, 300, 330},
        {"still young", 290, 300, 330},
        {"as long as it has waited", 1000, 900, 1100},
        {"old", 100000, 3600, 4400},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        static const uint32_t jitters[] = {0, 1, UINT32_MAX / 2, UINT32_MAX};
        const uint64_t now_us = UINT64_C(1800000000) * SECOND;
        for (size_t j = 0; j < ARRAY_LENGTH(jitters); j++) {
            const uint64_t wait_us =
                backoff_next_attempt_us(now_us, now_us - rows[i].age_s * SECOND, MINIMAL_MS,
                                        MAXIMAL_MS, jitters[j]) -
                now_us;
            if (wait_us < rows[i].least_s * SECOND || wait_us > rows[i].most_s * SECOND)
                fail_msg("%s, jitter %u: %llu us", rows[i].name, jitters[j],
                         (unsigned long long)wait_us);
        }
    }
}

static void test_clock_that_went_back(void **state)
{
    (void)state;
    const uint64_t now_us = 1000 * SECOND;
    const uint64_t next_us =
        backoff_next_attempt_us(now_us, 9000 * SECOND, MINIMAL_MS, MAXIMAL_MS, 0);
    assert_int_equal(next_us, now_us + 300 * SECOND);
}

static void test_jitter_spreads(void **state)
{
    (void)state;
    const uint64_t now_us = 100000 * SECOND;
    const uint64_t low = backoff_next_attempt_us(now_us, 0, MINIMAL_MS, MAXIMAL_MS, 0);
    const uint64_t high = backoff_next_attempt_us(now_us, 0, MINIMAL_MS, MAXIMAL_MS, UINT32_MAX);
    assert_true(high - low > 700 * SECOND); /* a fifth of 4000 s */
}

/* The first looks are for an agent that lets go at once, the last are no burden for long ones. */
static void test_looks_at_what_is_locked(void **state)
{
    (void)state;
    static const int64_t waits_ms[] = {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
    int64_t wait_ms = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(waits_ms); i++) {
        wait_ms = backoff_next_look_ms(wait_ms);
        assert_int_equal(wait_ms, waits_ms[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_clock_that_went_back),
        cmocka_unit_test(test_jitter_spreads),
        cmocka_unit_test(test_looks_at_what_is_locked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
