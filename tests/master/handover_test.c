/* tests/master/handover - what one master leaves to the next. */
#include "../test.h"

#include "master/handover.h"

static const char sample[] = "posthouse-handover 1 00ff 7 93 5 2\n"
                             "listener 9 7 127.0.0.1:25\n"
                             "listener 10 6 public/qmgr\n"
                             "from-a-later-release 1 2 3\n"
                             "process 4711 12 7 20 21 smtpd smtp\n";

static void test_round_trip(void **state)
{
    (void)state;
    struct arena arena;
    struct handover handover, again;
    struct buffer text, second;
    arena_init(&arena, 4 * HANDOVER_MAX_BYTES, 0);
    buffer_init(&text, NULL, HANDOVER_MAX_BYTES);
    buffer_init(&second, NULL, HANDOVER_MAX_BYTES);
    assert_int_equal(handover_parse(span_from_string(sample), &arena, &handover), PARSE_OK);
    assert_true(span_equals(handover.schema, SPAN("00ff")));
    assert_int_equal(handover.last_generation, 7);
    assert_int_equal(handover.last_number, 93);
    assert_int_equal(handover.lock, 5);
    assert_int_equal(handover.upgrade_count, 2);
    assert_int_equal(handover.listener_count, 2);
    assert_true(span_equals(handover.listeners[1].text, SPAN("public/qmgr")));
    assert_int_equal(handover.process_count, 1);
    assert_int_equal(handover.processes[0].pid, 4711);
    assert_int_equal(handover.processes[0].errors, 21);
    assert_true(span_equals(handover.processes[0].service, SPAN("smtp")));
    handover_write(&handover, &text);
    assert_int_equal(handover_parse(buffer_span(&text), &arena, &again), PARSE_OK);
    handover_write(&again, &second);
    assert_true(span_equals(buffer_span(&text), buffer_span(&second)));
    buffer_release(&text);
    buffer_release(&second);
    arena_destroy(&arena);
}

/* Cut anywhere it is either refused or a shorter list; never more than the whole. */
static void test_every_beginning(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(sample); length++) {
        struct arena arena;
        struct handover handover;
        arena_init(&arena, 4 * HANDOVER_MAX_BYTES, 0);
        if (handover_parse(span_of(sample, length), &arena, &handover) == PARSE_OK)
            assert_true(handover.listener_count <= 2 && handover.process_count <= 1);
        arena_destroy(&arena);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "posthouse-handover 2 00ff 7 93 5 0\n",
        "something-else 1 00ff 7 93 5 0\n",
        "posthouse-handover 1 00ff 7 93 2 0\n", /* standard error is no lock */
        "posthouse-handover 1 00ff 7 93 -1 0\n",
        "posthouse-handover 1 00ff 7 93\n",
        "posthouse-handover 1 00ff 7 93 5 0\nprocess 1 12 7 20 21 smtpd smtp\n", /* init */
        "posthouse-handover 1 00ff 7 93 5 0\nprocess 0 12 7 20 21 smtpd smtp\n",
        "posthouse-handover 1 00ff 7 93 5 0\nprocess 99999999999 12 7 20 21 smtpd smtp\n",
        "posthouse-handover 1 00ff 7 93 5 0\nprocess 4711 12 7 20 0 smtpd smtp\n",
        "posthouse-handover 1 00ff 7 93 5 0\nprocess 4711 12 7 20 21 smtpd\n",
        "posthouse-handover 1 00ff 7 93 5 0\nlistener 0 7 127.0.0.1:25\n",
        "posthouse-handover 1 00ff 7 93 5 0\nlistener 9 7\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct handover handover;
        arena_init(&arena, 4 * HANDOVER_MAX_BYTES, 0);
        if (handover_parse(span_from_string(rows[i]), &arena, &handover) != PARSE_MALFORMED)
            fail_msg("taken: %s", rows[i]);
        arena_destroy(&arena);
    }
}

static void test_nul(void **state)
{
    (void)state;
    static const char text[] = "posthouse-handover 1 00ff 7 93 5 0\n"
                               "process 4711 12 7 20 21 smt\0pd smtp\n";
    struct arena arena;
    struct handover handover;
    arena_init(&arena, 4 * HANDOVER_MAX_BYTES, 0);
    assert_int_equal(handover_parse(span_of(text, sizeof(text) - 1), &arena, &handover),
                     PARSE_MALFORMED);
    arena_destroy(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
