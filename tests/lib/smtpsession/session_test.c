/* tests/lib/smtpsession/session - what reaches the queue and the log, the limits on content,
 * and what a session does when its helpers fail or its process leaves. */
#include "harness.h"

#include <stdlib.h>

#include "smtp/header.h"

static const char *const no_delay = "smtpd_error_sleep_time = 0\n";

/* ---- what reaches the queue ---- */

struct content_row {
    const char *name;
    struct span sent;   /* with dots, without the end */
    struct span header; /* after Received, with the empty line */
    struct span body;
    uint32_t flags;
    uint32_t longest_line;
};

static void send_content(struct harness *harness, void *argument)
{
    const struct content_row *row = argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness_open_data(&client);
    harness_send(&client, row->sent);
    harness_send(&client, SPAN(".\r\n"));
    harness_expect(&client, row->name, "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    assert_int_equal(harness->message_count, 1);
    const struct harness_message *message = &harness->messages[0];
    struct span rest = message->content;
    struct smtp_header_field received;
    assert_true(smtp_header_next(&rest, &received));
    assert_span_is(row->name, received.name, "Received");
    const struct queue_content_facts *facts = &message->envelope.facts;
    if (!span_equals(span_first(rest, row->header.length), row->header) ||
        !span_equals(span_after(rest, row->header.length), row->body))
        fail_msg("%s: content is \"%.*s\"", row->name, SPAN_PRINTF(rest));
    if (facts->header_bytes != received.whole.length + row->header.length ||
        facts->flags != row->flags || facts->longest_line_bytes != row->longest_line)
        fail_msg("%s: facts: header %u flags %u longest line %u", row->name, facts->header_bytes,
                 facts->flags, facts->longest_line_bytes);
}

static void test_content(void **state)
{
    (void)state;
    static const struct content_row rows[] = {
        {"usual", SPAN_LITERAL("A: b\r\n\r\nbody\r\n"), SPAN_LITERAL("A: b\r\n\r\n"),
         SPAN_LITERAL("body\r\n"), 0, 4},
        {"nothing", SPAN_LITERAL(""), SPAN_LITERAL("\r\n"), SPAN_LITERAL(""), 0, 0},
        {"header only", SPAN_LITERAL("A: b\r\n"), SPAN_LITERAL("A: b\r\n\r\n"), SPAN_LITERAL(""), 0,
         4},
        {"header and empty line", SPAN_LITERAL("A: b\r\n\r\n"), SPAN_LITERAL("A: b\r\n\r\n"),
         SPAN_LITERAL(""), 0, 4},
        {"no header", SPAN_LITERAL("hello world\r\n"), SPAN_LITERAL("\r\n"),
         SPAN_LITERAL("hello world\r\n"), 0, 11},
        {"empty line first", SPAN_LITERAL("\r\nhello\r\n"), SPAN_LITERAL("\r\n"),
         SPAN_LITERAL("hello\r\n"), 0, 5},
        {"broken header", SPAN_LITERAL("A: b\r\nhello world\r\n"), SPAN_LITERAL("A: b\r\n\r\n"),
         SPAN_LITERAL("hello world\r\n"), 0, 11},
        {"dots", SPAN_LITERAL("A: b\r\n\r\n..\r\n...x\r\n"), SPAN_LITERAL("A: b\r\n\r\n"),
         SPAN_LITERAL(".\r\n..x\r\n"), QUEUE_FACT_LEADING_DOTS, 4},
        {"8-bit body", SPAN_LITERAL("A: b\r\n\r\n\xc3\xa4\r\n"), SPAN_LITERAL("A: b\r\n\r\n"),
         SPAN_LITERAL("\xc3\xa4\r\n"), QUEUE_FACT_8BIT_BODY, 4},
        {"8-bit header", SPAN_LITERAL("A: \xe4\r\n\r\nbody\r\n"), SPAN_LITERAL("A: \xe4\r\n\r\n"),
         SPAN_LITERAL("body\r\n"), QUEUE_FACT_8BIT_HEADER, 4},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct content_row row = rows[i];
        harness_run("", send_content, &row);
    }
}

static void check_envelope(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_greet(harness, &client, "2001:db8::7");
    harness_send(&client, SPAN("MAIL FROM:<\"a b\"@client.example> BODY=8BITMIME\r\n"
                               "RCPT TO:<user1>\r\nRCPT TO:<\"you\"@here.test>\r\nDATA\r\n"));
    harness_expect(&client, "MAIL", "250 2.1.0");
    harness_expect(&client, "RCPT", "250 2.1.5");
    harness_expect(&client, "RCPT", "250 2.1.5");
    harness_expect(&client, "DATA", "354 ");
    harness_send(&client, SPAN("Message-ID:\r\n <x@y>\r\n\r\n.\r\n"));
    harness_expect(&client, "end", "250 2.0.0 Ok: queued as ");
    harness_send(&client, SPAN("MAIL FROM:<bare>\r\nRCPT TO:<you@here.test>\r\nDATA\r\n"));
    harness_expect(&client, "MAIL", "250 2.1.0");
    harness_expect(&client, "RCPT", "250 2.1.5");
    harness_expect(&client, "DATA", "354 ");
    harness_send(&client, SPAN(".\r\n"));
    harness_expect(&client, "end", "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    assert_int_equal(harness->message_count, 2);
    const struct queue_envelope *envelope = &harness->messages[0].envelope;
    assert_span_is("sender", envelope->reverse_path, "\"a b\"@client.example");
    assert_int_equal(envelope->recipient_count, 2);
    assert_span_is("completed", envelope->recipients[0].forward_path, "user1@here.test");
    assert_span_is("original", envelope->recipients[0].original_recipient, "user1");
    assert_span_is("unquoted", envelope->recipients[1].forward_path, "you@here.test");
    assert_span_is("same", envelope->recipients[1].original_recipient, "");
    assert_span_is("client", envelope->client_address, "2001:db8::7");
    assert_span_is("name", envelope->client_name, "unknown");
    assert_span_is("helo", envelope->helo, "client.example");
    assert_span_is("protocol", envelope->protocol, "ESMTP");
    assert_int_equal(envelope->client_port, 4711);
    assert_int_equal(envelope->flags, QUEUE_FLAG_BODY_8BITMIME);
    assert_int_equal(envelope->facts.received_count, 1);
    assert_true(span_starts_with(harness->messages[0].content,
                                 SPAN("Received: from client.example (unknown "
                                      "[IPv6:2001:db8::7])\r\n\tby mx.here.test (Posthouse) with "
                                      "ESMTP id ")));
    const struct span second = harness->messages[1].content;
    assert_true(span_find(second, SPAN("\r\n\tfor <you@here.test>; ")) < second.length);
    assert_span_is("completed sender", harness->messages[1].envelope.reverse_path,
                   "bare@mx.here.test");
    harness_expect_log(harness, ": message-id=<x@y>");
    harness_expect_log(harness, ": message-id=<>");
}

static void test_envelope(void **state)
{
    (void)state;
    harness_run("mynetworks = [2001:db8::]/32\n", check_envelope, NULL);
}

static void check_dsn(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example> RET=HDRS ENVID=QQ314159+20x\r\n"
                               "RCPT TO:<you@here.test> NOTIFY=SUCCESS,DELAY "
                               "ORCPT=rfc822;first@else.test\r\n"
                               "RCPT TO:<friend@here.test> NOTIFY=NEVER\r\n"
                               "RCPT TO:<user1@here.test>\r\nDATA\r\n"));
    harness_expect(&client, "MAIL", "250 2.1.0");
    for (int i = 0; i < 3; i++)
        harness_expect(&client, "RCPT", "250 2.1.5");
    harness_expect(&client, "DATA", "354 ");
    harness_send(&client, SPAN(".\r\n"));
    harness_expect(&client, "end", "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    assert_int_equal(harness->message_count, 1);
    const struct queue_envelope *envelope = &harness->messages[0].envelope;
    assert_int_equal(envelope->ret, QUEUE_RETURN_HEADERS);
    assert_span_is("envid", envelope->envid, "QQ314159+20x");
    assert_int_equal(envelope->recipients[0].notify, QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_DELAY);
    assert_span_is("orcpt", envelope->recipients[0].orcpt, "rfc822;first@else.test");
    assert_int_equal(envelope->recipients[1].notify, QUEUE_NOTIFY_NEVER);
    assert_int_equal(envelope->recipients[2].notify, 0);
    assert_span_is("no orcpt", envelope->recipients[2].orcpt, "");
}

static void test_dsn(void **state)
{
    (void)state;
    harness_run("", check_dsn, NULL);
}

/* ---- what stands in the log ---- */

static void check_log(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_greet(harness, &client, "192.0.2.9");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<friend@there.test>\r\n"
                               "RCPT TO:<you@here.test>\r\nRCPT TO:<no@here.test>\r\nDATA\r\n"));
    harness_expect(&client, "MAIL", "250 2.1.0");
    harness_expect(&client, "relay", "554 5.7.1 <friend@there.test>: Relay access denied");
    harness_expect(&client, "RCPT", "250 2.1.5");
    harness_expect(&client, "unknown", "550 5.1.1 <no@here.test>: Recipient address rejected");
    harness_expect(&client, "DATA", "354 ");
    harness_send(&client, SPAN("Subject: x\r\n\r\n.\r\n"));
    harness_expect(&client, "end", "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "connect from unknown[192.0.2.9]");
    harness_expect_log(harness, "NOQUEUE: reject: RCPT from unknown[192.0.2.9]: 554 5.7.1 "
                                "<friend@there.test>: Relay access denied; from=<a@client.example> "
                                "to=<friend@there.test> proto=ESMTP helo=<client.example>");
    harness_expect_log(harness, ": client=unknown[192.0.2.9]");
    harness_expect_log(harness,
                       ": reject: RCPT from unknown[192.0.2.9]: 550 5.1.1 <no@here.test>: "
                       "Recipient address rejected: User unknown in virtual mailbox table; "
                       "from=<a@client.example> to=<no@here.test> proto=ESMTP "
                       "helo=<client.example>");
    harness_expect_log(
        harness,
        "disconnect from unknown[192.0.2.9] ehlo=1 mail=1 rcpt=1/3 data=1 quit=1 commands=5/7");
    assert_false(harness_has_logged(harness, "lost connection"));
}

