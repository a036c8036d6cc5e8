/* tests/limitd/counters - windows, holds, and the bound on memory. The clock is handed in. */
#include "../test.h"

#include <malloc.h>

#include "../../limitd/counters.h"

static const uint8_t seed[16] = "counters test";

enum { CAPACITY_BYTES = 20000, MINUTE_MS = 60000 };

/* 0 where malloc() is another's. */
static size_t heap_bytes(void)
{
    const struct mallinfo2 facts = mallinfo2();
    return facts.uordblks + facts.hblkhd;
}

static struct counter *get(struct counters *counters, const char *name, int64_t now_ms)
{
    struct counter *counter =
        counters_get(counters, LIMIT_KIND_MESSAGE, span_from_string(name), now_ms);
    assert_non_null(counter);
    return counter;
}

static void test_windows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t times_ms[4]; /* of events; 0 ends */
        int64_t asked_ms;
        uint32_t count;
    } rows[] = {
        {"one", {1}, 1, 1},
        {"three in a window", {1, 2, 3}, 4, 3},
        {"to the last millisecond", {1, MINUTE_MS}, MINUTE_MS, 2},
        {"over", {1, 2}, MINUTE_MS + 1, 0},
        {"a new one begins", {1, 2, MINUTE_MS + 1}, MINUTE_MS + 2, 1},
        {"it begins with the event, not where the last one ended",
         {1, 2, 3 * MINUTE_MS / 2},
         2 * MINUTE_MS + 2,
         1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct counters counters;
        counters_init(&counters, seed, CAPACITY_BYTES);
        for (size_t j = 0; j < 4 && rows[i].times_ms[j]; j++)
            counter_add(get(&counters, "a", rows[i].times_ms[j]), 1, MINUTE_MS,
                        rows[i].times_ms[j]);
        const uint32_t count = counter_count(get(&counters, "a", 1), rows[i].asked_ms);
        if (count != rows[i].count)
            fail_msg("%s: %u events, expected %u", rows[i].name, count, rows[i].count);
        counters_destroy(&counters);
    }
}

static void test_what_is_told_apart(void **state)
{
    (void)state;
    struct counters counters;
    counters_init(&counters, seed, CAPACITY_BYTES);
    counter_add(get(&counters, "a", 1), 5, MINUTE_MS, 1);
    assert_null(counters_find(&counters, LIMIT_KIND_RECIPIENT, SPAN("a")));
    assert_null(counters_find(&counters, LIMIT_KIND_MESSAGE, SPAN("b")));
    assert_null(counters_find(&counters, LIMIT_KIND_MESSAGE, span_empty()));
    struct counter *counter = counters_find(&counters, LIMIT_KIND_MESSAGE, SPAN("a"));
    assert_non_null(counter);
    assert_int_equal(counter_count(counter, 2), 5);
    assert_span_is("name", counter->name, "a");
    counter_add(counter, UINT32_MAX, MINUTE_MS, 3); /* no overflow makes room for more */
    assert_int_equal(counter_count(counter, 3), UINT32_MAX);
    counter_set(counter, 7, 10, 100);
    assert_int_equal(counter_count(counter, 109), 7);
    assert_int_equal(counter_count(counter, 110), 0);
    uint8_t long_name[COUNTER_KEY_MAX_BYTES + 1] = {0};
    assert_null(
        counters_get(&counters, LIMIT_KIND_MESSAGE, span_of(long_name, sizeof(long_name)), 1));
    assert_non_null(
        counters_get(&counters, LIMIT_KIND_MESSAGE, span_of(long_name, sizeof(long_name) - 1), 1));
    counters_destroy(&counters);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct counters counters;
    char name[32];
    counters_init(&counters, seed, CAPACITY_BYTES);
    struct counter *held = get(&counters, "held", 1);
    /* As often as can be counted, which a process that means ill may reach. */
    held->held_count = UINT32_MAX;
    assert_false(counters_hold(&counters, held));
    assert_int_equal(held->held_count, UINT32_MAX);
    held->held_count = 0;
    assert_true(counters_hold(&counters, held));
    assert_true(counters_hold(&counters, held));
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof(name), "client %d", i);
        counter_add(get(&counters, name, i), 1, MINUTE_MS, i);
        counter_add(get(&counters, "busy", i), 1, INT64_MAX / 8, i); /* used all the time */
        assert_true(counters.size_bytes <= CAPACITY_BYTES);
    }
    /* Those used last are there, those used longest ago are not; what is held is. */
    assert_non_null(counters_find(&counters, LIMIT_KIND_MESSAGE, SPAN("client 9999")));
    assert_null(counters_find(&counters, LIMIT_KIND_MESSAGE, SPAN("client 0")));
    assert_int_equal(counter_count(get(&counters, "busy", 10000), 10000), 10000);
    assert_ptr_equal(counters_find(&counters, LIMIT_KIND_MESSAGE, SPAN("held")), held);
    assert_int_equal(held->held_count, 2);
    counters_release(&counters, held);
    counters_release(&counters, held);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "client %d", i);
        counter_add(get(&counters, name, i), 1, MINUTE_MS, i);
    }
    assert_null(counters_find(&counters, LIMIT_KIND_MESSAGE, SPAN("held")));
    counters_destroy(&counters);
}

