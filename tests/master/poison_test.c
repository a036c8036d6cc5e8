/* tests/master/poison - work that killed twice. */
#include "../test.h"

#include "master/poison.h"

enum { HOUR_MS = 3600 * 1000 };

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum ipc_role role;
        const char *work;
        int64_t at_ms;
        bool is_proven;
    } deaths[] = {
        {"once is an accident", IPC_ROLE_SMTP, "one", 0, false},
        {"another message", IPC_ROLE_SMTP, "two", 1, false},
        {"the same message elsewhere", IPC_ROLE_BOUNCE, "one", 2, false},
        {"twice", IPC_ROLE_SMTP, "one", 3, true},
        {"and again", IPC_ROLE_SMTP, "one", 4, true},
        {"too long ago", IPC_ROLE_SMTP, "two", HOUR_MS + 1, false},
        {"and soon after", IPC_ROLE_SMTP, "two", HOUR_MS + 2, true},
    };
    struct poisons poisons;
    poisons_init(&poisons);
    for (size_t i = 0; i < ARRAY_LENGTH(deaths); i++) {
        const struct poison *poison = poisons_count(
            &poisons, deaths[i].role, 7, span_from_string(deaths[i].work), deaths[i].at_ms);
        assert_non_null(poison);
        if (poison_is_proven(poison, deaths[i].at_ms) != deaths[i].is_proven)
            fail_msg("%s: %u", deaths[i].name, poison->count);
    }
    poisons_destroy(&poisons);
}

static void test_bounds(void **state)
{
    (void)state;
    struct poisons poisons;
    poisons_init(&poisons);
    for (uint32_t i = 0; i < 2 * POISON_ENTRIES_MAX; i++)
        assert_non_null(poisons_count(&poisons, IPC_ROLE_SMTP, i, span_of(&i, sizeof(i)), 0));
    assert_true(poisons.list.count <= POISON_ENTRIES_MAX);
    char longest[200];
    memset(longest, 'x', sizeof(longest));
    for (int i = 0; i < 2; i++) {
        const struct poison *poison =
            poisons_count(&poisons, IPC_ROLE_SMTP, 1, span_of(longest, sizeof(longest)), 0);
        assert_int_equal(poison_is_proven(poison, 0), i == 1);
    }
    poisons_destroy(&poisons);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
