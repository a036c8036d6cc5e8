/* tests/lib/queuefile/drop - a dropped message, written and read, whole and byte by byte; what is
 * cut off is never complete, and what is put together otherwise is refused. */
#include "queuefile/drop.h"
#include "../../test.h"

enum { SAMPLE_MAX_BYTES = 4096 };

static const struct drop_header sample_header = {
    .time_us = 1790000000123456,
    .sender = SPAN_LITERAL("a@example.org"),
    .full_name = SPAN_LITERAL("A. N. Other"),
    .flags = DROP_FLAG_SEND_REPORT,
    .envid = SPAN_LITERAL("QQ1"),
    .ret = QUEUE_RETURN_HEADERS,
    .verp_delimiters = SPAN_LITERAL("+="),
};

static void append_sample(struct buffer *bytes)
{
    const struct queue_recipient first = {.forward_path = SPAN("b@example.net")};
    const struct queue_recipient second = {.forward_path = SPAN("c"),
                                           .orcpt = SPAN("rfc822;c@example.net"),
                                           .notify = QUEUE_NOTIFY_NEVER};
    const struct drop_end end = {.recipient_count = 2, .text_bytes = 9};
    drop_append_header(&sample_header, bytes);
    drop_append_recipient(&first, bytes);
    drop_append_text(SPAN("To: c\n"), bytes);
    drop_append_text(SPAN("\nx\n"), bytes);
    drop_append_recipient(&second, bytes);
    drop_append_end(&end, bytes);
    assert_true(buffer_ok(bytes));
}

/* What the events say, as text. */
static void describe(const struct drop_event *event, struct buffer *text)
{
    switch (event->kind) {
    case DROP_EVENT_HEADER:
        buffer_append_format(text, "H %.*s|%.*s|%u|%.*s|%d|%.*s ",
                             SPAN_PRINTF(event->header.sender),
                             SPAN_PRINTF(event->header.full_name), event->header.flags,
                             SPAN_PRINTF(event->header.envid), (int)event->header.ret,
                             SPAN_PRINTF(event->header.verp_delimiters));
        break;
    case DROP_EVENT_RECIPIENT:
        buffer_append_format(text, "R %.*s|%.*s|%d ", SPAN_PRINTF(event->recipient.forward_path),
                             SPAN_PRINTF(event->recipient.orcpt), event->recipient.notify);
        break;
    case DROP_EVENT_TEXT:
        buffer_append_format(text, "T%zu ", event->text.length);
        break;
    case DROP_EVENT_END:
        buffer_append_string(text, "E");
        break;
    }
}

static const char expected[] = "H a@example.org|A. N. Other|2|QQ1|2|+= R b@example.net||0 T6 T3 "
                               "R c|rfc822;c@example.net|1 E";

static void test_whole_and_trickled(void **state)
{
    (void)state;
    for (size_t step = 1; step < 3000; step = step < 40 ? step + 1 : step + 1000) {
        struct buffer bytes, text;
        struct drop_reader reader;
        struct drop_event event;
        buffer_init(&bytes, NULL, SAMPLE_MAX_BYTES);
        buffer_init(&text, NULL, SAMPLE_MAX_BYTES);
        append_sample(&bytes);
        drop_reader_init(&reader);
        struct span rest = buffer_span(&bytes);
        size_t offered = 0;
        while (offered < rest.length || !reader.is_at_end) {
            enum parse_result result;
            offered = offered + step < rest.length ? offered + step : rest.length;
            struct span window = span_first(rest, offered);
            while ((result = drop_reader_next(&reader, &window, &event)) == PARSE_OK)
                describe(&event, &text);
            assert_int_equal(result, PARSE_NEED_MORE);
            const size_t used = offered - window.length;
            rest = span_after(rest, used);
            offered -= used;
        }
        assert_span_is("events", buffer_span(&text), expected);
        assert_int_equal(rest.length, 0);
        buffer_release(&bytes);
        buffer_release(&text);
    }
}

static void test_cut_off_anywhere(void **state)
{
    (void)state;
    struct buffer bytes;
    buffer_init(&bytes, NULL, SAMPLE_MAX_BYTES);
    append_sample(&bytes);
    for (size_t length = 0; length < bytes.length; length++) {
        struct drop_reader reader;
        struct drop_event event;
        struct span rest = span_first(buffer_span(&bytes), length);
        enum parse_result result;
        drop_reader_init(&reader);
        while ((result = drop_reader_next(&reader, &rest, &event)) == PARSE_OK)
            ;
        assert_int_equal(result, PARSE_NEED_MORE);
        assert_false(reader.is_at_end);
    }
    buffer_release(&bytes);
}

