/* tests/lib/smtpsession/chunks - content by BDAT: what reaches the queue however it was cut, and
 * what is left when a client goes away. The conversations are transcripts: bdat*.txt. */
#include "harness.h"

static void expect_body(struct harness *harness, size_t at, const char *where, const char *body)
{
    assert_true(harness->message_count > at);
    const struct harness_message *message = &harness->messages[at];
    assert_span_is(where, span_after(message->content, message->envelope.facts.header_bytes), body);
}

/* The same content cut in every place, each chunk in packets of its own, byte by byte. */
static void send_chunks(struct harness *harness, void *argument)
{
    (void)argument;
    static const char content[] = "A: b\r\nC: d\r\n\r\n.\r\nQUIT\r\nopen";
    const size_t length = sizeof(content) - 1;
    struct harness_client client;
    char line[64];
    harness_greet(harness, &client, "127.0.0.1");
    for (size_t cut = 0; cut <= length; cut++) {
        harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\n"));
        harness_expect(&client, "MAIL", "250 2.1.0");
        harness_expect(&client, "RCPT", "250 2.1.5");
        (void)snprintf(line, sizeof(line), "BDAT %zu\r\n", cut);
        harness_send(&client, span_from_string(line));
        for (size_t i = 0; i < cut; i++)
            harness_send(&client, span_of(content + i, 1));
        harness_expect(&client, "chunk", "250 2.0.0 Ok: ");
        (void)snprintf(line, sizeof(line), "BDAT %zu LAST\r\n", length - cut);
        harness_send(&client, span_from_string(line));
        harness_send(&client, span_of(content + cut, length - cut));
        harness_expect(&client, "last chunk", "250 2.0.0 Ok: 27 bytes queued as ");
        /* A last line that is open is ended: files and other servers need it. */
        expect_body(harness, cut, "cut", ".\r\nQUIT\r\nopen\r\n");
        assert_int_equal(harness->messages[cut].envelope.facts.flags, QUEUE_FACT_LEADING_DOTS);
    }
    harness_quit(&client);
    harness_wait_for_end(harness);
    assert_int_equal(harness->abandoned_count, 0);
    harness_expect_log(harness, " bdat=56 quit=1 commands=");
}

static void test_chunks(void **state)
{
    (void)state;
    harness_run("", send_chunks, NULL);
}

static void large_chunks(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    char line[1000];
    memset(line, 'y', sizeof(line));
    memcpy(line + 998, "\r\n", 2);
    harness_greet(harness, &client, "127.0.0.1");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\n"
                               "BDAT 14\r\nSubject: x\r\n\r\n"));
    harness_expect(&client, "MAIL", "250 2.1.0");
    harness_expect(&client, "RCPT", "250 2.1.5");
    harness_expect(&client, "header", "250 2.0.0 Ok: 14 bytes");
    for (int chunk = 0; chunk < 3; chunk++) {
        harness_send(&client, SPAN("BDAT 1000000\r\n"));
        for (int i = 0; i < 1000; i++)
            harness_send(&client, span_of(line, sizeof(line)));
        harness_expect(&client, "chunk", "250 2.0.0 Ok: 1000000 bytes");
    }
    harness_send(&client, SPAN("BDAT 0 LAST\r\n"));
    harness_expect(&client, "large", "250 2.0.0 Ok: 3000014 bytes queued as ");
    harness_quit(&client);
    assert_int_equal(harness->message_count, 1);
    assert_int_equal(harness->messages[0].envelope.facts.size_bytes -
                         harness->messages[0].envelope.facts.header_bytes,
                     3000 * 1000);
    assert_int_equal(harness->messages[0].envelope.facts.longest_line_bytes, 998);
}

static void test_large_chunks(void **state)
{
    (void)state;
    harness_run("", large_chunks, NULL);
}

/* Whoever goes away within a chunk or between two leaves nothing behind. */
static void lose_chunks(struct harness *harness, void *argument)
{
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\n"
                               "BDAT 6\r\nA: b\r\n"));
    harness_expect(&client, "MAIL", "250 2.1.0");
    harness_expect(&client, "RCPT", "250 2.1.5");
    harness_expect(&client, "chunk", "250 2.0.0 Ok: 6 bytes");
    harness_send(&client, span_from_string(argument));
    harness_disconnect(&client);
    harness_wait_for_end(harness);
    assert_int_equal(harness->message_count, 0);
    harness_expect_log(harness, ": lost connection after BDAT (");
}

static void test_lost_chunks(void **state)
{
    (void)state;
    char between[] = "";
    char within[] = "BDAT 100 LAST\r\nhalf";
    harness_run("", lose_chunks, between);
    harness_run("", lose_chunks, within);
}

/* A chunk is never taken for commands, and may hold what somebody else wrote. */
static void refuse_chunks(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    smtpsession_refuse(&harness->service, SPAN(SESSION_REQUEST_NOTE "BDAT"));
    harness_greet(harness, &client, "127.0.0.1");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\n"
                               "BDAT 57 LAST\r\n"
                               "RSET\r\nMAIL FROM:<forged@here.test>\r\nRCPT TO:<you@here.test>"));
    harness_expect(&client, "MAIL", "250 2.1.0");
    harness_expect(&client, "RCPT", "250 2.1.5");
    harness_expect(&client, "chunk", "421 4.3.0 Error: command is not available for now");
    harness_expect_close(&client, "a chunk that was refused");
    harness_wait_for_end(harness);
    harness_expect_log(harness, " mail=1 rcpt=1 bdat=0/1 commands=");
}

static void test_refused_chunks(void **state)
{
    (void)state;
    harness_run("", refuse_chunks, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_large_chunks),
        cmocka_unit_test(test_lost_chunks),
        cmocka_unit_test(test_refused_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
