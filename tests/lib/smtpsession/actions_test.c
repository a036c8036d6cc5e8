/* tests/lib/smtpsession/actions - what tables want done with messages that lists let pass. */
#include "base/ascii.h"
#include "harness.h"

struct row {
    const char *name;
    const char *settings;
    const char *recipients[4]; /* accepted, all */
    const char *kept[4];       /* in the envelope; none: the message is in no queue */
    const char *originals[4];  /* of these; NULL: none */
    const char *header;        /* how the content begins; NULL: with Received */
    const char *filter;        /* or NULL */
    bool is_held;
    const char *logged;
};

#define RECIPIENT_TABLE "smtpd_recipient_restrictions = check_recipient_access "
#define YOU                                                                                        \
    {                                                                                              \
        "you@here.test"                                                                            \
    }

static const struct row rows[] = {
    {"hold",
     RECIPIENT_TABLE "static:HOLD\n",
     YOU,
     YOU,
     {NULL},
     NULL,
     NULL,
     true,
     "NOQUEUE: hold: RCPT from unknown[192.0.2.1]: <you@here.test>: Recipient address triggers "
     "HOLD action; from=<a@client.example> to=<you@here.test> proto=ESMTP helo=<client.example>"},
    {"hold with a text, in any case",
     "smtpd_client_restrictions = static:{hold look at it}\n",
     YOU,
     YOU,
     {NULL},
     NULL,
     NULL,
     true,
     "NOQUEUE: hold: RCPT from unknown[192.0.2.1]: <unknown[192.0.2.1]>: Client host look at it; "
     "from=<a@client.example>"},
    {"for one recipient, and so for all",
     RECIPIENT_TABLE "inline:{{friend@here.test = HOLD}}\n",
     {"you@here.test", "friend@here.test"},
     {"you@here.test", "friend@here.test"},
     {NULL},
     NULL,
     NULL,
     true,
     ": hold: RCPT from unknown[192.0.2.1]: <friend@here.test>: Recipient address triggers HOLD"},
    {"asked at DATA",
     "smtpd_data_restrictions = check_sender_access static:HOLD\n",
     YOU,
     YOU,
     {NULL},
     NULL,
     NULL,
     true,
     ": hold: DATA from unknown[192.0.2.1]: <a@client.example>: Sender address triggers HOLD"},
    {"asked when the message is there",
     "smtpd_end_of_data_restrictions = check_sender_access static:{PREPEND X-Late: yes}, "
     "check_sender_access static:HOLD\n",
     YOU,
     YOU,
     {NULL},
     "X-Late: yes\r\nReceived: from client.example",
     NULL,
     true,
     ": hold: END-OF-MESSAGE from unknown[192.0.2.1]: <a@client.example>: Sender address "
     "triggers HOLD"},
    {"discard",
     RECIPIENT_TABLE "static:DISCARD\n",
     YOU,
     {NULL},
     {NULL},
     NULL,
     NULL,
     false,
     "NOQUEUE: discard: RCPT from unknown[192.0.2.1]: <you@here.test>: Recipient address triggers "
     "DISCARD action; from=<a@client.example> to=<you@here.test>"},
    {"discard for all, those who are not there as well",
     "smtpd_client_restrictions = check_client_access static:{DISCARD spam}\n",
     {"you@here.test", "nobody@here.test"},
     {NULL},
     {NULL},
     NULL,
     NULL,
     false,
     "Client host spam; from=<a@client.example> to=<nobody@here.test>"},
    {"filter",
     "smtpd_sender_restrictions = check_sender_access static:{FILTER scan:[127.0.0.1]:10025}\n",
     YOU,
     YOU,
     {NULL},
     NULL,
     "scan:[127.0.0.1]:10025",
     false,
     "NOQUEUE: filter: RCPT from unknown[192.0.2.1]: <a@client.example>: Sender address triggers "
     "FILTER scan:[127.0.0.1]:10025; from=<a@client.example> to=<you@here.test>"},
    {"the last filter counts",
     "smtpd_sender_restrictions = check_sender_access static:{FILTER one:}\n" RECIPIENT_TABLE
     "static:{FILTER two:b}\n",
     YOU,
     YOU,
     {NULL},
     NULL,
     "two:b",
     false,
     "triggers FILTER one:;"},
    {"redirect",
     RECIPIENT_TABLE "static:{REDIRECT spam@there.test}\n",
     {"you@here.test", "friend@here.test"},
     {"spam@there.test"},
     {"you@here.test"},
     NULL,
     NULL,
     false,
     ": redirect: RCPT from unknown[192.0.2.1]: <friend@here.test>: Recipient address triggers "
     "REDIRECT spam@there.test; from=<a@client.example> to=<friend@here.test>"},
    {"redirect overrides copies",
     RECIPIENT_TABLE "static:{BCC spy@here.test}, check_recipient_access "
                     "static:{REDIRECT spam@there.test}\n",
     YOU,
     {"spam@there.test"},
     YOU,
     NULL,
     NULL,
     false,
     "triggers BCC spy@here.test;"},
    {"copies, each once",
     RECIPIENT_TABLE "static:{BCC spy@here.test}, check_sender_access "
                     "static:{BCC other@there.test}\n",
     {"you@here.test", "friend@here.test"},
     {"you@here.test", "friend@here.test", "spy@here.test", "other@there.test"},
     {NULL},
     NULL,
     NULL,
     false,
     ": bcc: RCPT from unknown[192.0.2.1]: <friend@here.test>: Recipient address triggers BCC "
     "spy@here.test; from=<a@client.example> to=<friend@here.test>"},
    {"fields, each once, in their order",
     RECIPIENT_TABLE "static:{PREPEND X-One: 1}, check_sender_access "
                     "static:{PREPEND X-Two: zw\xc3\xb6lf}\n",
     {"you@here.test", "friend@here.test"},
     {"you@here.test", "friend@here.test"},
     {NULL},
     "X-One: 1\r\nX-Two: zw\xc3\xb6lf\r\nReceived: from client.example",
     NULL,
     false,
     "NOQUEUE: prepend: RCPT from unknown[192.0.2.1]: <you@here.test>: Recipient address triggers "
     "PREPEND X-One: 1; from=<a@client.example>"},
};

