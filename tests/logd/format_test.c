/* tests/logd/format - the three forms of a line. */
#include "../test.h"

#include <stdlib.h>

#include "maillog/format.h"

static const struct log_source source = {SPAN_LITERAL("posthouse/qmgr"), 398};
static const uint64_t time_us = 1793324911123456; /* 2026-10-30 01:48:31 UTC */

static void assert_formatted(enum log_format format, const struct log_record *record,
                             const char *expected)
{
    struct log_formatter formatter;
    struct buffer out;
    buffer_init(&out, NULL, 4096);
    log_formatter_init(&formatter, format, 2, SPAN("mx1"));
    for (int i = 0; i < 2; i++) { /* the second time from the remembered second */
        buffer_reset(&out);
        log_format_line(&formatter, &source, record, &out);
        assert_span_is("line", buffer_span(&out), expected);
    }
    buffer_release(&out);
}

static void test_forms(void **state)
{
    (void)state;
    const struct log_record removed = {LOG_LEVEL_INFO, time_us,
                                       SPAN("1RpQ0P0000z00000000000000000: removed")};
    assert_formatted(LOG_FORMAT_TEXT, &removed,
                     "Oct 30 02:48:31 mx1 posthouse/qmgr[398]: 1RpQ0P0000z00000000000000000: "
                     "removed\n");
    assert_formatted(LOG_FORMAT_SYSLOG, &removed,
                     "<22>Oct 30 02:48:31 posthouse/qmgr[398]: 1RpQ0P0000z00000000000000000: "
                     "removed\n");
    assert_formatted(LOG_FORMAT_JSON, &removed,
                     "{\"time\":\"2026-10-30T01:48:31.123456Z\",\"host\":\"mx1\","
                     "\"program\":\"posthouse/qmgr\",\"pid\":398,\"level\":\"info\","
                     "\"queue_id\":\"1RpQ0P0000z00000000000000000\","
                     "\"message\":\"1RpQ0P0000z00000000000000000: removed\"}\n");
    const struct log_record warning = {LOG_LEVEL_WARNING, 86400000000 * 4,
                                       SPAN("warning: 1RpQ0P0000z00000000000000000: a \"b\" \\")};
    assert_formatted(LOG_FORMAT_SYSLOG, &warning,
                     "<20>Jan  5 01:00:00 posthouse/qmgr[398]: warning: "
                     "1RpQ0P0000z00000000000000000: a \"b\" \\\n");
    assert_formatted(LOG_FORMAT_JSON, &warning,
                     "{\"time\":\"1970-01-05T00:00:00.000000Z\",\"host\":\"mx1\","
                     "\"program\":\"posthouse/qmgr\",\"pid\":398,\"level\":\"warning\","
                     "\"queue_id\":\"1RpQ0P0000z00000000000000000\","
                     "\"message\":\"warning: 1RpQ0P0000z00000000000000000: a \\\"b\\\" \\\\\"}\n");
    const struct log_record plain = {LOG_LEVEL_FATAL, time_us, SPAN("fatal: no queue: full")};
    assert_formatted(LOG_FORMAT_JSON, &plain,
                     "{\"time\":\"2026-10-30T01:48:31.123456Z\",\"host\":\"mx1\","
                     "\"program\":\"posthouse/qmgr\",\"pid\":398,\"level\":\"fatal\","
                     "\"message\":\"fatal: no queue: full\"}\n");
}

static void test_facilities(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned number;
    } rows[] = {{"mail", 2}, {"daemon", 3}, {"local0", 16}, {"local7", 23}, {"authpriv", 10}};
    unsigned facility = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_true(log_facility_parse(span_from_string(rows[i].name), &facility));
        assert_int_equal(facility, rows[i].number);
    }
    assert_false(log_facility_parse(SPAN("local8"), &facility));
    assert_false(log_facility_parse(SPAN("local"), &facility));
    assert_false(log_facility_parse(SPAN(""), &facility));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_facilities),
    };
    (void)setenv("TZ", "EAST-1", 1); /* an hour east, whatever the machine says */
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
