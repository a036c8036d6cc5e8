/* tests/lib/dsn/template - files of templates: what is taken from them, and what is said of bad
 * ones. */
#include "../../test.h"

#include <stdlib.h>

#include "dsn/template.h"

static const char whole[] = "# words of ours\n"
                            "\n"
                            "failure_template = <<EOF\n"
                            "Charset: utf-8\n"
                            "From: Post <post>\n"
                            "Subject: No\n"
                            "Postmaster-Subject: Copy: No\n"
                            "\n"
                            "Sorry, \xc3\xa4nne.\n"
                            "\n"
                            "  $myhostname\n"
                            "EOF\n"
                            "delay_template=<<END-2\r\n"
                            "SUBJECT:Late\r\n"
                            "\r\n"
                            "EOF\r\n"
                            "Late.\r\n"
                            "END-2\r\n"
                            "success_template = << x\n"
                            "\n"
                            "Well.\n"
                            "x";

static void test_whole(void **state)
{
    (void)state;
    struct dsn_templates templates, ours;
    struct dsn_template_error error;
    dsn_templates_default(&templates);
    dsn_templates_default(&ours);
    if (dsn_templates_parse(span_from_string(whole), &templates, &error) != PARSE_OK)
        fail_msg("line %zu: %s", error.line, error.reason);
    const struct dsn_template *failure = &templates.of[DSN_FAILURE];
    assert_span_is("charset", failure->charset, "utf-8");
    assert_span_is("from", failure->from, "Post <post>");
    assert_span_is("subject", failure->subject, "No");
    assert_span_is("postmaster", failure->postmaster_subject, "Copy: No");
    assert_span_is("body", failure->body, "Sorry, \xc3\xa4nne.\n\n  $myhostname\n");
    const struct dsn_template *delay = &templates.of[DSN_DELAY];
    assert_span_is("delay's subject", delay->subject, "Late");
    assert_span_is("delay's body", delay->body, "EOF\r\nLate.\r\n");
    assert_true(span_equals(delay->charset, SPAN("us-ascii")));
    assert_true(span_equals(delay->postmaster_subject, ours.of[DSN_DELAY].postmaster_subject));
    assert_span_is("success", templates.of[DSN_SUCCESS].body, "Well.\n");
    assert_true(span_equals(templates.of[DSN_VERIFY].body, ours.of[DSN_VERIFY].body));
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t line;
        const char *reason; /* a part of it */
    } rows[] = {
        {"hello\n", 1, "expected"},
        {"\n\nbounce_template = <<EOF\n", 3, "unknown template: failure_template"},
        {"failure_template = EOF\n", 1, "<< and a word"},
        {"failure_template = <<\n", 1, "letters"},
        {"failure_template = <<'EOF'\n", 1, "letters"},
        {"failure_template = <<EOF\n\nText\n EOF\n", 1, "no line with the word"},
        {"failure_template = <<EOF\n", 1, "no line with the word"},
        {"failure_template = <<EOF\nSubject: x\nEOF\n", 3, "no text"},
        {"failure_template = <<EOF\nSubject: x\n\nEOF\n", 4, "no text"},
        {"failure_template = <<EOF\nSubject x\n\nText\nEOF\n", 2, "\"Name: value\" expected"},
        {"failure_template = <<EOF\nReply-To: x\n\nText\nEOF\n", 2, "unknown field"},
        {"failure_template = <<EOF\nSubject:  \n\nText\nEOF\n", 2, "no value"},
        {"failure_template = <<EOF\nSubject: \xc3\xa4\n\nText\nEOF\n", 2, "US-ASCII"},
        {"failure_template = <<EOF\nCharset: a b\n\nText\nEOF\n", 2, "name of a charset"},
        {"failure_template = <<EOF\n\n\xc3\xa4\nEOF\n", 1, "say which it is with Charset"},
        {"failure_template = <<EOF\n\na\001\nEOF\n", 3, "control characters"},
        {"failure_template = <<EOF\n\na\nEOF\nfailure_template = <<EOF\n\nb\nEOF\n", 5, "twice"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dsn_templates templates, before;
        struct dsn_template_error error;
        dsn_templates_default(&templates);
        before = templates;
        if (dsn_templates_parse(span_from_string(rows[i].text), &templates, &error) !=
            PARSE_MALFORMED)
            fail_msg("row %zu was taken", i);
        if (error.line != rows[i].line || !strstr(error.reason, rows[i].reason))
            fail_msg("row %zu: line %zu: %s", i, error.line, error.reason);
        assert_memory_equal(&templates, &before, sizeof(before));
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct dsn_templates templates;
    struct dsn_template_error error;
    struct buffer text;
    buffer_init(&text, NULL, 1 << 20);
    for (size_t length = DSN_TEMPLATE_LINE_MAX_BYTES; length < DSN_TEMPLATE_LINE_MAX_BYTES + 2;
         length++) {
        buffer_reset(&text);
        buffer_append_string(&text, "failure_template = <<EOF\n\n");
        for (size_t i = 0; i < length; i++)
            buffer_append_byte(&text, 'a');
        buffer_append_string(&text, "\nEOF\n");
        dsn_templates_default(&templates);
        assert_int_equal(dsn_templates_parse(buffer_span(&text), &templates, &error),
                         length > DSN_TEMPLATE_LINE_MAX_BYTES ? PARSE_MALFORMED : PARSE_OK);
    }
    buffer_reset(&text);
    while (text.length <= DSN_TEMPLATES_MAX_BYTES)
        buffer_append_string(&text, "# comment\n");
    assert_int_equal(dsn_templates_parse(buffer_span(&text), &templates, &error), PARSE_TOO_LONG);
    buffer_release(&text);
}

/* Cut anywhere it is a smaller file or a mistake; and what is written can be read. */
static void test_byte_by_byte(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(whole); length++) {
        struct dsn_templates templates, again;
        struct dsn_template_error error;
        struct buffer text;
        /* Of its own, so that a byte too many is seen. */
        uint8_t *bytes = malloc(length ? length : 1);
        assert_non_null(bytes);
        memcpy(bytes, whole, length);
        dsn_templates_default(&templates);
        const enum parse_result result =
            dsn_templates_parse(span_of(bytes, length), &templates, &error);
        assert_true(result == PARSE_OK || (error.line > 0 && error.reason[0] != '\0'));
        buffer_init(&text, NULL, 1 << 20);
        dsn_templates_append(&templates, &text);
        dsn_templates_default(&again);
        if (dsn_templates_parse(buffer_span(&text), &again, &error) != PARSE_OK)
            fail_msg("%zu bytes: line %zu: %s", length, error.line, error.reason);
        for (size_t i = 0; i < DSN_KIND_COUNT; i++) {
            assert_true(span_equals(templates.of[i].subject, again.of[i].subject));
            assert_true(span_equals(templates.of[i].body, again.of[i].body));
        }
        buffer_release(&text);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
