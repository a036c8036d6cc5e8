/* tests/lib/smtp/line_ends - every line end becomes CRLF, whole and byte by byte. */
#include "base/buffer.h"
#include "smtp/line_ends.h"
#include "../../test.h"

static void convert(struct span text, size_t step, struct buffer *output)
{
    struct smtp_line_ends state = {.has_cr = false};
    while (text.length) {
        struct span part = span_first(text, step), piece;
        text = span_after(text, step);
        while (smtp_line_ends_next(&state, &part, &piece))
            buffer_append_span(output, piece);
    }
    buffer_append_span(output, smtp_line_ends_finish(&state));
}

static void test_cases(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *expected;
    } cases[] = {
        {"nothing", "", ""},
        {"LF", "a\nb\n", "a\r\nb\r\n"},
        {"CRLF", "a\r\nb\r\n", "a\r\nb\r\n"},
        {"no end", "a\nb", "a\r\nb\r\n"},
        {"empty lines", "\n\r\n\n", "\r\n\r\n\r\n"},
        {"a CR within", "a\rb\n", "a b\r\n"},
        {"a dot behind a CR", "a\r.\r\nb\n", "a .\r\nb\r\n"},
        {"two CR", "a\r\r\nb\n", "a \r\nb\r\n"},
        {"a CR at the end", "a\r", "a\r\n"},
        {"only a CR", "\r", "\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        for (size_t step = 1; step < 9; step++) {
            struct buffer output;
            buffer_init(&output, NULL, 100);
            convert(span_from_string(cases[i].text), step, &output);
            assert_span_is(cases[i].name, buffer_span(&output), cases[i].expected);
            buffer_release(&output);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
