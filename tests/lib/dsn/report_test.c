/* tests/lib/dsn/report - reports byte for byte in part, line lengths and folding in general.
 * With a directory as argument it writes its sample reports there, for report_check.py, which reads
 * them with a parser that we did not write. */
#include "../../test.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "dsn/report.h"
#include "dsn/xtext.h"

static const struct dsn_recipient two_recipients[] = {
    {.final_recipient = SPAN_LITERAL("b@example.net"),
     .orcpt = SPAN_LITERAL("rfc822;sales+2Bx@example.com"),
     .original_recipient = SPAN_LITERAL("sales+x@example.com"),
     .action = DSN_ACTION_FAILED,
     .status = {5, 1, 1},
     .remote_mta = SPAN_LITERAL("mx.example.net"),
     .diagnostic = SPAN_LITERAL("550 5.1.1 <b@example.net>: Recipient address rejected: User "
                                "unknown in virtual mailbox table"),
     .reason = SPAN_LITERAL("host mx.example.net[192.0.2.9] said: 550 5.1.1 <b@example.net>: "
                            "Recipient address rejected: User unknown in virtual mailbox table "
                            "(in reply to RCPT TO command)"),
     .last_attempt_s = 1790000100},
    {.final_recipient = SPAN_LITERAL("\"odd name\"@example.org"),
     .action = DSN_ACTION_FAILED,
     .status = {5, 4, 6},
     .reason = SPAN_LITERAL("mail for example.org loops back to myself")},
};
static const struct dsn_recipient delayed_recipients[] = {
    {.final_recipient = SPAN_LITERAL("b@example.net"),
     .action = DSN_ACTION_DELAYED,
     .status = {4, 4, 1},
     .reason = SPAN_LITERAL("connect to mx.example.net[192.0.2.9]:25: Connection refused")},
    {.final_recipient = SPAN_LITERAL("c@example.net"),
     .action = DSN_ACTION_RELAYED,
     .status = {2, 0, 0},
     .reason = SPAN_LITERAL("250 2.0.0 Ok")},
};
static const struct dsn_recipient international_recipients[] = {
    {.final_recipient = SPAN_LITERAL("j\xc3\xb6rg@b\xc3\xbc"
                                     "cher.example"),
     .orcpt = SPAN_LITERAL("utf-8;j\\x{F6}rg@b\\x{FC}cher.example"),
     .action = DSN_ACTION_FAILED,
     .status = {5, 1, 1},
     .reason = SPAN_LITERAL("unknown user: \"j\xc3\xb6rg\"")},
};

static const struct dsn_template sample_template = {
    .charset = SPAN_LITERAL("us-ascii"),
    .from = SPAN_LITERAL("Mail Delivery System <MAILER-DAEMON>"),
    .subject = SPAN_LITERAL("A Report"),
    .postmaster_subject = SPAN_LITERAL("Postmaster Copy: A Report"),
    .body = SPAN_LITERAL("This is the mail system at host mail.example.com.\n\nA text.\n"),
};

static struct dsn_report sample(void)
{
    return (struct dsn_report){
        .kind = DSN_FAILURE,
        .returned = DSN_RETURN_MESSAGE,
        .reporting_mta = SPAN("mail.example.com"),
        .mail_name = SPAN("Posthouse"),
        .origin = SPAN("example.com"),
        .template = &sample_template,
        .to = SPAN("a@example.org"),
        .queue_id = SPAN("1RpQ0P0000z00000000000000000"),
        .message_id = SPAN("1RpQ0P1000z00000000000000000@mail.example.com"),
        .boundary = SPAN("1RpQ0P1000z00000000000000000/mail.example.com"),
        .original_sender = SPAN("a@example.org"),
        .envid = SPAN("QQ+2B314159"),
        .arrival_s = 1790000000,
        .now_s = 1790000200,
        .offset_minutes = 60,
        .zone_name = SPAN("CET"),
        .recipients = two_recipients,
        .recipient_count = 2,
    };
}

