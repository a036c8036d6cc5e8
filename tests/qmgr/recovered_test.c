/* tests/qmgr/recovered - ids whose client may not have heard of its message. */
#include "../test.h"

#include <stdio.h>

#include "qmgr/recovered.h"
#include "queuefile/id.h"

enum { MANY = 500000 };

static struct span make_id(char text[QUEUE_ID_MAX_BYTES + 1], unsigned number)
{
    (void)snprintf(text, QUEUE_ID_MAX_BYTES + 1, "4jXF%06u", number);
    return span_from_string(text);
}

/* Channels that close again and again take nothing from what the next one needs. */
static void test_the_last_ones_are_known(void **state)
{
    (void)state;
    struct qmgr qmgr = {.loop = loop_create()};
    char text[QUEUE_ID_MAX_BYTES + 1];
    assert_non_null(qmgr.loop);
    recovered_init(&qmgr);
    recovered_note(&qmgr, make_id(text, 1));
    assert_true(recovered_has(&qmgr, make_id(text, 1)));
    assert_false(recovered_has(&qmgr, make_id(text, 2)));
    for (unsigned i = 1; i <= MANY; i++) {
        recovered_note_unheard(&qmgr, make_id(text, i));
        recovered_note_unheard(&qmgr, make_id(text, i));
    }
    for (unsigned i = MANY - 1000; i <= MANY; i++)
        assert_true(recovered_has(&qmgr, make_id(text, i)));
    assert_true(qmgr.recovered.count < MANY);
    assert_int_equal(qmgr.recovered.count, qmgr.recovered_eldest.count);
    assert_false(recovered_has(&qmgr, make_id(text, 1)));
    recovered_expire(&qmgr, clock_monotonic_ms());
    assert_true(recovered_has(&qmgr, make_id(text, MANY)));
    recovered_expire(&qmgr, INT64_MAX);
    assert_int_equal(qmgr.recovered.count, 0);
    map_destroy(&qmgr.recovered);
    loop_timer_release(&qmgr.recovered_timer);
    loop_destroy(&qmgr.loop);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_ones_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
