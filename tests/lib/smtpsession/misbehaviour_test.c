/* tests/lib/smtpsession/misbehaviour - clients that vanish, half-close, trickle, send noise, and
 * clients that try to smuggle. */
#include "harness.h"

#include <sys/socket.h>

/* ---- clients that vanish ---- */

struct vanish_row {
    struct span said;
    const char *logged;
    bool has_message;
};

static void vanish(struct harness *harness, void *argument)
{
    const struct vanish_row *row = argument;
    for (size_t cut = 0; cut <= row->said.length; cut++) {
        struct harness_client client;
        harness_connect(harness, &client, "127.0.0.1");
        if (cut > 0)
            harness_send(&client, span_first(row->said, cut));
        /* Sometimes at once, sometimes after reading an answer. */
        if (cut % 3 != 0 || cut == row->said.length)
            (void)harness_read_line(&client);
        harness_disconnect(&client);
        harness_wait_for_end(harness);
    }
    harness_expect_log(harness, row->logged);
    assert_int_equal(harness->message_count, 0);
}

static void test_client_vanishes_anywhere(void **state)
{
    (void)state;
    struct vanish_row rows[] = {
        {SPAN_LITERAL("HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<you@here.test>\r\n"),
         ": lost connection after RCPT from unknown[127.0.0.1]", false},
        {SPAN_LITERAL("HELO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<you@here.test>\r\nDATA\r\n"
                      "Subject: half"),
         ": lost connection after DATA (13 bytes) from unknown[127.0.0.1]", true},
        {SPAN_LITERAL("NONSENSE\r\nMO"), "NOQUEUE: lost connection after UNKNOWN from", false},
        {SPAN_LITERAL("HEL"), "NOQUEUE: lost connection after CONNECT from", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        harness_run("smtpd_error_sleep_time = 0\nsmtpd_forbid_unauth_pipelining = no\n", vanish,
                    &rows[i]);
}

/* A client that closes only its sending side still hears every answer. */
static void half_close(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_connect(harness, &client, "127.0.0.1");
    harness_expect(&client, "greeting", "220 ");
    harness_send(&client, SPAN("EHLO a\r\n"));
    harness_expect(&client, "EHLO", "250-");
    harness_open_data(&client);
    harness_send(&client, SPAN("Subject: x\r\n\r\n.\r\n"));
    assert_int_equal(shutdown(client.stream.descriptor, SHUT_WR), 0);
    harness_expect(&client, "end", "250 2.0.0 Ok: queued as ");
    harness_expect_close(&client, "end");
    assert_int_equal(harness->message_count, 1);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "lost connection after END-OF-MESSAGE from");
}

static void test_half_closed(void **state)
{
    (void)state;
    harness_run("", half_close, NULL);
}

/* ---- input in odd pieces ---- */

static void byte_by_byte(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    const struct span said =
        SPAN("EHLO client.example\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\n"
             "DATA\r\nSubject: x\r\n folded\r\n\r\n..dot\r\n.\r\nQUIT\r\n");
    static const char *const answers[] = {
        "220 ", "250-", "250 2.1.0", "250 2.1.5", "354 ", "250 2.0.0 Ok: queued", "221 2.0.0"};
    harness_connect(harness, &client, "127.0.0.1");
    for (size_t i = 0; i < said.length; i++) {
        harness_send(&client, span_between(said, i, i + 1));
        task_yield();
    }
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++)
        harness_expect(&client, "byte by byte", answers[i]);
    harness_expect_close(&client, "byte by byte");
    assert_int_equal(harness->message_count, 1);
    assert_true(span_ends_with(harness->messages[0].content,
                               SPAN("Subject: x\r\n folded\r\n\r\n.dot\r\n")));
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    harness_run("smtpd_forbid_unauth_pipelining = no\n", byte_by_byte, NULL);
}

