/* tests/lib/queuefile/ranges - sets of recipients as text. */
#include "../../test.h"

#include "queuefile/ranges.h"

static void test_there_and_back(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t indexes[8];
        size_t count;
        const char *text;
    } rows[] = {
        {"nobody", {0}, 0, ""},
        {"the first", {0}, 1, "0"},
        {"all of two", {0, 1}, 2, "0-1"},
        {"ranges and single ones", {0, 1, 2, 5, 7, 8, 100}, 7, "0-2,5,7-8,100"},
        {"the last of all", {UINT32_MAX - 1, UINT32_MAX}, 2, "4294967294-4294967295"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct queue_ranges ranges = {.count = 0};
        struct buffer text;
        size_t read = 0;
        buffer_init(&text, NULL, QUEUE_RANGES_MAX_BYTES);
        for (size_t k = 0; k < rows[i].count; k++)
            assert_true(queue_ranges_add(&ranges, rows[i].indexes[k], &text));
        queue_ranges_finish(&ranges, &text);
        assert_span_is(rows[i].name, buffer_span(&text), rows[i].text);
        ranges = (struct queue_ranges){.count = 0};
        for (struct span rest = buffer_span(&text); rest.length > 0;) {
            assert_int_equal(queue_ranges_next(&rest, &ranges), PARSE_OK);
            for (uint64_t index = ranges.range.first; index <= ranges.range.last; index++)
                assert_int_equal(rows[i].indexes[read++], index);
        }
        assert_int_equal(read, rows[i].count);
        buffer_release(&text);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        ",",    "1,",  "-",     "1-",  "-1",         "1-1", "2-1", "01",    "1-02",
        "1,1",  "1,2", "1-3,4", "5,3", "4294967296", "1 ",  "a",   "1-2-3", "0-4294967295,1",
        "1,,3",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct span rest = span_from_string(rows[i]);
        struct queue_ranges ranges = {.count = 0};
        enum parse_result result = PARSE_OK;
        while (rest.length > 0 && result == PARSE_OK)
            result = queue_ranges_next(&rest, &ranges);
        if (result != PARSE_MALFORMED)
            fail_msg("\"%s\": %d", rows[i], (int)result);
    }
}

/* Byte by byte: every beginning of a text is a text of its own, or none, and never more. */
static void test_beginnings(void **state)
{
    (void)state;
    const struct span whole = SPAN("0-2,5,70-81,100");
    for (size_t length = 0; length <= whole.length; length++) {
        struct span rest = span_first(whole, length);
        struct queue_ranges ranges = {.count = 0};
        while (rest.length > 0 && queue_ranges_next(&rest, &ranges) == PARSE_OK)
            assert_true(ranges.range.last <= 100);
        assert_true(ranges.count <= 4);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct queue_ranges ranges = {.count = 0};
    struct buffer text;
    buffer_init(&text, NULL, QUEUE_RANGES_MAX_BYTES);
    for (uint32_t i = 0; i < QUEUE_RANGES_MAX; i++) {
        const uint32_t first = UINT32_MAX - 3 * (QUEUE_RANGES_MAX - i);
        assert_true(queue_ranges_add(&ranges, first, &text));
        assert_true(queue_ranges_add(&ranges, first + 1, &text));
        assert_false(queue_ranges_add(&ranges, first, &text));
    }
    assert_false(queue_ranges_add(&ranges, UINT32_MAX, &text));
    queue_ranges_finish(&ranges, &text);
    assert_true(buffer_ok(&text));
    buffer_release(&text);
    ranges = (struct queue_ranges){.count = QUEUE_RANGES_MAX};
    struct span rest = SPAN("1");
    assert_int_equal(queue_ranges_next(&rest, &ranges), PARSE_TOO_LONG);
    assert_int_equal(rest.length, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