/* Addresses cost nothing, and whoever has many must not make us forget what others have done. What
 * is kept of a million costs what it is said to cost, the map and malloc() included. */
static void test_a_million_clients(void **state)
{
    (void)state;
    static const enum limit_kind flooded[] = {LIMIT_KIND_CONNECTION, LIMIT_KIND_MESSAGE,
                                              LIMIT_KIND_RECIPIENT, LIMIT_KIND_GREETING};
    static const enum limit_kind kept[] = {LIMIT_KIND_AUTH_KNOWN, LIMIT_KIND_AUTH_USER,
                                           LIMIT_KIND_SENDER_MESSAGE};
    enum { CLIENTS = 1000000, KNOWN = 100, LARGE_BYTES = 4 << 20 };
    struct counters counters;
    char name[64];
    const size_t before = heap_bytes();
    counters_init(&counters, seed, LARGE_BYTES);
    for (int i = 0; i < KNOWN; i++) {
        (void)snprintf(name, sizeof(name), "user%d@here.test", i);
        for (size_t j = 0; j < ARRAY_LENGTH(kept); j++) {
            struct counter *counter = counters_get(&counters, kept[j], span_from_string(name), 1);
            assert_non_null(counter);
            counter_add(counter, 1, MINUTE_MS, 1);
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        (void)snprintf(name, sizeof(name), "192.0.2.1:25:2001:db8:%x:%x::/64", i >> 8, i & 255);
        const enum limit_kind kind = flooded[i % (int)ARRAY_LENGTH(flooded)];
        struct counter *counter = counters_get(&counters, kind, span_from_string(name), 2);
        assert_non_null(counter);
        counter_add(counter, 1, MINUTE_MS, 2);
        assert_true(counters.size_bytes <= LARGE_BYTES);
    }
    const size_t after = heap_bytes();
    if (after > before && after - before > LARGE_BYTES / 4 * 5)
        fail_msg("%zu bytes instead of %d", after - before, LARGE_BYTES);
    for (int i = 0; i < KNOWN; i++) {
        (void)snprintf(name, sizeof(name), "user%d@here.test", i);
        for (size_t j = 0; j < ARRAY_LENGTH(kept); j++) {
            struct counter *counter = counters_find(&counters, kept[j], span_from_string(name));
            assert_non_null(counter);
            assert_int_equal(counter_count(counter, 3), 1);
        }
    }
    counters_destroy(&counters);
}

/* Nothing can go: the newcomer is not counted. */
static void test_full_of_what_is_held(void **state)
{
    (void)state;
    struct counters counters;
    char name[32];
    struct counter *counter;
    int count = 0;
    counters_init(&counters, seed, CAPACITY_BYTES);
    for (;; count++) {
        (void)snprintf(name, sizeof(name), "client %d", count);
        counter = counters_get(&counters, LIMIT_KIND_CONNECTION, span_from_string(name), 1);
        if (!counter)
            break;
        assert_true(counters_hold(&counters, counter));
    }
    assert_true(count > 50);
    counters_release(&counters, counters_find(&counters, LIMIT_KIND_CONNECTION, SPAN("client 7")));
    assert_non_null(counters_get(&counters, LIMIT_KIND_CONNECTION, SPAN("client x"), 1));
    assert_null(counters_find(&counters, LIMIT_KIND_CONNECTION, SPAN("client 7")));
    counters_destroy(&counters);
}

static void test_expiry(void **state)
{
    (void)state;
    struct counters counters;
    counters_init(&counters, seed, CAPACITY_BYTES);
    counter_add(get(&counters, "short", 1), 1, 10, 1);
    counter_add(get(&counters, "long", 1), 1, 1000, 1);
    counter_add(get(&counters, "held", 1), 1, 10, 1);
    assert_true(counters_hold(&counters, get(&counters, "held", 1)));
    counters_expire(&counters, 20);
    assert_null(counters_find(&counters, LIMIT_KIND_MESSAGE, SPAN("short")));
    assert_non_null(counters_find(&counters, LIMIT_KIND_MESSAGE, SPAN("long")));
    assert_non_null(counters_find(&counters, LIMIT_KIND_MESSAGE, SPAN("held")));
    assert_int_equal(counters.map.count, 2);
    counters_destroy(&counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_what_is_told_apart),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_a_million_clients),
        cmocka_unit_test(test_full_of_what_is_held),
        cmocka_unit_test(test_expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