static void test_log(void **state)
{
    (void)state;
    harness_run("", check_log, NULL);
    harness_run("smtpd_error_sleep_time = 0\n", check_log, NULL);
}

static void check_port_log(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_greet(harness, &client, "192.0.2.9");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "connect from unknown[192.0.2.9]:4711");
}

static void test_client_port_logging(void **state)
{
    (void)state;
    harness_run("smtpd_client_port_logging = yes\n", check_port_log, NULL);
}

static void check_name(struct harness *harness, void *argument)
{
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, argument);
}

static void test_peername_lookup(void **state)
{
    (void)state;
    char localhost[] = "connect from localhost[127.0.0.1]";
    char unknown[] = "connect from unknown[127.0.0.1]";
    harness_run("smtpd_peername_lookup = yes\n", check_name, localhost);
    harness_run("smtpd_peername_lookup = no\n", check_name, unknown);
}

/* ---- limits on content ---- */

static void too_big(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    char line[101];
    memset(line, 'x', 98);
    memcpy(line + 98, "\r\n", 3);
    harness_greet(harness, &client, "127.0.0.1");
    for (int round = 0; round < 2; round++) {
        harness_open_data(&client);
        harness_send(&client, SPAN("Subject: x\r\n\r\n"));
        /* 2000 bytes are allowed; the second message just fits. */
        const int lines = round == 0 ? 20 : 19;
        for (int i = 0; i < lines; i++)
            harness_send(&client, span_of(line, 100));
        harness_send(&client, SPAN(".\r\n"));
        harness_expect(&client, "size",
                       round == 0 ? "552 5.3.4 Error: message file too big"
                                  : "250 2.0.0 Ok: queued");
    }
    harness_quit(&client);
    harness_wait_for_end(harness);
    assert_int_equal(harness->message_count, 1);
    harness_expect_log(harness, ": reject: END-OF-MESSAGE from unknown[127.0.0.1]: 552 5.3.4 "
                                "Error: message file too big; from=<a@client.example>");
}