static void say(struct harness_client *client, const char *name, const char *line,
                const char *answer)
{
    harness_send(client, span_from_string(line));
    harness_send(client, SPAN("\r\n"));
    harness_expect(client, name, answer);
}

static void check_message(const struct row *row, const struct harness_message *message)
{
    const struct queue_envelope *envelope = &message->envelope;
    size_t count = 0;
    for (; count < ARRAY_LENGTH(row->kept) && row->kept[count]; count++) {
        if (count >= envelope->recipient_count)
            fail_msg("%s: %s is missing", row->name, row->kept[count]);
        const struct queue_recipient *recipient = &envelope->recipients[count];
        assert_span_is(row->name, recipient->forward_path, row->kept[count]);
        assert_span_is(row->name, recipient->original_recipient,
                       row->originals[count] ? row->originals[count] : "");
    }
    assert_int_equal(envelope->recipient_count, count);
    if (!span_starts_with(message->content,
                          span_from_string(row->header ? row->header : "Received: from ")))
        fail_msg("%s: begins %.*s", row->name, SPAN_PRINTF(span_first(message->content, 100)));
    assert_span_is(row->name, envelope->filter, row->filter ? row->filter : "");
    assert_int_equal((envelope->flags & QUEUE_FLAG_HOLD) != 0, row->is_held);
    assert_int_equal(envelope->facts.size_bytes, message->content.length);
    const bool has_8bit = row->header && !ascii_is_all_ascii(span_from_string(row->header));
    assert_int_equal((envelope->facts.flags & QUEUE_FACT_8BIT_HEADER) != 0, has_8bit);
}

static void talk(struct harness *harness, void *argument)
{
    const struct row *row = argument;
    struct harness_client client;
    char line[256];
    harness_greet(harness, &client, "192.0.2.1");
    say(&client, row->name, "MAIL FROM:<a@client.example>", "250 2.1.0");
    for (size_t i = 0; i < ARRAY_LENGTH(row->recipients) && row->recipients[i]; i++) {
        (void)snprintf(line, sizeof(line), "RCPT TO:<%s>", row->recipients[i]);
        say(&client, row->name, line, "250 2.1.5");
    }
    say(&client, row->name, "DATA", "354 ");
    harness_send(&client, SPAN("Subject: hello\r\n\r\nworld\r\n.\r\n"));
    harness_expect(&client, row->name, "250 2.0.0 Ok: queued as ");
    /* What was wished for that message is no matter of the next. */
    say(&client, row->name, "MAIL FROM:<>", "250 2.1.0");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, row->logged);
    assert_int_equal(harness->message_count, row->kept[0] ? 1 : 0);
    assert_int_equal(harness->abandoned_count, row->kept[0] ? 0 : 1);
    if (row->kept[0])
        check_message(row, &harness->messages[0]);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct row row = rows[i];
        harness_run(row.settings, talk, &row);
    }
}

