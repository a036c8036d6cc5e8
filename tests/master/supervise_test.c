/* tests/master/supervise - the table of state and event, and the waits between restarts. */
#include "../test.h"

#include "../../master/supervise.h"

/* Lives as sequences of events: what is done at each, and where it ends. */
static void test_lives(void **state)
{
    (void)state;
    enum { EVENTS_MAX = 8 };
    static const struct {
        const char *name;
        size_t count;
        struct {
            enum supervise_event event;
            enum supervise_action action;
        } steps[EVENTS_MAX];
        enum supervise_state end;
    } lives[] = {
        {"starts and serves",
         2,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START}, {SUPERVISE_READY, SUPERVISE_DO_SERVE}},
         SUPERVISE_SERVING},
        {"dies and comes back",
         5,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_READY, SUPERVISE_DO_SERVE},
          {SUPERVISE_EXITED, SUPERVISE_DO_SCHEDULE},
          {SUPERVISE_DUE, SUPERVISE_DO_START},
          {SUPERVISE_READY, SUPERVISE_DO_SERVE}},
         SUPERVISE_SERVING},
        {"hangs, is killed, comes back",
         5,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_READY, SUPERVISE_DO_SERVE},
          {SUPERVISE_HUNG, SUPERVISE_DO_KILL},
          {SUPERVISE_EXITED, SUPERVISE_DO_SCHEDULE},
          {SUPERVISE_DUE, SUPERVISE_DO_START}},
         SUPERVISE_STARTING},
        {"never becomes ready",
         3,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_HUNG, SUPERVISE_DO_KILL},
          {SUPERVISE_EXITED, SUPERVISE_DO_SCHEDULE}},
         SUPERVISE_WAITING},
        {"says that it cannot serve",
         4,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_FAILED, SUPERVISE_DO_KILL},
          {SUPERVISE_FAILED, SUPERVISE_DO_NOTHING},
          {SUPERVISE_EXITED, SUPERVISE_DO_SCHEDULE}},
         SUPERVISE_WAITING},
        {"leaves when asked",
         4,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_READY, SUPERVISE_DO_SERVE},
          {SUPERVISE_LEAVE, SUPERVISE_DO_STOP},
          {SUPERVISE_EXITED, SUPERVISE_DO_FORGET}},
         SUPERVISE_GONE},
        {"is asked twice",
         4,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_LEAVE, SUPERVISE_DO_STOP},
          {SUPERVISE_LEAVE, SUPERVISE_DO_NOTHING},
          {SUPERVISE_EXITED, SUPERVISE_DO_FORGET}},
         SUPERVISE_GONE},
        {"does not leave in time",
         5,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_READY, SUPERVISE_DO_SERVE},
          {SUPERVISE_LEAVE, SUPERVISE_DO_STOP},
          {SUPERVISE_END, SUPERVISE_DO_KILL},
          {SUPERVISE_EXITED, SUPERVISE_DO_FORGET}},
         SUPERVISE_GONE},
        {"hangs while leaving",
         4,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_LEAVE, SUPERVISE_DO_STOP},
          {SUPERVISE_HUNG, SUPERVISE_DO_KILL},
          {SUPERVISE_EXITED, SUPERVISE_DO_FORGET}},
         SUPERVISE_GONE},
        {"finishes after a reload",
         4,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_READY, SUPERVISE_DO_SERVE},
          {SUPERVISE_DRAIN, SUPERVISE_DO_DRAIN},
          {SUPERVISE_EXITED, SUPERVISE_DO_FORGET}},
         SUPERVISE_GONE},
        {"has had its time after a reload",
         6,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_DRAIN, SUPERVISE_DO_DRAIN},
          {SUPERVISE_DRAIN, SUPERVISE_DO_NOTHING},
          {SUPERVISE_LEAVE, SUPERVISE_DO_STOP},
          {SUPERVISE_DRAIN, SUPERVISE_DO_NOTHING},
          {SUPERVISE_END, SUPERVISE_DO_KILL}},
         SUPERVISE_ENDING},
        {"is not replaced once all are to leave",
         4,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_HUNG, SUPERVISE_DO_KILL},
          {SUPERVISE_LEAVE, SUPERVISE_DO_NOTHING},
          {SUPERVISE_EXITED, SUPERVISE_DO_FORGET}},
         SUPERVISE_GONE},
        {"waits for its restart when all are to leave",
         3,
         {{SUPERVISE_BEGIN, SUPERVISE_DO_START},
          {SUPERVISE_EXITED, SUPERVISE_DO_SCHEDULE},
          {SUPERVISE_LEAVE, SUPERVISE_DO_FORGET}},
         SUPERVISE_GONE},
        {"never had its turn", 1, {{SUPERVISE_LEAVE, SUPERVISE_DO_FORGET}}, SUPERVISE_GONE},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lives); i++) {
        enum supervise_state at = SUPERVISE_HELD;
        for (size_t j = 0; j < lives[i].count; j++) {
            const struct supervise_step step = supervise(at, lives[i].steps[j].event);
            if (step.action != lives[i].steps[j].action)
                fail_msg("%s: step %zu", lives[i].name, j);
            at = step.next;
        }
        if (at != lives[i].end)
            fail_msg("%s: ends as %s", lives[i].name, supervise_state_name(at));
    }
}