static void test_message_size_limit(void **state)
{
    (void)state;
    harness_run("message_size_limit = 2000\n", too_big, NULL);
}

static void big_header(struct harness *harness, void *argument)
{
    const char *const expected = argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness_open_data(&client);
    for (int i = 0; i < 300; i++) /* 12300 bytes */
        harness_send(&client, SPAN("X-Long: 0123456789012345678901234567890\r\n"));
    harness_send(&client, SPAN("\r\nbody\r\n.\r\n"));
    harness_expect(&client, "header", expected);
    harness_quit(&client);
}

/* Addresses that become many times as long with a domain. */
static void short_names(struct harness *harness, void *argument)
{
    const char *const expected = argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness_open_data(&client);
    for (int i = 0; i < 800; i++)
        harness_send(&client, SPAN("To: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z\r\n"));
    harness_send(&client, SPAN("\r\nbody\r\n.\r\n"));
    harness_expect(&client, "header", expected);
    harness_quit(&client);
}

static void test_header_of_short_names(void **state)
{
    (void)state;
    char refused[] = "552 5.3.4 Error: message header too big";
    char accepted[] = "250 2.0.0 Ok: queued as ";
    harness_run("header_size_limit = 6000\nlocal_header_rewrite_clients = permit_mynetworks\n"
                "myorigin = short.example\n",
                short_names, accepted);
    harness_run("header_size_limit = 6000\nlocal_header_rewrite_clients = permit_mynetworks\n"
                "myorigin = quite-a-long-name-of-a-domain.example\n",
                short_names, refused);
}

