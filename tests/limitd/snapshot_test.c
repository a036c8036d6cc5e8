/* tests/limitd/snapshot - what was counted comes back, at the time that it is; what was damaged
 * does not. */
#include "../test.h"

#include "../../limitd/snapshot.h"

static const uint8_t seed[16] = "snapshot test";

enum { CAPACITY_BYTES = 100000, NOW_MS = 500000, MINUTE_MS = 60000 };
#define TIME_US UINT64_C(1795309711000000)

static void add(struct counters *counters, enum limit_kind kind, const char *name, uint32_t count,
                int64_t window_ms, int64_t at_ms)
{
    struct counter *counter = counters_get(counters, kind, span_from_string(name), at_ms);
    assert_non_null(counter);
    counter_add(counter, count, window_ms, at_ms);
}

static void encode_sample(bool is_whole, struct buffer *bytes)
{
    struct counters counters;
    counters_init(&counters, seed, CAPACITY_BYTES);
    add(&counters, LIMIT_KIND_MESSAGE, "smtp:192.0.2.1", 7, MINUTE_MS, NOW_MS - 10000);
    add(&counters, LIMIT_KIND_GREETING, "192.0.2.1", 1, 86400000, NOW_MS - 20000);
    add(&counters, LIMIT_KIND_SENDER_MESSAGE, "a@example.org", 9, 3600000, NOW_MS);
    add(&counters, LIMIT_KIND_GREETING, "192.0.2.2", 1, MINUTE_MS, NOW_MS - MINUTE_MS); /* over */
    assert_true(counters_hold(&counters,
                              counters_get(&counters, LIMIT_KIND_CONNECTION, SPAN("x"), NOW_MS)));
    buffer_init(bytes, NULL, CAPACITY_BYTES);
    snapshot_encode(&counters, is_whole, 41, TIME_US, NOW_MS, bytes);
    assert_true(buffer_ok(bytes));
    counters_destroy(&counters);
}

/* The counts, or -1 where there is none. */
static int count_of(struct counters *counters, enum limit_kind kind, const char *name,
                    int64_t now_ms)
{
    struct counter *counter = counters_find(counters, kind, span_from_string(name));
    return counter ? (int)counter_count(counter, now_ms) : -1;
}

static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_whole;
        int64_t passed_s;
        int message, greeting, sender; /* counts afterwards */
    } rows[] = {
        {"at once", true, 0, 7, 1, 9},
        {"only what is to survive", false, 0, -1, 1, 9},
        {"after 49 seconds", true, 49, 7, 1, 9},
        {"after 50 seconds", true, 50, -1, 1, 9},
        {"after two hours", true, 7200, -1, 1, -1},
        {"after two days", true, 172800, -1, -1, -1},
        {"the clock was turned back", true, -86400, 7, 1, 9},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer bytes;
        struct snapshot snapshot;
        struct counters counters;
        encode_sample(rows[i].is_whole, &bytes);
        assert_int_equal(snapshot_decode(buffer_span(&bytes), &snapshot), PARSE_OK);
        assert_int_equal(snapshot.serial, 41);
        counters_init(&counters, seed, CAPACITY_BYTES);
        const int64_t now_ms = 50; /* another machine start */
        const uint64_t time_us = (uint64_t)((int64_t)TIME_US + rows[i].passed_s * 1000000);
        snapshot_restore(&snapshot, time_us, now_ms, &counters);
        if (count_of(&counters, LIMIT_KIND_MESSAGE, "smtp:192.0.2.1", now_ms) != rows[i].message ||
            count_of(&counters, LIMIT_KIND_GREETING, "192.0.2.1", now_ms) != rows[i].greeting ||
            count_of(&counters, LIMIT_KIND_SENDER_MESSAGE, "a@example.org", now_ms) !=
                rows[i].sender ||
            count_of(&counters, LIMIT_KIND_GREETING, "192.0.2.2", now_ms) != -1 ||
            count_of(&counters, LIMIT_KIND_CONNECTION, "x", now_ms) != -1)
            fail_msg("%s", rows[i].name);
        counters_destroy(&counters);
        buffer_release(&bytes);
    }
}

/* The window that began before goes on. */
static void test_windows_go_on(void **state)
{
    (void)state;
    struct buffer bytes;
    struct snapshot snapshot;
    struct counters counters;
    encode_sample(true, &bytes);
    assert_int_equal(snapshot_decode(buffer_span(&bytes), &snapshot), PARSE_OK);
    counters_init(&counters, seed, CAPACITY_BYTES);
    snapshot_restore(&snapshot, TIME_US + 20000000, 1000, &counters); /* 30 of 60 s have passed */
    assert_int_equal(count_of(&counters, LIMIT_KIND_MESSAGE, "smtp:192.0.2.1", 30999), 7);
    assert_int_equal(count_of(&counters, LIMIT_KIND_MESSAGE, "smtp:192.0.2.1", 31000), 0);
    counters_destroy(&counters);
    buffer_release(&bytes);
}

static void test_every_shorter_file(void **state)
{
    (void)state;
    struct buffer bytes;
    struct snapshot snapshot = {.serial = 1};
    encode_sample(true, &bytes);
    for (size_t length = 0; length < bytes.length; length++)
        assert_int_equal(snapshot_decode(span_first(buffer_span(&bytes), length), &snapshot),
                         PARSE_NEED_MORE);
    buffer_append_byte(&bytes, 0);
    assert_int_equal(snapshot_decode(buffer_span(&bytes), &snapshot), PARSE_MALFORMED);
    assert_int_equal(snapshot.serial, 1);
    buffer_release(&bytes);
}

static void test_every_flipped_bit(void **state)
{
    (void)state;
    struct buffer bytes;
    struct snapshot snapshot;
    encode_sample(true, &bytes);
    for (size_t i = 0; i < bytes.length * 8; i++) {
        bytes.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
        if (snapshot_decode(buffer_span(&bytes), &snapshot) == PARSE_OK)
            fail_msg("bit %zu does not matter", i);
        bytes.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    assert_int_equal(snapshot_decode(buffer_span(&bytes), &snapshot), PARSE_OK);
    buffer_release(&bytes);
}

static void test_an_empty_one(void **state)
{
    (void)state;
    struct counters counters;
    struct buffer bytes;
    struct snapshot snapshot;
    counters_init(&counters, seed, CAPACITY_BYTES);
    buffer_init(&bytes, NULL, CAPACITY_BYTES);
    snapshot_encode(&counters, true, 1, TIME_US, NOW_MS, &bytes);
    assert_int_equal(bytes.length, SNAPSHOT_HEADER_BYTES);
    assert_int_equal(snapshot_decode(buffer_span(&bytes), &snapshot), PARSE_OK);
    assert_int_equal(snapshot.record_count, 0);
    buffer_release(&bytes);
    counters_destroy(&counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),         cmocka_unit_test(test_windows_go_on),
        cmocka_unit_test(test_every_shorter_file), cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
