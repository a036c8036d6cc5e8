/* tests/qmgr/unreported - parts of a report: how many recipients are looked at. */
#include "../test.h"

#include "qmgr/unreported.h"

enum { RECIPIENTS = 50000, PART = 50 };

static bool is_to_be_told[DSN_KIND_COUNT][RECIPIENTS];
static size_t look_count;

bool message_reports_on(const struct message *message, uint32_t index, enum dsn_kind kind)
{
    assert_true(index < message->recipient_count);
    look_count++;
    return is_to_be_told[kind][index];
}

/* Part by part, of every kind before this one there is nothing to tell. */
static void tell_all(struct message *message, enum dsn_kind kind)
{
    size_t told_count = 0;
    look_count = 0;
    for (;;) {
        for (size_t before = 0; before < (size_t)kind; before++)
            assert_false(unreported_find(message, (enum dsn_kind)before));
        if (!unreported_find(message, kind))
            break;
        const uint32_t first = message->unreported_from[kind];
        for (uint32_t i = first; i < RECIPIENTS && i < first + PART; i++, told_count++) {
            assert_true(is_to_be_told[kind][i]);
            is_to_be_told[kind][i] = false;
        }
    }
    assert_int_equal(told_count, RECIPIENTS);
    /* Each once for a kind, and once more the first of each part. */
    if (look_count > (size_t)RECIPIENTS * DSN_KIND_COUNT + RECIPIENTS / PART)
        fail_msg("kind %u: %zu looks", (unsigned)kind, look_count);
}

static void test_looks(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < DSN_KIND_COUNT; kind++) {
        struct message message = {.recipient_count = RECIPIENTS};
        for (uint32_t i = 0; i < RECIPIENTS; i++)
            is_to_be_told[kind][i] = true;
        tell_all(&message, (enum dsn_kind)kind);
    }
}

static void test_changes(void **state)
{
    (void)state;
    struct message message = {.recipient_count = RECIPIENTS};
    assert_false(unreported_find(&message, DSN_SUCCESS));
    for (uint32_t i = RECIPIENTS; i-- > RECIPIENTS - 3;) {
        is_to_be_told[DSN_SUCCESS][i] = true;
        unreported_note(&message, i);
        assert_true(unreported_find(&message, DSN_SUCCESS));
        assert_int_equal(message.unreported_from[DSN_SUCCESS], i);
    }
    assert_false(unreported_find(&message, DSN_FAILURE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
