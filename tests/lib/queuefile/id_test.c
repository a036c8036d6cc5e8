/* tests/lib/queuefile/id - queue ids and bucket names. */
#include "../../test.h"

#include "queuefile/bucket.h"
#include "queuefile/id.h"

static const uint8_t zeros[QUEUE_ID_RANDOM_BYTES];
static const uint8_t ones[QUEUE_ID_RANDOM_BYTES] = {255, 255, 255, 255, 255, 255,
                                                    255, 255, 255, 255, 255, 255};

static void test_make(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t time_us;
        const uint8_t *random;
        const char *id;
    } rows[] = {
        {"the beginning", 0, zeros, "0000000000z00000000000000000"},
        {"one of each", 1000001, zeros, "0000010001z00000000000000000"},
        {"last symbol", 51 * UINT64_C(1000000) + 51, zeros, "00000z000zz00000000000000000"},
        {"all random bits", 0, ones, "0000000000zjnxmvtM4Pk6XkqM90"},
        {"seven symbols of seconds", UINT64_C(19770609664) * 1000000, zeros,
         "10000000000z00000000000000000"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char id[QUEUE_ID_MAX_BYTES + 1];
        uint64_t time_us = 1;
        const size_t length = queue_id_make(rows[i].time_us, rows[i].random, id);
        assert_int_equal(length, strlen(id));
        assert_span_is(rows[i].name, span_of(id, length), rows[i].id);
        assert_true(queue_id_time(span_of(id, length), &time_us));
        assert_int_equal(time_us, rows[i].time_us);
        uint8_t random[QUEUE_ID_RANDOM_BYTES] = {0x5a};
        assert_true(queue_id_random(span_of(id, length), random));
        assert_memory_equal(random, rows[i].random, sizeof(random));
    }
    char longest[QUEUE_ID_MAX_BYTES + 1];
    assert_int_equal(queue_id_make(UINT64_MAX, ones, longest), QUEUE_ID_MAX_BYTES);
    assert_true(queue_id_is_valid(span_from_string(longest)));
}

static void test_ids_sort_by_time(void **state)
{
    (void)state;
    char earlier[QUEUE_ID_MAX_BYTES + 1], later[QUEUE_ID_MAX_BYTES + 1];
    for (uint64_t time_us = 1790000000000000; time_us < 1790000100000000; time_us += 999999) {
        (void)queue_id_make(time_us, ones, earlier);
        (void)queue_id_make(time_us + 1, zeros, later);
        assert_true(strcmp(earlier, later) < 0);
    }
}

/* Every distinct random value has an id of its own: a change in any bit is seen. */
static void test_random_bits_all_count(void **state)
{
    (void)state;
    char plain[QUEUE_ID_MAX_BYTES + 1], changed[QUEUE_ID_MAX_BYTES + 1];
    (void)queue_id_make(0, zeros, plain);
    for (size_t bit = 0; bit < 8 * QUEUE_ID_RANDOM_BYTES; bit++) {
        uint8_t random[QUEUE_ID_RANDOM_BYTES] = {0};
        random[bit / 8] = (uint8_t)(1U << bit % 8);
        (void)queue_id_make(0, random, changed);
        assert_string_not_equal(plain, changed);
        uint8_t found[QUEUE_ID_RANDOM_BYTES];
        assert_true(queue_id_random(span_from_string(changed), found));
        assert_memory_equal(found, random, sizeof(found));
    }
}

static void test_invalid(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "z",
        "../../../../../../etc/passwd",
        "0000000000z0000000000000000",   /* one short */
        "0000000000z000000000000000000", /* one long: the separator is in the wrong place */
        "00000000000z00000000000000000", /* another spelling of the year 1970 */
        "0000000000Z00000000000000000",  /* separator */
        "0000000000z0000000000000000z",  /* z is no symbol of random bits */
        "00000A0000z00000000000000000",  /* a vowel */
        "00000/0000z00000000000000000",
        "00000.0000z00000000000000000",
        "000000zzzzz00000000000000000",   /* more than a second of microseconds */
        "zzzzzzzz0000z00000000000000000", /* past 64 bits of microseconds */
        "0000000000z0000000000000000\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (queue_id_random(span_from_string(bad[i]), (uint8_t[QUEUE_ID_RANDOM_BYTES]){0}) ||
            queue_id_is_valid(span_from_string(bad[i])))
            fail_msg("\"%s\" is taken for a queue id", bad[i]);
    const char good[] = "0000000000z00000000000000000";
    assert_true(queue_id_is_valid(span_from_string(good)));
    for (size_t length = 0; length < strlen(good); length++)
        assert_false(queue_id_is_valid(span_of(good, length)));
    assert_false(queue_id_is_valid(span_of("0000000000z000000000000000\0", 28)));
}

static void test_buckets(void **state)
{
    (void)state;
    char name[QUEUE_BUCKET_NAME_BYTES + 1];
    uint32_t bucket = 0;
    queue_bucket_name(queue_bucket_of_time(UINT64_C(1790000000) * 1000000), name);
    assert_string_equal(name, "035589dc");
    assert_true(queue_bucket_parse(SPAN("035589dc"), &bucket));
    assert_int_equal(queue_bucket_time(bucket) / 1000000, 1790000000 / 32 * 32);
    assert_int_equal(queue_bucket_of_time(UINT64_MAX), UINT32_MAX);
    static const char *const bad[] = {"",         "0355a2b",  "0355a2bcd",
                                      "0355A2BC", "0355a2bg", "..      "};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(queue_bucket_parse(span_from_string(bad[i]), &bucket));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_ids_sort_by_time),
        cmocka_unit_test(test_random_bits_all_count),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