/* What must hold for every cell, also those that nobody thought of. */
static void test_every_cell(void **state)
{
    (void)state;
    for (int from = 0; from < SUPERVISE_STATE_COUNT; from++) {
        for (int event = 0; event < SUPERVISE_EVENT_COUNT; event++) {
            const struct supervise_step step =
                supervise((enum supervise_state)from, (enum supervise_event)event);
            const bool is_leaving =
                from == SUPERVISE_LEAVING || from == SUPERVISE_ENDING || from == SUPERVISE_GONE;
            /* Nobody comes back who was told to leave, and nobody is started twice. */
            if (is_leaving)
                assert_true(step.next == SUPERVISE_LEAVING || step.next == SUPERVISE_ENDING ||
                            step.next == SUPERVISE_GONE);
            if (step.action == SUPERVISE_DO_START)
                assert_true(from == SUPERVISE_HELD || from == SUPERVISE_WAITING);
            /* Killed is who runs. */
            if (step.action == SUPERVISE_DO_KILL)
                assert_true(from == SUPERVISE_STARTING || from == SUPERVISE_SERVING ||
                            from == SUPERVISE_DRAINING || from == SUPERVISE_LEAVING);
            /* To leave is an order. */
            if (event == SUPERVISE_DRAIN)
                assert_true(step.next >= SUPERVISE_DRAINING);
            if (event == SUPERVISE_LEAVE)
                assert_true(step.next >= SUPERVISE_LEAVING);
            if (event == SUPERVISE_END)
                assert_true(step.next >= SUPERVISE_ENDING);
            assert_string_not_equal(supervise_state_name(step.next), "unknown");
        }
    }
}

static void test_waits(void **state)
{
    (void)state;
    static const int64_t delays_ms[] = {0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (uint32_t i = 0; i < ARRAY_LENGTH(delays_ms); i++)
        assert_int_equal(supervise_restart_delay_ms(i, 60000), delays_ms[i]);
    assert_int_equal(supervise_restart_delay_ms(UINT32_MAX, 60000), 60000);
    assert_int_equal(supervise_restart_delay_ms(2, 100), 100);
    assert_int_equal(supervise_count_failure(0, 0), 1);
    assert_int_equal(supervise_count_failure(6, SUPERVISE_HEALTHY_MS - 1), 7);
    assert_int_equal(supervise_count_failure(6, SUPERVISE_HEALTHY_MS), 1);
    assert_int_equal(supervise_count_failure(UINT32_MAX, 0), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_every_cell),
        cmocka_unit_test(test_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