/* Values that say too little. */
static void talk_to_refusal(struct harness *harness, void *argument)
{
    const struct row *row = argument;
    struct harness_client client;
    harness_greet(harness, &client, "192.0.2.1");
    say(&client, row->name, "MAIL FROM:<a@client.example>", "250 2.1.0");
    say(&client, row->name, "RCPT TO:<you@here.test>", "451 4.3.5 Server configuration error");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, row->logged);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"FILTER", "entry \"FILTER \" requires transport:destination"},
        {"FILTER nowhere", "entry \"FILTER nowhere\" requires transport:destination"},
        {"REDIRECT", "requires user@domain target"},
        {"REDIRECT you", "entry \"REDIRECT you\" requires user@domain target"},
        {"BCC you there", "requires user@domain target"},
        {"PREPEND", "requires header: text"},
        {"PREPEND no header", "requires header: text"},
        {"PREPEND : nothing", "requires header: text"},
        {"PREPEND two words: text", "requires header: text"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char settings[256];
        struct row row = {.logged = cases[i][1], .name = cases[i][0]};
        (void)snprintf(settings, sizeof(settings), RECIPIENT_TABLE "static:{%s}\n", cases[i][0]);
        harness_run(settings, talk_to_refusal, &row);
    }
}

/* They need a message: none is there when the client comes, nor at VRFY. */
static void talk_without(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_greet(harness, &client, "192.0.2.1");
    harness_open_data(&client);
    harness_send(&client, SPAN("\r\n.\r\n"));
    harness_expect(&client, "no message yet", "250 2.0.0");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "entry \"HOLD \" is skipped in lists about clients and HELO");
    assert_int_equal(harness->message_count, 1);
    assert_int_equal(harness->messages[0].envelope.flags & QUEUE_FLAG_HOLD, 0);
}

static void talk_vrfy(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_greet(harness, &client, "192.0.2.1");
    say(&client, "vrfy", "MAIL FROM:<a@client.example>", "250 2.1.0");
    say(&client, "vrfy", "VRFY friend@here.test", "252 ");
    say(&client, "vrfy", "RCPT TO:<you@here.test>", "250 2.1.5");
    say(&client, "vrfy", "DATA", "354 ");
    harness_send(&client, SPAN("\r\n.\r\n"));
    harness_expect(&client, "vrfy", "250 2.0.0");
    harness_quit(&client);
    harness_wait_for_end(harness);
    assert_int_equal(harness->message_count, 1);
    assert_int_equal(harness->messages[0].envelope.flags & QUEUE_FLAG_HOLD, 0);
}

static void test_no_message(void **state)
{
    (void)state;
    harness_run("smtpd_client_restrictions = static:HOLD\nsmtpd_delay_reject = no\n", talk_without,
                NULL);
    harness_run(RECIPIENT_TABLE "inline:{{friend@here.test = HOLD}}\n", talk_vrfy, NULL);
}

/* 421 and 521 are last words. */
static void talk_to_the_end(struct harness *harness, void *argument)
{
    struct harness_client client;
    const char *code = argument;
    harness_greet(harness, &client, "192.0.2.1");
    say(&client, code, "MAIL FROM:<a@client.example>", "250 2.1.0");
    say(&client, code, "RCPT TO:<you@here.test>", code);
    harness_expect_close(&client, code);
    harness_disconnect(&client);
    harness_wait_for_end(harness);
}

static void test_last_words(void **state)
{
    (void)state;
    char first[] = "421 4.7.1 <you@here.test>: Recipient address rejected: go";
    char second[] = "521 5.7.1 <you@here.test>: Recipient address rejected: go";
    harness_run(RECIPIENT_TABLE "static:{421 go}\n", talk_to_the_end, first);
    harness_run(RECIPIENT_TABLE "static:{521 go}\n", talk_to_the_end, second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_no_message),
        cmocka_unit_test(test_last_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