/* Noise of every kind: the session answers with errors and ends, nothing else. */
static void garbage(struct harness *harness, void *argument)
{
    (void)argument;
    uint32_t random = 12345;
    for (int round = 0; round < 60; round++) {
        struct harness_client client;
        uint8_t noise[3000];
        for (size_t i = 0; i < sizeof(noise); i++) {
            random = random * 1103515245 + 12345;
            const uint8_t byte = (uint8_t)(random >> 16);
            noise[i] = round % 3 == 0 ? byte : (uint8_t) "\r\n\0 :<>@.DATAHELORCPTMAIL"[byte % 24];
        }
        harness_connect(harness, &client, "192.0.2.1");
        harness_send(&client, SPAN("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<you@here.test>\r\n"));
        if (round % 2)
            harness_send(&client, SPAN("DATA\r\n"));
        harness_send(&client, span_of(noise, sizeof(noise)));
        assert_int_equal(shutdown(client.stream.descriptor, SHUT_WR), 0);
        while (harness_read_line(&client).bytes)
            ;
        harness_disconnect(&client);
    }
    harness_wait_for_end(harness);
}

static void test_garbage(void **state)
{
    (void)state;
    harness_run("smtpd_error_sleep_time = 0\nsmtpd_forbid_unauth_pipelining = no\n", garbage, NULL);
    harness_run("smtpd_error_sleep_time = 0\nsmtpd_hard_error_limit = 100000\n"
                "smtpd_forbid_unauth_pipelining = no\n",
                garbage, NULL);
}

/* What one server or another takes for the end of a message, a second message behind it: refused as
 * a whole, and not a word of it is read as a command. */
static void smuggle(struct harness *harness, void *argument)
{
    (void)argument;
    static const struct span sequences[] = {
        SPAN_LITERAL("\n.\n"),       SPAN_LITERAL("\n.\r"),       SPAN_LITERAL("\r.\n"),
        SPAN_LITERAL("\r.\r"),       SPAN_LITERAL("\n.\r\n"),     SPAN_LITERAL("\r.\r\n"),
        SPAN_LITERAL("\r\n.\n"),     SPAN_LITERAL("\r\n.\r"),     SPAN_LITERAL("\r\n\0.\r\n"),
        SPAN_LITERAL("\r\n.\0\r\n"), SPAN_LITERAL("\r\n.\r\r\n"), SPAN_LITERAL("\r\r\n.\r\r\n"),
        SPAN_LITERAL("\r\n.\r\0\n"), SPAN_LITERAL("\n\n.\r\n"),   SPAN_LITERAL("\r\0\n.\r\n"),
    };
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    for (size_t i = 0; i < ARRAY_LENGTH(sequences); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "sequence %zu", i);
        harness_open_data(&client);
        harness_send(&client, SPAN("Subject: x\r\n\r\nfirst"));
        harness_send(&client, sequences[i]);
        harness_send(&client, SPAN("MAIL FROM:<smuggled@client.example>\r\n"
                                   "RCPT TO:<friend@here.test>\r\nDATA\r\nsecond\r\n.\r\n"));
        harness_expect(&client, name, "550 5.5.2 mx.here.test Error: ");
        harness_send(&client, SPAN("RSET\r\n"));
        harness_expect(&client, name, "250 2.0.0");
    }
    harness_quit(&client);
    assert_int_equal(harness->message_count, 0);
    assert_false(harness_has_logged(harness, "smuggled"));
}

static void test_smuggling(void **state)
{
    (void)state;
    harness_run("smtpd_error_sleep_time = 0\nsmtpd_hard_error_limit = 100\n", smuggle, NULL);
}

/* What it sends is there before the session has begun. */
static void talk_early(struct harness *harness, void *argument)
{
    const bool *is_forbidden = argument;
    struct harness_client client;
    harness_connect(harness, &client, "192.0.2.1");
    harness_send(&client, SPAN("EHLO client.example\r\n"));
    if (*is_forbidden) {
        harness_expect(&client, "early", "554 5.5.0 Error: SMTP protocol synchronization");
        harness_expect_close(&client, "early");
        harness_disconnect(&client);
    } else {
        harness_expect(&client, "early", "220 ");
        harness_expect(&client, "early", "250-");
        harness_quit(&client);
    }
    harness_wait_for_end(harness);
    harness_expect_log(harness, "improper command pipelining after CONNECT from "
                                "unknown[192.0.2.1]: EHLO client.example\\r\\n");
}

