/* tests/qmgr/late - which results count that come over no delivery of this qmgr. */
#include "../test.h"

#include "qmgr/late.h"

static const struct {
    const char *name;
    enum recipient_stage stage;
    bool has_stray_delivery, is_its_own;
    enum outcome_kind kind;
    bool counts;
} rows[] = {
    {"arrived, unseen, and waits", STAGE_QUEUED, true, false, OUTCOME_OK, true},
    {"the same before it has a route", STAGE_UNROUTED, true, false, OUTCOME_OK, true},
    {"refused, unseen", STAGE_QUEUED, true, false, OUTCOME_PERMANENT, true},
    {"put off, unseen", STAGE_UNROUTED, true, false, OUTCOME_TEMPORARY, true},
    {"arrived, and is under way again", STAGE_IN_FLIGHT, true, false, OUTCOME_OK, true},
    {"refused, and is under way again", STAGE_IN_FLIGHT, true, false, OUTCOME_PERMANENT, false},
    {"over", STAGE_DONE, true, false, OUTCOME_OK, false},
    {"no agent has it", STAGE_QUEUED, false, false, OUTCOME_OK, false},
    {"or it has not been routed", STAGE_UNROUTED, false, false, OUTCOME_OK, false},
    {"another agent has it", STAGE_IN_FLIGHT, false, false, OUTCOME_OK, false},
    {"and is to lose it", STAGE_IN_FLIGHT, false, false, OUTCOME_PERMANENT, false},
    {"by a new channel of its agent", STAGE_IN_FLIGHT, false, true, OUTCOME_OK, true},
    {"the same, refused", STAGE_IN_FLIGHT, false, true, OUTCOME_PERMANENT, false},
    {"the same, when it is over", STAGE_DONE, false, true, OUTCOME_OK, false},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct recipient recipient = {.stage = rows[i].stage,
                                            .has_stray_delivery = rows[i].has_stray_delivery};
        if (late_result_counts(&recipient, rows[i].kind, rows[i].is_its_own) != rows[i].counts)
            fail_msg("%s", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
