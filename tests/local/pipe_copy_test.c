/* tests/local/pipe_copy - a message as a command reads it. */
#include "../test.h"

#include <stdlib.h>
#include <unistd.h>

#include "../../local/pipe_copy.h"
#include "queuefile/digest.h"

struct row {
    const char *name;
    unsigned flags;
    const char *line_end, *content, *expected;
};

static const struct row rows[] = {
    {"plain", 0, "\n", "a\r\n\r\nb\r\n", "a\n\nb\n"},
    {"wire form", 0, "\r\n", "a\r\nb\r\n", "a\r\nb\r\n"},
    {"empty", 0, "\n", "", ""},
    {"no end", 0, "\n", "a", "a"},
    {"stray CR", 0, "\n", "a\rb\r\r\n", "a\rb\r\n"},
    {"CR at the end", 0, "\n", "a\r", "a\r"},
    {"stray LF", 0, "!", "a\nb\r\n", "a\nb!"},
    {"dots are left alone", 0, "\n", ".\r\n..\r\n", ".\n..\n"},
    {"dots", CONF_PIPE_DOUBLE_DOT, "\n", ".\r\na.\r\n..b\r\n", "..\na.\n...b\n"},
    {"dot after a stray LF", CONF_PIPE_DOUBLE_DOT, "\n", "a\n.b\r\n", "a\n..b\n"},
    {"dot after a stray CR", CONF_PIPE_DOUBLE_DOT, "\n", "\r.b\r\n", "\r.b\n"},
    {"From is left alone", 0, "\n", "From me\r\n", "From me\n"},
    {"From", CONF_PIPE_QUOTE_FROM, "\n", "From me\r\nFrom\r\n From \r\nFrom ",
     ">From me\nFrom\n From \n>From "},
    {"nearly From", CONF_PIPE_QUOTE_FROM, "\n", "Fro\r\nFFrom \r\nfrom \r\nFr",
     "Fro\nFFrom \nfrom \nFr"},
    {"From, cut by a CR", CONF_PIPE_QUOTE_FROM, "\n", "Fro\rm \r\n", "Fro\rm \n"},
    {"both", CONF_PIPE_QUOTE_FROM | CONF_PIPE_DOUBLE_DOT, "\n", ".From \r\nFrom .\r\nF.\r\n",
     "..From \n>From .\nF.\n"},
    {"blank line", CONF_PIPE_BLANK_LINE, "\n", "a\r\n", "a\n\n"},
};

static void copy(const struct row *row, size_t step, struct buffer *out)
{
    const struct conf_pipe_command command = {.flags = row->flags,
                                              .line_end = span_from_string(row->line_end)};
    struct span content = span_from_string(row->content);
    struct pipe_copy state;
    pipe_copy_init(&state, &command);
    while (content.length > 0) {
        pipe_copy_piece(&state, span_first(content, step), out);
        content = span_after(content, step < content.length ? step : content.length);
    }
    pipe_copy_end(&state, out);
}

static void test_whole_and_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (size_t step = 1; step <= 64; step *= 2) {
            struct buffer out;
            buffer_init(&out, NULL, 4096);
            copy(&rows[i], step, &out);
            assert_span_is(rows[i].name, buffer_span(&out), rows[i].expected);
            buffer_release(&out);
        }
}

static void test_head(void **state)
{
    const struct pipe_head head = {.sender = SPAN("s@example.org"),
                                   .original_recipient = SPAN("o@example.org"),
                                   .recipient = SPAN("r@example.org"),
                                   .time_s = 1795311511,
                                   .offset_minutes = 60};
    const struct conf_pipe_command command = {.flags = CONF_PIPE_FROM_LINE | CONF_PIPE_RETURN_PATH |
                                                       CONF_PIPE_ORIGINAL_TO |
                                                       CONF_PIPE_DELIVERED_TO,
                                              .line_end = SPAN("\n")};
    struct buffer out;
    (void)state;
    buffer_init(&out, NULL, 4096);
    pipe_copy_put_head(&command, &head, &out);
    assert_span_is("head", buffer_span(&out),
                   "From s@example.org  Sun Nov 22 02:38:31 2026\nReturn-Path: <s@example.org>\n"
                   "X-Original-To: o@example.org\nDelivered-To: r@example.org\n");
    buffer_release(&out);
}

/* A file with one extent behind a preamble. */
static void make_content(struct message_content *content, const char *text, bool is_damaged)
{
    char path[] = "/tmp/pipe-copy-XXXXXX";
    struct digest digest;
    *content = (struct message_content){.descriptor = mkstemp(path), .extent_count = 1};
    assert_true(content->descriptor >= 0);
    assert_int_equal(unlink(path), 0);
    content->extents[0] = (struct queue_extent){.offset = 512, .length = strlen(text)};
    assert_true(digest_init(&digest));
    digest_start(&digest);
    digest_update(&digest, span_from_string(text));
    assert_true(digest_finish(&digest, content->extents[0].digest));
    digest_destroy(&digest);
    assert_true(pwrite(content->descriptor, text, strlen(text), 512) == (ssize_t)strlen(text));
    if (is_damaged)
        assert_true(pwrite(content->descriptor, "X", 1, 513) == 1);
}

static void test_check(void **state)
{
    static const struct {
        const char *text;
        bool is_damaged;
        enum pipe_check expected;
    } checks[] = {
        {"Delivered-To: you@here.test\r\n\r\nbody\r\n", false, PIPE_CHECK_LOOPS},
        {"Subject: x\r\ndelivered-to:  YOU@here.test \r\n\r\n", false, PIPE_CHECK_LOOPS},
        {"Subject: x\r\n\r\nDelivered-To: you@here.test\r\n", false, PIPE_CHECK_OK},
        {"Delivered-To: you@here.tests\r\n\r\n", false, PIPE_CHECK_OK},
        {"Subject: x\r\n\r\nbody\r\n", true, PIPE_CHECK_CORRUPT},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(checks); i++) {
        struct message_content content;
        make_content(&content, checks[i].text, checks[i].is_damaged);
        if (pipe_copy_check(&content, SPAN("you@here.test")) != checks[i].expected)
            fail_msg("\"%s\"", checks[i].text);
        assert_int_equal(close(content.descriptor), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_and_byte_by_byte),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