static void test_early_talk(void **state)
{
    (void)state;
    for (int forbidden = 0; forbidden < 2; forbidden++) {
        bool is_forbidden = forbidden;
        harness_run(is_forbidden ? "" : "smtpd_forbid_unauth_pipelining = no\n", talk_early,
                    &is_forbidden);
    }
}

struct oddity {
    const char *said;
    const char *reply;
    const char *logged;
};

static void be_odd(struct harness *harness, void *argument)
{
    static const struct oddity oddities[] = {
        {"MAIL FROM:<a@b@c>", "501 5.1.7",
         "warning: Illegal address syntax from unknown[192.0.2.1] in MAIL command: <a@b@c>"},
        {"MAIL FROM:<a@client.example>", "250 2.1.0", NULL},
        {"RCPT TO: <>", "501 5.1.3",
         "warning: Illegal address syntax from unknown[192.0.2.1] in RCPT command: <>"},
        {"VRFY @", "501 5.1.3",
         "warning: Illegal address syntax from unknown[192.0.2.1] in VRFY command: @"},
        {"RSET", "250 ", NULL},
        {"ETRN away.test", "459 ", "warning: reject: ETRN away.test... from unknown[192.0.2.1]"},
        {"FOO", "250 ", "unknown[192.0.2.1]: replacing command \"FOO\" with \"NOOP\""},
        {"NOOP \r", "550 ",
         "NOQUEUE: reject: NOOP from unknown[192.0.2.1]: 550 5.5.2 mx.here.test Error: bare <CR> "
         "received"},
        {"BDAT x", "521 ",
         "warning: NOQUEUE: malformed BDAT command syntax from unknown[192.0.2.1]: BDAT x"},
    };
    struct harness_client client;
    (void)argument;
    harness_greet(harness, &client, "192.0.2.1");
    for (size_t i = 0; i < ARRAY_LENGTH(oddities); i++) {
        harness_send(&client, span_from_string(oddities[i].said));
        harness_send(&client, SPAN("\r\n"));
        harness_expect(&client, oddities[i].said, oddities[i].reply);
    }
    harness_expect_close(&client, "BDAT");
    harness_disconnect(&client);
    harness_wait_for_end(harness);
    for (size_t i = 0; i < ARRAY_LENGTH(oddities); i++)
        if (oddities[i].logged)
            harness_expect_log(harness, oddities[i].logged);
}

/* Lines that operators know from Postfix. */
static void test_oddities_are_logged(void **state)
{
    (void)state;
    harness_run("smtpd_command_filter = inline:{FOO=NOOP}\nsmtpd_error_sleep_time = 0\n", be_odd,
                NULL);
}

/* Commands that cost nothing, and are no errors, and never leave it without input. */
static void flood(struct harness *harness, void *argument)
{
    enum { COMMANDS = 4000 };
    struct harness_client busy, other;
    (void)argument;
    harness_greet(harness, &busy, "192.0.2.1");
    harness_send(&busy, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\n"));
    harness_expect(&busy, "MAIL", "250 2.1.0");
    harness_expect(&busy, "RCPT", "250 2.1.5");
    for (int i = 0; i < COMMANDS; i++)
        stream_write(&busy.stream, SPAN("BDAT 0\r\n"));
    harness_send(&busy, SPAN("QUIT\r\n"));
    harness_connect(harness, &other, "192.0.2.2");
    harness_expect(&other, "beside", "220 ");
    assert_int_equal(harness->service.sessions.count, 2); /* the first is not through yet */
    harness_quit(&other);
    for (int i = 0; i < COMMANDS; i++)
        harness_expect(&busy, "BDAT", "250 2.0.0 Ok: 0 bytes");
    harness_expect(&busy, "QUIT", "221 2.0.0");
    harness_disconnect(&busy);
    harness_wait_for_end(harness);
}

static void test_flood(void **state)
{
    (void)state;
    harness_run("", flood, NULL);
}

static void send_long_line(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_greet(harness, &client, "192.0.2.1");
    for (int i = 0; i < 300; i++)
        harness_send(&client, SPAN("0123456789"));
    harness_send(&client, SPAN("\r\n"));
    harness_expect(&client, "long", "500 5.5.2 Error: line too long");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "warning: unknown[192.0.2.1]: request longer than 2048: "
                                "012345678901234567890123456789...");
}