static struct dsn_report sample_number(size_t number, const char **name)
{
    struct dsn_report report = sample();
    switch (number) {
    case 0:
        *name = "failure";
        break;
    case 1:
        *name = "delay";
        report.kind = DSN_DELAY;
        report.returned = DSN_RETURN_HEADER;
        report.retry_until_s = 1790432000;
        report.recipients = delayed_recipients;
        report.original_message_id = SPAN("<original@example.org>");
        break;
    case 2:
        *name = "success";
        report.kind = DSN_SUCCESS;
        report.returned = DSN_RETURN_HEADER;
        report.envid = span_empty();
        break;
    case 3:
        *name = "postmaster";
        report.is_postmaster_copy = true;
        report.to = SPAN("postmaster@example.com");
        report.is_original_8bit = true;
        break;
    default:
        *name = "international";
        report.to = report.original_sender = SPAN("\xc3\xa4nne@example.org");
        report.is_original_smtputf8 = report.is_original_8bit = true;
        report.recipients = international_recipients;
        report.recipient_count = 1;
        break;
    }
    return report;
}

enum { SAMPLE_COUNT = 5 };

/* Header, empty line, notice, something returned, end: as bounce puts it together. */
static void put_whole(const struct dsn_report *report, struct buffer *out)
{
    dsn_append_header(report, out);
    buffer_append_string(out, "\r\n");
    dsn_append_notice(report, out);
    buffer_append_string(out, "From: a@example.org\r\nSubject: hello");
    buffer_append_string(out, report->is_original_8bit ? " \xc3\xa4\r\n" : "\r\n");
    if (report->returned == DSN_RETURN_MESSAGE)
        buffer_append_string(out, "\r\nThe original text\r\n");
    dsn_append_end(report, out);
    assert_true(buffer_ok(out));
}

static void test_failure(void **state)
{
    (void)state;
    const struct dsn_report report = sample();
    struct buffer out;
    buffer_init(&out, NULL, 65536);
    put_whole(&report, &out);
    assert_span_is("report", buffer_span(&out),
                   "Date: Mon, 21 Sep 2026 15:16:40 +0100 (CET)\r\n"
                   "From: Mail Delivery System <MAILER-DAEMON@example.com>\r\n"
                   "To: <a@example.org>\r\n"
                   "Subject: A Report\r\n"
                   "Message-ID: <1RpQ0P1000z00000000000000000@mail.example.com>\r\n"
                   "Auto-Submitted: auto-replied\r\n"
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                   " boundary=\"1RpQ0P1000z00000000000000000/mail.example.com\"\r\n"
                   "\r\n"
                   "This is a report in MIME format (RFC 3464).\r\n"
                   "\r\n"
                   "--1RpQ0P1000z00000000000000000/mail.example.com\r\n"
                   "Content-Description: Notification\r\n"
                   "Content-Type: text/plain; charset=us-ascii\r\n"
                   "\r\n"
                   "This is the mail system at host mail.example.com.\r\n"
                   "\r\n"
                   "A text.\r\n"
                   "\r\n"
                   "<b@example.net> (expanded from <sales+x@example.com>): host\r\n"
                   "    mx.example.net[192.0.2.9] said: 550 5.1.1 <b@example.net>: Recipient\r\n"
                   "    address rejected: User unknown in virtual mailbox table (in reply to\r\n"
                   "    RCPT TO command)\r\n"
                   "\r\n"
                   "<\"odd name\"@example.org>: mail for example.org loops back to myself\r\n"
                   "\r\n"
                   "\r\n"
                   "--1RpQ0P1000z00000000000000000/mail.example.com\r\n"
                   "Content-Description: Delivery report\r\n"
                   "Content-Type: message/delivery-status\r\n"
                   "\r\n"
                   "Original-Envelope-Id: QQ+314159\r\n"
                   "Reporting-MTA: dns; mail.example.com\r\n"
                   "X-Posthouse-Queue-ID: 1RpQ0P0000z00000000000000000\r\n"
                   "X-Posthouse-Sender: rfc822; a@example.org\r\n"
                   "Arrival-Date: Mon, 21 Sep 2026 15:13:20 +0100 (CET)\r\n"
                   "\r\n"
                   "Original-Recipient: rfc822; sales+x@example.com\r\n"
                   "Final-Recipient: rfc822; b@example.net\r\n"
                   "Action: failed\r\n"
                   "Status: 5.1.1\r\n"
                   "Remote-MTA: dns; mx.example.net\r\n"
                   "Diagnostic-Code: smtp; 550 5.1.1 <b@example.net>: Recipient address\r\n"
                   " rejected: User unknown in virtual mailbox table\r\n"
                   "Last-Attempt-Date: Mon, 21 Sep 2026 15:15:00 +0100 (CET)\r\n"
                   "\r\n"
                   "Final-Recipient: rfc822; \"odd name\"@example.org\r\n"
                   "Action: failed\r\n"
                   "Status: 5.4.6\r\n"
                   "Diagnostic-Code: X-Posthouse; mail for example.org loops back to myself\r\n"
                   "\r\n"
                   "--1RpQ0P1000z00000000000000000/mail.example.com\r\n"
                   "Content-Description: Undelivered Message\r\n"
                   "Content-Type: message/rfc822\r\n"
                   "\r\n"
                   "From: a@example.org\r\n"
                   "Subject: hello\r\n"
                   "\r\n"
                   "The original text\r\n"
                   "\r\n"
                   "--1RpQ0P1000z00000000000000000/mail.example.com--\r\n");
    buffer_release(&out);
}

