/* tests/lib/limit/load - when stress begins, when it ends, and what is worth a message. */
#include "../../test.h"

#include "limit/load.h"

static void test_stress(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool was_stressed;
        uint64_t session_count, capacity;
        bool is_stressed;
    } rows[] = {
        {"idle", false, 0, 50, false},        {"below nine tenths", false, 44, 50, false},
        {"nine tenths", false, 45, 50, true}, {"full", false, 50, 50, true},
        {"it stays", true, 35, 50, true},     {"it ends", true, 34, 50, false},
        {"one of one", false, 1, 1, true},    {"none of one", true, 0, 1, false},
        {"one of two", false, 1, 2, false},   {"nobody takes any", false, 5, 0, false},
        {"all have gone", true, 0, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (limit_load_is_stressed(rows[i].was_stressed, rows[i].session_count, rows[i].capacity) !=
            rows[i].is_stressed)
            fail_msg("%s", rows[i].name);
}

static void test_news(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t reported, session_count, capacity;
        bool is_news;
    } rows[] = {
        {"the same", 40, 40, 50, false},         {"few of many", 0, 20, 50, false},
        {"half is told", 0, 25, 50, true},       {"a step", 25, 27, 50, true},
        {"less than a step", 30, 31, 50, false}, {"full at once", 49, 50, 50, true},
        {"no more full", 50, 49, 50, true},      {"back to few", 30, 24, 50, true},
        {"few stay few", 3, 24, 50, false},      {"one of one", 0, 1, 1, true},
        {"none of one", 1, 0, 1, true},          {"one of two", 0, 1, 2, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (limit_load_is_news(rows[i].reported, rows[i].session_count, rows[i].capacity) !=
            rows[i].is_news)
            fail_msg("%s", rows[i].name);
}

/* Whoever follows the reports sees stress begin and end as if told of every session. */
static void test_reports_suffice(void **state)
{
    (void)state;
    for (uint64_t capacity = 1; capacity < 200; capacity++) {
        uint64_t reported = 0;
        bool told = false;
        for (uint64_t turn = 0; turn <= 2 * capacity; turn++) {
            const uint64_t count = turn <= capacity ? turn : 2 * capacity - turn;
            if (limit_load_is_news(reported, count, capacity)) {
                reported = count;
                told = limit_load_is_stressed(told, count, capacity);
            }
            if (count == capacity && !told)
                fail_msg("%d sessions of as many are no stress", (int)capacity);
            if (count == 0 && told)
                fail_msg("no sessions of %d are stress", (int)capacity);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stress),
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_reports_suffice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
