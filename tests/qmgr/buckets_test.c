/* tests/qmgr/buckets - when directories of deferred mail are looked into. */
#include "../test.h"

#include <stdlib.h>

#include "qmgr/buckets.h"

enum { PAUSE_END_US = 5000 };

static void test_order(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {7, 3, 9, 3, 1, 8};
    struct buckets buckets = {.count = 0};
    assert_null(buckets_earliest(&buckets));
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        assert_non_null(buckets_add(&buckets, numbers[i], numbers[i] * UINT64_C(100)));
    assert_int_equal(buckets.count, 5);
    for (size_t i = 1; i < buckets.count; i++)
        assert_true(buckets.list[i - 1].number < buckets.list[i].number);
    assert_int_equal(buckets_earliest(&buckets)->number, 1);
    buckets_drop(&buckets, 1);
    buckets_drop(&buckets, 2);
    assert_null(buckets_find(&buckets, 1));
    assert_int_equal(buckets_earliest(&buckets)->number, 3);
    (void)buckets_add(&buckets, 9, 50);
    assert_int_equal(buckets_earliest(&buckets)->number, 9);
    for (uint32_t number = 100; number < 400; number++)
        assert_non_null(buckets_add(&buckets, number, UINT64_MAX));
    assert_int_equal(buckets_find(&buckets, 399)->number, 399);
    free(buckets.list);
}

static void test_looks(void **state)
{
    static const struct {
        const char *name;
        enum load_haste haste;                        /* of the look */
        bool is_interrupted, is_flushed, is_expected; /* while it is read */
        uint64_t due_us;
        enum load_haste haste_after;
    } rows[] = {
        {"nothing came", LOAD_WHEN_DUE, false, false, false, UINT64_MAX, LOAD_WHEN_DUE},
        {"a message came", LOAD_WHEN_DUE, false, false, true, PAUSE_END_US, LOAD_WHEN_DUE},
        {"a flush came", LOAD_WHEN_DUE, false, true, false, 0, LOAD_FLUSHED},
        {"interrupted", LOAD_WHEN_DUE, true, false, false, PAUSE_END_US, LOAD_WHEN_DUE},
        {"interrupted, a message came", LOAD_WHEN_DUE, true, false, true, PAUSE_END_US,
         LOAD_WHEN_DUE},
        {"interrupted in haste", LOAD_NOW, true, false, false, PAUSE_END_US, LOAD_NOW},
        {"interrupted, flushed before", LOAD_FLUSHED, true, false, false, PAUSE_END_US,
         LOAD_FLUSHED},
        {"interrupted, flushed meanwhile", LOAD_WHEN_DUE, true, true, false, 0, LOAD_FLUSHED},
        {"interrupted, flushed twice", LOAD_FLUSHED, true, true, true, 0, LOAD_FLUSHED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buckets buckets = {.count = 0};
        struct bucket *bucket = buckets_add(&buckets, 4, 100);
        assert_non_null(bucket);
        bucket->haste = rows[i].haste;
        bucket_begin_look(bucket);
        if (rows[i].is_expected)
            (void)buckets_add(&buckets, 4, 200);
        if (rows[i].is_flushed)
            buckets_flush(&buckets);
        bucket_end_look(bucket, PAUSE_END_US);
        if (rows[i].is_interrupted)
            bucket_resume(bucket, rows[i].haste);
        if (bucket->due_us != rows[i].due_us || bucket->haste != rows[i].haste_after)
            fail_msg("%s: due at %llu, haste %u", rows[i].name, (unsigned long long)bucket->due_us,
                     (unsigned)bucket->haste);
        /* What comes afterwards waits for the end of the pause, too. */
        (void)buckets_add(&buckets, 4, 300);
        assert_int_equal(bucket->due_us, rows[i].due_us < PAUSE_END_US ? 0 : PAUSE_END_US);
        free(buckets.list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