static void test_header_size_limit(void **state)
{
    (void)state;
    char refused[] = "552 5.3.4 Error: message header too big";
    char accepted[] = "250 2.0.0 Ok: queued as ";
    /* Of all fields together: eight times that of one. */
    harness_run("header_size_limit = 1500\n", big_header, refused);
    harness_run("header_size_limit = 1600\n", big_header, accepted);
}

static void large_message(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    char line[1000];
    memset(line, 'y', sizeof(line));
    memcpy(line + 998, "\r\n", 2);
    harness_greet(harness, &client, "127.0.0.1");
    harness_open_data(&client);
    harness_send(&client, SPAN("Subject: x\r\n\r\n"));
    for (int i = 0; i < 3000; i++)
        harness_send(&client, span_of(line, sizeof(line)));
    harness_send(&client, SPAN(".\r\n"));
    harness_expect(&client, "large", "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    assert_int_equal(harness->message_count, 1);
    assert_int_equal(harness->messages[0].envelope.facts.size_bytes -
                         harness->messages[0].envelope.facts.header_bytes,
                     3000 * 1000);
    assert_int_equal(harness->messages[0].envelope.facts.longest_line_bytes, 998);
}

static void test_large_message(void **state)
{
    (void)state;
    harness_run("", large_message, NULL);
}

/* ---- errors slow a client down ---- */

static void measure_errors(struct harness *harness, void *argument)
{
    const bool is_slow = *(const bool *)argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    const int64_t begin_ms = clock_monotonic_ms();
    for (int i = 0; i < 3; i++) {
        harness_send(&client, SPAN("NONSENSE\r\n"));
        harness_expect(&client, "error", "500 5.5.2");
    }
    const int64_t took_ms = clock_monotonic_ms() - begin_ms;
    if (is_slow ? took_ms < 1000 : took_ms > 900)
        fail_msg("three errors took %lld ms", (long long)took_ms);
    harness_quit(&client);
}

static void test_soft_error_limit_and_sleep_time(void **state)
{
    (void)state;
    bool is_slow = true;
    /* The third error is answered after the first two were counted. */
    harness_run("smtpd_soft_error_limit = 2\nsmtpd_error_sleep_time = 1\n", measure_errors,
                &is_slow);
    is_slow = false;
    harness_run("smtpd_soft_error_limit = 10\nsmtpd_error_sleep_time = 1\n", measure_errors,
                &is_slow);
    harness_run("smtpd_soft_error_limit = 2\nsmtpd_error_sleep_time = 0\n", measure_errors,
                &is_slow);
}

/* ---- helpers that fail ---- */

static void failing_queue(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness->commit_outcome = outcome_temporary(452, 3, 1, "Insufficient system storage");
    harness_open_data(&client);
    harness_send(&client, SPAN("Subject: x\r\n\r\n.\r\n"));
    harness_expect(&client, "full", "452 4.3.1 Insufficient system storage");
    /* Past the commit nothing is refused for good. */
    harness->commit_outcome = outcome_permanent(554, 3, 0, "never");
    harness_open_data(&client);
    harness_send(&client, SPAN("Subject: x\r\n\r\n.\r\n"));
    harness_expect(&client, "refused", "451 4.3.0 ");
    /* qmgr dies while it is asked. */
    harness->is_qmgr_silent = true;
    harness_open_data(&client);
    harness_send(&client, SPAN("Subject: x\r\n\r\n.\r\n"));
    (void)task_sleep(20);
    ipc_channel_destroy(&harness->qmgr);
    harness_expect(&client, "gone", "451 4.3.0 Error: queue file write error");
    /* And is away afterwards. */
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\n"));
    harness_expect(&client, "away", "451 4.3.0 ");
    harness_quit(&client);
    assert_int_equal(harness->message_count, 0);
}

static void test_queue_fails(void **state)
{
    (void)state;
    harness_run("smtpd_error_sleep_time = 0\nipc_timeout = 1s\n", failing_queue, NULL);
}

static void no_space(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    const struct ipc_queue_state little = {outcome_ok(), 5000};
    const struct ipc_queue_state none = {
        outcome_temporary(452, 3, 1, "Insufficient system storage"), 0};
    harness_greet(harness, &client, "127.0.0.1");
    assert_true(ipc_channel_send(harness->qmgr, IPC_QUEUE_STATE, &little));
    (void)task_sleep(20);
    harness_send(&client, SPAN("MAIL FROM:<a@client.example> SIZE=5001\r\n"));
    harness_expect(&client, "too large", "452 4.3.1 Insufficient system storage");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example> SIZE=5000\r\n"));
    harness_expect(&client, "fits", "250 2.1.0");
    harness_send(&client, SPAN("RSET\r\n"));
    harness_expect(&client, "RSET", "250 2.0.0");
    assert_true(ipc_channel_send(harness->qmgr, IPC_QUEUE_STATE, &none));
    (void)task_sleep(20);
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\n"));
    harness_expect(&client, "full", "452 4.3.1 Insufficient system storage");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "NOQUEUE: reject: MAIL from unknown[127.0.0.1]: 452 4.3.1 "
                                "Insufficient system storage; from=<a@client.example> proto=ESMTP"
                                " helo=<client.example>");
}