static void test_long_line(void **state)
{
    (void)state;
    harness_run("", send_long_line, NULL);
}

/* Names by turns short and long: what is kept of them is one. */
static void change_names(struct harness *harness, void *argument)
{
    struct harness_client client;
    char line[600];
    (void)argument;
    harness_greet(harness, &client, "192.0.2.1");
    for (int i = 0; i < 200; i++) {
        (void)snprintf(line, sizeof(line), "HELO %0*d.test\r\n", i % 2 ? 500 : 1 + i / 2, i);
        harness_send(&client, span_from_string(line));
        harness_expect(&client, "HELO", "250 mx.here.test");
    }
    harness_quit(&client);
    harness_wait_for_end(harness);
}

static void test_many_names(void **state)
{
    (void)state;
    harness_run("smtpd_junk_command_limit = 1000\n", change_names, NULL);
}

/* ---- a From with more addresses than a user has ---- */

enum { AUTHORS = 10000 };

struct bystander {
    bool is_over;
    size_t turn_count;
};

static void stand_by(void *argument)
{
    struct bystander *bystander = argument;
    while (!bystander->is_over) {
        bystander->turn_count++;
        task_yield();
    }
}

/* Each is looked up; the others of the process have their turns in between. */
static void name_many_authors(struct harness *harness, void *argument)
{
    static struct bystander bystander;
    struct harness_client client;
    (void)argument;
    harness->service.settings.submission.is_on = true;
    harness->service.settings.submission.checks_from = true;
    harness_greet(harness, &client, "127.0.0.1");
    harness_send(&client, SPAN("XCLIENT LOGIN=anna\r\n"));
    harness_expect(&client, "XCLIENT", "220 ");
    harness_send(&client, SPAN("EHLO client.example\r\n"));
    harness_expect(&client, "EHLO", "250-");
    harness_send(&client, SPAN("MAIL FROM:<a@here.test>\r\nRCPT TO:<you@here.test>\r\nDATA\r\n"));
    harness_expect(&client, "MAIL", "250 ");
    harness_expect(&client, "RCPT", "250 ");
    harness_expect(&client, "DATA", "354 ");
    harness_send(&client, SPAN("From: a@here.test"));
    for (int i = 0; i < AUTHORS; i++)
        harness_send(&client, SPAN(",\r\n a@here.test"));
    harness_send(&client, SPAN(",\r\n boss@here.test\r\n\r\nx\r\n"));
    assert_int_equal(task_sleep(200), TASK_TIMED_OUT); /* all of that is read */
    assert_non_null(task_start(harness->loop, "bystander", stand_by, &bystander));
    harness_send(&client, SPAN(".\r\n"));
    harness_expect(&client, "a stranger", "553 5.7.1 <boss@here.test>: Sender address rejected");
    bystander.is_over = true;
    assert_true(bystander.turn_count > AUTHORS / 100);
    harness_quit(&client);
    harness_wait_for_end(harness);
}

static void test_many_authors(void **state)
{
    (void)state;
    harness_run("smtpd_authorized_xclient_hosts = $mynetworks\nheader_size_limit = 1000000\n"
                "smtpd_sender_login_maps = inline:{a@here.test=anna}\n",
                name_many_authors, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_vanishes_anywhere),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_early_talk),
        cmocka_unit_test(test_oddities_are_logged),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_many_authors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
