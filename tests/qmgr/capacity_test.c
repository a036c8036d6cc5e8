/* tests/qmgr/capacity - what a process says it takes is believed within limits. */
#include "../test.h"

#include "qmgr/capacity.h"

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t said;
        size_t active_limit;
        size_t given;
    } rows[] = {
        {"as an SMTP client says", 50, 20000, 50},
        {"none", 0, 20000, 0},
        {"raised by its setting", 5000, 20000, 5000},
        {"all there is", 20000, 20000, 10000},
        {"the most that can be said", UINT32_MAX, 20000, 10000},
        {"a small active set", 200, 10, 200},
        {"the most, and a small active set", UINT32_MAX, 1, 256},
        {"the most, and an endless active set", UINT32_MAX, SIZE_MAX, 32768},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const size_t given = capacity_to_give(rows[i].said, rows[i].active_limit);
        if (given != rows[i].given)
            fail_msg("%s: %zu", rows[i].name, given);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