static void test_no_space(void **state)
{
    (void)state;
    harness_run(no_delay, no_space, NULL);
}

static void addresses_unknown(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_greet(harness, &client, "192.0.2.1");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<away@here.test>\r\n"));
    harness_expect(&client, "MAIL", "250 2.1.0");
    harness_expect(&client, "RCPT", "451 4.3.0 <away@here.test>: Temporary lookup failure");
    harness_quit(&client);
}

static void test_addresses_cannot_be_checked(void **state)
{
    (void)state;
    harness_run(no_delay, addresses_unknown, NULL);
}

/* ---- the process leaves ---- */

static void stopping(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client idle, busy, late;
    harness_greet(harness, &idle, "127.0.0.1");
    harness_greet(harness, &busy, "127.0.0.1");
    harness_open_data(&busy);
    smtpsession_stop_all(&harness->service);
    harness_expect(&idle, "idle", "421 4.3.2 mx.here.test Service shutting down");
    harness_expect_close(&idle, "idle");
    harness_send(&busy, SPAN("Subject: x\r\n\r\n.\r\n"));
    harness_expect(&busy, "busy", "250 2.0.0 Ok: queued as ");
    harness_expect(&busy, "busy", "421 4.3.2 mx.here.test Service shutting down");
    harness_expect_close(&busy, "busy");
    assert_int_equal(harness->message_count, 1);
    /* A connection that was under way is told so. */
    int ends[2];
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    late.harness = harness;
    assert_int_equal(stream_open(&late.stream, harness->loop, ends[0]), 0);
    assert_false(smtpsession_start(&harness->service, ends[1], &peer));
    harness_expect(&late, "late", "421 4.3.2 mx.here.test Service unavailable");
    harness_expect_close(&late, "late");
}

static void test_stopping(void **state)
{
    (void)state;
    harness_run("", stopping, NULL);
}

/* ---- many at once ---- */

static void many(struct harness *harness, void *argument)
{
    (void)argument;
    enum { CLIENT_COUNT = 40 };
    struct harness_client *clients = calloc(CLIENT_COUNT, sizeof(*clients));
    assert_non_null(clients);
    for (int i = 0; i < CLIENT_COUNT; i++)
        harness_greet(harness, &clients[i], "127.0.0.1");
    for (int i = 0; i < CLIENT_COUNT; i++)
        harness_open_data(&clients[i]);
    for (int i = 0; i < CLIENT_COUNT; i++)
        harness_send(&clients[i], SPAN("Subject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n"));
    for (int i = 0; i < CLIENT_COUNT; i++) {
        harness_expect(&clients[i], "end", "250 2.0.0 Ok: queued as ");
        harness_expect(&clients[i], "end", "221 2.0.0");
        harness_expect_close(&clients[i], "end");
    }
    assert_int_equal(harness->message_count, CLIENT_COUNT);
    free(clients);
}

static void test_many_sessions(void **state)
{
    (void)state;
    harness_run("", many, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_dsn),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_client_port_logging),
        cmocka_unit_test(test_peername_lookup),
        cmocka_unit_test(test_message_size_limit),
        cmocka_unit_test(test_header_size_limit),
        cmocka_unit_test(test_header_of_short_names),
        cmocka_unit_test(test_large_message),
        cmocka_unit_test(test_soft_error_limit_and_sleep_time),
        cmocka_unit_test(test_queue_fails),
        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_addresses_cannot_be_checked),
        cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_many_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
