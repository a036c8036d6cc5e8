/* tests/lib/smtp/transcript - what is told, how it looks, and that it ends somewhere. */
#include "../../test.h"

#include "smtp/transcript.h"

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        uint16_t code, subject, detail;
        const char *text;
        unsigned troubles;
    } rows[] = {
        {250, 0, 0, "Ok", 0},
        {500, 5, 2, "Error: command not recognized", SMTP_TROUBLE_PROTOCOL},
        {503, 5, 1, "Error: need MAIL command", SMTP_TROUBLE_PROTOCOL},
        {421, 4, 2, "timeout", SMTP_TROUBLE_PROTOCOL},
        {550, 1, 1, "User unknown", SMTP_TROUBLE_POLICY},
        {554, 7, 1, "Relay access denied", SMTP_TROUBLE_POLICY},
        {552, 3, 4, "Message size exceeds fixed limit", SMTP_TROUBLE_POLICY},
        {452, 5, 3, "Error: too many recipients", SMTP_TROUBLE_POLICY},
        {452, 3, 1, "Insufficient system storage", SMTP_TROUBLE_RESOURCE},
        {451, 3, 0, "Error: queue file write error", SMTP_TROUBLE_SOFTWARE},
        {451, 3, 0, "Temporary lookup failure", SMTP_TROUBLE_DATA},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct enhanced_status status = {(uint16_t)(rows[i].code / 100), rows[i].subject,
                                               rows[i].detail};
        if (smtp_trouble_of_reply(rows[i].code, &status, span_from_string(rows[i].text)) !=
            rows[i].troubles)
            fail_msg("%u %s", (unsigned)rows[i].code, rows[i].text);
    }
    assert_int_equal(smtp_trouble_from_words(SPAN("bounce, Policy data")),
                     SMTP_TROUBLE_POLICY | SMTP_TROUBLE_DATA);
    assert_int_equal(smtp_trouble_from_words(span_empty()), 0);
}

static void test_text(void **state)
{
    (void)state;
    struct smtp_transcript transcript;
    smtp_transcript_init(&transcript);
    smtp_transcript_add(&transcript, true, SPAN("EHLO a\033[2Jb\xff"));
    smtp_transcript_add(&transcript, false, SPAN("250-here\r\n250 DSN\r\n"));
    assert_span_is("text", buffer_span(&transcript.text),
                   " In:  EHLO a?[2Jb?\r\n Out: 250-here\r\n Out: 250 DSN\r\n");
    for (size_t i = 0; i < 5000; i++)
        smtp_transcript_add(&transcript, true, SPAN("NOOP"));
    assert_true(buffer_ok(&transcript.text));
    assert_true(transcript.text.length <= SMTP_TRANSCRIPT_MAX_BYTES);
    assert_true(span_ends_with(buffer_span(&transcript.text), SPAN(" ...\r\n")));
    assert_int_equal(transcript.line_count, 5003);
    smtp_transcript_release(&transcript);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