/* RFC 5322 section 2.1.1, RFC 5321 section 4.5.3.1.6; no bare CR or LF; 7-bit unless it says so. */
static void test_lines(void **state)
{
    (void)state;
    for (size_t number = 0; number < SAMPLE_COUNT; number++) {
        const char *name;
        const struct dsn_report report = sample_number(number, &name);
        struct buffer out;
        struct span rest;
        buffer_init(&out, NULL, 65536);
        put_whole(&report, &out);
        if (ascii_is_all_ascii(buffer_span(&out)) == dsn_is_8bit(&report))
            fail_msg("%s: 8-bit or not", name);
        for (rest = buffer_span(&out); rest.length > 0;) {
            const size_t end = span_find_byte(rest, '\n');
            if (end >= 100 || end == 0 || rest.bytes[end - 1] != '\r' ||
                span_find_byte(rest, '\r') != end - 1)
                fail_msg("%s: line \"%.*s\"", name, (int)end, (const char *)rest.bytes);
            rest = span_after(rest, end + 1);
        }
        buffer_release(&out);
    }
}

/* Whatever the reason is: nothing in it begins a field, a part or a line of its own. */
static void test_hostile_texts(void **state)
{
    (void)state;
    static uint8_t long_word[5000];
    memset(long_word, 'x', sizeof(long_word));
    const struct span rows[] = {
        SPAN("550 no\r\nStatus: 2.0.0\r\n\r\n--boundary"),
        SPAN("a\0b\x7f\xff"),
        SPAN("rfc\xda\r;a@example.org"),
        SPAN("      "),
        SPAN(""),
        span_of(long_word, sizeof(long_word)),
        SPAN("550                                                                              "
             "                                                           spaces"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dsn_recipient recipient = two_recipients[0];
        struct dsn_report report = sample();
        struct buffer out;
        recipient.reason = recipient.remote_mta = recipient.diagnostic = rows[i];
        recipient.orcpt = rows[i];
        report.recipients = &recipient;
        report.recipient_count = 1;
        report.envid = rows[i];
        buffer_init(&out, NULL, 65536);
        put_whole(&report, &out);
        const struct span text = buffer_span(&out);
        assert_true(ascii_is_all_ascii(text));
        assert_int_equal(span_find(text, SPAN("\r\nStatus: 2")), text.length);
        assert_int_equal(span_find(text, SPAN("\n--boundary")), text.length);
        assert_int_equal(span_find_byte(text, '\0'), text.length);
        for (struct span rest = text; rest.length > 0;) {
            const size_t end = span_find_byte(rest, '\n');
            assert_true(end < 998 && end > 0 && rest.bytes[end - 1] == '\r');
            /* A folded line has more than spaces on it. */
            const struct span line = span_first(rest, end - 1);
            assert_true(span_is_empty(line) || !span_is_empty(span_trim_spaces(line)));
            rest = span_after(rest, end + 1);
        }
        buffer_release(&out);
    }
}

static void test_words_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span reason, original;
        bool is_copy;
        const char *has[3], *lacks[2];
    } rows[] = {
        {"expanded",
         SPAN_LITERAL("no"),
         SPAN_LITERAL("alias@example.com"),
         false,
         {"\r\nOriginal-Recipient: rfc822; alias@example.com\r\nFinal-Recipient: rfc822; "
          "b@example.net",
          " (expanded from <alias@example.com>): no", "charset=us-ascii"},
         {"8bit"}},
        {"not expanded",
         SPAN_LITERAL("no"),
         SPAN_LITERAL("b@example.net"),
         false,
         {"\r\n\r\nA text."},
         {"Original-Recipient", "expanded"}},
        {"words in UTF-8",
         SPAN_LITERAL("550 Gr\xc3\xbc\xc3\x9f"
                      "e"),
         SPAN_LITERAL(""),
         false,
         {"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n", "<b@example.net>: 550 Gr\xc3\xbc",
          "message/delivery-status\r\n\r\n"},
         {"us-ascii"}},
        {"bytes of another charset",
         SPAN_LITERAL("550 Gr\xfc\xdf"
                      "e"),
         SPAN_LITERAL(""),
         false,
         {"<b@example.net>: 550 Gr??e", "charset=us-ascii"},
         {"8bit"}},
        {"a copy",
         SPAN_LITERAL("no"),
         SPAN_LITERAL(""),
         true,
         {"<b@example.net>: no"},
         {"A text."}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dsn_recipient recipient = two_recipients[0];
        struct dsn_report report = sample();
        struct buffer out;
        recipient.orcpt = recipient.diagnostic = span_empty();
        recipient.reason = rows[i].reason;
        recipient.original_recipient = rows[i].original;
        report.recipients = &recipient;
        report.recipient_count = 1;
        report.is_postmaster_copy = rows[i].is_copy;
        buffer_init(&out, NULL, 65536);
        put_whole(&report, &out);
        const struct span text = buffer_span(&out);
        for (size_t j = 0; j < ARRAY_LENGTH(rows[i].has) && rows[i].has[j]; j++)
            if (span_find(text, span_from_string(rows[i].has[j])) == text.length)
                fail_msg("%s: \"%s\" is missing", rows[i].name, rows[i].has[j]);
        for (size_t j = 0; j < ARRAY_LENGTH(rows[i].lacks) && rows[i].lacks[j]; j++)
            if (span_find(text, span_from_string(rows[i].lacks[j])) < text.length)
                fail_msg("%s: \"%s\" is there", rows[i].name, rows[i].lacks[j]);
        buffer_release(&out);
    }
}

