/* tests/master/repair - when a channel that has closed is made again, and on whose word. */
#include "../test.h"

#include "master/repair.h"
#include "system/clock.h"

enum { CLIENT = 7, SERVER = 9, OTHER = 11 };

static uint32_t last_channel;

/* Makes what is due, and says how many there were. */
static unsigned make_due(struct repairs *repairs, int64_t now_ms)
{
    unsigned count = 0;
    struct repair *repair;
    while ((repair = repairs_next_due(repairs, now_ms)) != NULL) {
        repair_made(repair, ++last_channel);
        count++;
    }
    return count;
}

static void test_both_ends(void **state)
{
    (void)state;
    struct repairs repairs;
    repairs_init(&repairs);
    assert_true(repairs_due_ms(&repairs) == CLOCK_NEVER);
    for (int64_t now_ms = 0; now_ms < (int64_t)20 * REPAIR_MS; now_ms += REPAIR_MS) {
        repairs_tell(&repairs, CLIENT, SERVER, last_channel, false, now_ms);
        repairs_tell(&repairs, CLIENT, SERVER, last_channel, true, now_ms);
        assert_true(repairs_due_ms(&repairs) == now_ms + REPAIR_MS);
        assert_null(repairs_next_due(&repairs, now_ms));
        assert_int_equal(make_due(&repairs, now_ms + REPAIR_MS), 1);
    }
    repairs_destroy(&repairs);
}

/* Who says again and again that its channels have closed. */
static void test_liar(void **state)
{
    (void)state;
    struct repairs repairs;
    unsigned made = 0;
    int64_t now_ms = 0;
    repairs_init(&repairs);
    for (; now_ms < (int64_t)1000 * REPAIR_MS; now_ms += REPAIR_MS / 10) {
        repairs_tell(&repairs, CLIENT, SERVER, last_channel, false, now_ms);
        made += make_due(&repairs, now_ms);
    }
    assert_in_range(made, 5, 11);
    assert_int_equal(repairs.list.count, 1);
    /* Nobody else waits for that. */
    repairs_tell(&repairs, OTHER, SERVER, last_channel, true, now_ms);
    assert_int_equal(make_due(&repairs, now_ms + REPAIR_MS), 1);
    /* And when it is true, the other end says so, too. */
    repairs_tell(&repairs, CLIENT, SERVER, last_channel, true, now_ms);
    assert_int_equal(make_due(&repairs, now_ms + REPAIR_MS), 1);
    repairs_destroy(&repairs);
}

/* Who was stopped while its channel broke tells of it when there is another, and then of that one
 * which the other end closed for the new one: nothing is missing. */
static void test_late_word(void **state)
{
    (void)state;
    struct repairs repairs;
    repairs_init(&repairs);
    const uint32_t broken = last_channel;
    repairs_tell(&repairs, CLIENT, SERVER, broken, false, 0);
    assert_int_equal(make_due(&repairs, REPAIR_MS), 1);
    repairs_tell(&repairs, CLIENT, SERVER, broken, true, 2 * REPAIR_MS);
    assert_true(repairs_due_ms(&repairs) == CLOCK_NEVER);
    /* The one that was made breaks: both say so. */
    repairs_tell(&repairs, CLIENT, SERVER, last_channel, true, 3 * REPAIR_MS);
    repairs_tell(&repairs, CLIENT, SERVER, last_channel, false, 3 * REPAIR_MS);
    assert_int_equal(make_due(&repairs, 4 * REPAIR_MS), 1);
    repairs_destroy(&repairs);
}

static void test_waits(void **state)
{
    (void)state;
    struct repairs repairs;
    repairs_init(&repairs);
    repairs_tell(&repairs, CLIENT, SERVER, last_channel, true, 0);
    struct repair *repair = repairs_next_due(&repairs, REPAIR_MS);
    assert_non_null(repair);
    repair_put_off(repair, REPAIR_MS);
    assert_true(repairs_due_ms(&repairs) == 2 * REPAIR_MS);
    assert_int_equal(make_due(&repairs, REPAIR_MS), 0);
    assert_int_equal(make_due(&repairs, 2 * REPAIR_MS), 1);
    /* Made, it is not made again. */
    assert_true(repairs_due_ms(&repairs) == CLOCK_NEVER);
    repairs_destroy(&repairs);
}

/* One that could not be made is made later, as often as it takes, and nobody is called a liar. */
static void test_wanted(void **state)
{
    (void)state;
    struct repairs repairs;
    repairs_init(&repairs);
    repairs_want(&repairs, CLIENT, SERVER, 0);
    for (int64_t now_ms = REPAIR_MS; now_ms < (int64_t)10 * REPAIR_MS; now_ms += REPAIR_MS) {
        struct repair *repair = repairs_next_due(&repairs, now_ms);
        assert_non_null(repair);
        repair_put_off(repair, now_ms);
        assert_null(repairs_next_due(&repairs, now_ms));
    }
    assert_int_equal(make_due(&repairs, (int64_t)10 * REPAIR_MS), 1);
    assert_true(repairs_due_ms(&repairs) == CLOCK_NEVER);
    repairs_tell(&repairs, CLIENT, SERVER, last_channel, false, 0);
    assert_true(repairs_due_ms(&repairs) == REPAIR_MS);
    repairs_destroy(&repairs);
}

static void test_forgotten(void **state)
{
    (void)state;
    struct repairs repairs;
    repairs_init(&repairs);
    repairs_tell(&repairs, CLIENT, SERVER, last_channel, true, 0);
    repairs_tell(&repairs, OTHER, CLIENT, last_channel, true, 0);
    repairs_tell(&repairs, OTHER, SERVER, last_channel, true, 0);
    repairs_forget(&repairs, CLIENT);
    assert_int_equal(repairs.list.count, 1);
    assert_int_equal(make_due(&repairs, REPAIR_MS), 1);
    repairs_destroy(&repairs);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ends), cmocka_unit_test(test_liar),
        cmocka_unit_test(test_late_word), cmocka_unit_test(test_waits),
        cmocka_unit_test(test_wanted),    cmocka_unit_test(test_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