static enum parse_result read_all(struct span bytes, bool *is_at_end)
{
    struct drop_reader reader;
    struct drop_event event;
    enum parse_result result;
    drop_reader_init(&reader);
    while ((result = drop_reader_next(&reader, &bytes, &event)) == PARSE_OK)
        ;
    *is_at_end = reader.is_at_end;
    return result;
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t change;
    } cases[] = {
        {"another magic", 0},     {"a second header", 1},  {"recipients miscounted", 2},
        {"text miscounted", 3},   {"an empty text", 4},    {"bytes behind the end", 5},
        {"an unknown record", 6}, {"no header", 7},        {"a recipient without address", 8},
        {"NEVER and others", 9},  {"a text too long", 10},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer bytes;
        struct queue_recipient recipient = {.forward_path = SPAN("b@example.net")};
        struct drop_end end = {.recipient_count = 1, .text_bytes = 2};
        bool is_at_end;
        const uint8_t change = cases[i].change;
        buffer_init(&bytes, NULL, 1 << 17);
        drop_append_header(&sample_header, &bytes);
        if (change == 0)
            bytes.bytes[3] = '!';
        if (change == 1)
            buffer_append(&bytes, bytes.bytes + 17, bytes.length - 17);
        if (change == 6)
            buffer_append(&bytes, "X\0\0", 3);
        if (change == 7)
            bytes.length = 17;
        if (change == 4)
            buffer_append(&bytes, "T\0\0", 3);
        if (change == 8)
            buffer_append(&bytes, "R\0\3\1\0\0", 6);
        if (change == 9)
            buffer_append(&bytes, "R\0\10\1\0\1b\3\0\1\3", 11);
        if (change == 10) {
            buffer_append(&bytes, "T\xff\xff", 3);
            for (size_t j = 0; j < 65535; j++)
                buffer_append_byte(&bytes, 'x');
        }
        drop_append_recipient(&recipient, &bytes);
        drop_append_text(SPAN("x\n"), &bytes);
        end.recipient_count += change == 2;
        end.text_bytes += change == 3;
        drop_append_end(&end, &bytes);
        if (change == 5)
            buffer_append_byte(&bytes, 'E');
        assert_true(buffer_ok(&bytes));
        if (read_all(buffer_span(&bytes), &is_at_end) != PARSE_MALFORMED)
            fail_msg("%s: not refused", cases[i].name);
        buffer_release(&bytes);
    }
}

/* What is said to servers as the value of a parameter is no other parameter, too. */
static void test_words_beside_others(void **state)
{
    (void)state;
    static const struct {
        struct span envid, orcpt;
        bool is_refused;
    } cases[] = {
        {SPAN_LITERAL("QQ+2B1"), SPAN_LITERAL("rfc822;c@example.net"), false},
        {SPAN_LITERAL("QQ1"), SPAN_LITERAL("utf-8;\xc3\xa4@example.net"), false},
        {SPAN_LITERAL("x AUTH=<boss@example.net>"), SPAN_LITERAL(""), true},
        {SPAN_LITERAL("QQ1"), SPAN_LITERAL("rfc822;c NOTIFY=NEVER"), true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer bytes;
        struct drop_header header = sample_header;
        const struct queue_recipient recipient = {.forward_path = SPAN("c@example.net"),
                                                  .orcpt = cases[i].orcpt};
        const struct drop_end end = {.recipient_count = 1};
        bool is_at_end;
        header.envid = cases[i].envid;
        buffer_init(&bytes, NULL, SAMPLE_MAX_BYTES);
        drop_append_header(&header, &bytes);
        drop_append_recipient(&recipient, &bytes);
        drop_append_end(&end, &bytes);
        assert_true(buffer_ok(&bytes));
        assert_int_equal(read_all(buffer_span(&bytes), &is_at_end),
                         cases[i].is_refused ? PARSE_MALFORMED : PARSE_NEED_MORE);
        assert_int_equal(is_at_end, !cases[i].is_refused);
        buffer_release(&bytes);
    }
}

static void test_what_cannot_be_written(void **state)
{
    (void)state;
    struct buffer bytes;
    struct drop_header header = sample_header;
    const struct queue_recipient nobody = {.forward_path = span_empty()};
    buffer_init(&bytes, NULL, SAMPLE_MAX_BYTES);
    header.sender = SPAN("a\nb");
    drop_append_header(&header, &bytes);
    assert_false(buffer_ok(&bytes));
    buffer_reset(&bytes);
    drop_append_recipient(&nobody, &bytes);
    assert_false(buffer_ok(&bytes));
    buffer_reset(&bytes);
    drop_append_text(span_empty(), &bytes);
    assert_false(buffer_ok(&bytes));
    buffer_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_and_trickled),
        cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_words_beside_others),
        cmocka_unit_test(test_what_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