static void test_xtext(void **state)
{
    (void)state;
    static const struct {
        const char *input, *output;
        enum parse_result result;
    } rows[] = {
        {"", "", PARSE_OK},
        {"abc", "abc", PARSE_OK},
        {"a+2Bb+3D", "a+b=", PARSE_OK},
        {"a+C3+A4", "a\xc3\xa4", PARSE_OK},
        {"+", NULL, PARSE_NEED_MORE},
        {"+2", NULL, PARSE_NEED_MORE},
        {"+2x", NULL, PARSE_MALFORMED},
        {"a=b", NULL, PARSE_MALFORMED},
        {"a b", NULL, PARSE_MALFORMED},
        {"\xc3\xa4", NULL, PARSE_MALFORMED},
        {"0123456789+41+42+43", NULL, PARSE_TOO_LONG},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer out;
        buffer_init(&out, NULL, 12);
        if (xtext_decode(span_from_string(rows[i].input), &out) != rows[i].result)
            fail_msg("xtext \"%s\"", rows[i].input);
        if (rows[i].output)
            assert_span_is(rows[i].input, buffer_span(&out), rows[i].output);
        buffer_release(&out);
    }
}

static int write_samples(const char *directory)
{
    for (size_t number = 0; number < SAMPLE_COUNT; number++) {
        const char *name;
        char path[1024];
        const struct dsn_report report = sample_number(number, &name);
        struct buffer out;
        buffer_init(&out, NULL, 65536);
        put_whole(&report, &out);
        (void)snprintf(path, sizeof(path), "%s/%s.eml", directory, name);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(out.bytes, 1, out.length, file) != out.length || fclose(file) != 0)
            return EXIT_FAILURE;
        buffer_release(&out);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure),       cmocka_unit_test(test_lines),
        cmocka_unit_test(test_hostile_texts), cmocka_unit_test(test_words_of_others),
        cmocka_unit_test(test_xtext),
    };
    if (argc == 2)
        return write_samples(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
