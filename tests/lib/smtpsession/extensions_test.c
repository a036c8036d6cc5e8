/* tests/lib/smtpsession/extensions - what extensions of SMTP leave in the queue and the log. */
#include "harness.h"

#include "base/ascii.h"

/* ---- SMTPUTF8 ---- */

struct utf8_row {
    const char *name;
    const char *settings;
    const char *mail;
    const char *rcpt;
    const char *header;
    const char *received; /* what is in Received */
    bool is_flagged;
    bool has_8bit_header;
};

static void send_utf8(struct harness *harness, void *argument)
{
    const struct utf8_row *row = argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness_send(&client, arena_format(&harness->arena, "MAIL FROM:%s\r\nRCPT TO:%s\r\nDATA\r\n",
                                       row->mail, row->rcpt));
    harness_expect(&client, row->name, "250 2.1.0");
    harness_expect(&client, row->name, "250 2.1.5");
    harness_expect(&client, row->name, "354 ");
    harness_send(&client, span_from_string(row->header));
    harness_send(&client, SPAN("\r\n.\r\n"));
    harness_expect(&client, row->name, "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    const struct harness_message *message = &harness->messages[0];
    if (span_find(message->content, span_from_string(row->received)) == message->content.length)
        fail_msg("%s: no \"%s\" in \"%.*s\"", row->name, row->received,
                 SPAN_PRINTF(message->content));
    assert_int_equal((message->envelope.flags & QUEUE_FLAG_SMTPUTF8) != 0, row->is_flagged);
    assert_int_equal((message->envelope.facts.flags & QUEUE_FACT_8BIT_HEADER) != 0,
                     row->has_8bit_header);
    assert_int_equal(row->has_8bit_header, !ascii_is_all_ascii(message->content));
    assert_span_is(row->name, message->envelope.protocol, "ESMTP");
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct utf8_row rows[] = {
        {"asked for", "", "<a@b.example> SMTPUTF8", "<you@here.test>", "A: b\r\n",
         "with UTF8SMTP id", true, false},
        {"a recipient", "", "<a@b.example> SMTPUTF8", "<user\xc3\xb6@here.test>", "A: b\r\n",
         "for <user\xc3\xb6@here.test>", true, true},
        {"a recipient, not asked for", "", "<a@b.example>", "<user\xc3\xb6@here.test>", "A: b\r\n",
         "with ESMTP id", false, false},
        {"a header, not asked for", "", "<a@b.example>", "<you@here.test>", "A: \xc3\xb6\r\n",
         "with ESMTP id", false, true},
        {"a header, detected", "smtputf8_autodetect_classes = smtpd\n", "<a@b.example>",
         "<you@here.test>", "A: \xc3\xb6\r\n", "with ESMTP id", true, true},
        {"a sender, detected", "smtputf8_autodetect_classes = all\n", "<\xc3\xb6@b.example>",
         "<you@here.test>", "A: b\r\n", "with ESMTP id", true, false},
        {"nothing to detect", "smtputf8_autodetect_classes = smtpd\n", "<a@b.example>",
         "<you@here.test>", "A: b\r\n", "with ESMTP id", false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct utf8_row row = rows[i];
        harness_run(row.settings, send_utf8, &row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
