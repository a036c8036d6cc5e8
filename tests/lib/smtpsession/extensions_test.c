/* tests/lib/smtpsession/extensions - what extensions of SMTP leave in the queue and the log. */
#include "harness.h"

#include "base/ascii.h"
#include "smtp/header.h"

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

/* ---- what is repaired, and what is not ---- */

struct repair_row {
    const char *name;
    const char *settings;
    const char *address;
    struct span sent;
    const char *answer;
    const char *content; /* the end of it; NULL: nothing is taken */
    const char *logged;
};

static void send_unclean(struct harness *harness, void *argument)
{
    const struct repair_row *row = argument;
    struct harness_client client;
    harness_greet(harness, &client, row->address);
    harness_open_data(&client);
    harness_send(&client, row->sent);
    harness_expect(&client, row->name, row->answer);
    harness_quit(&client);
    harness_wait_for_end(harness);
    if (row->logged)
        harness_expect_log(harness, row->logged);
    assert_int_equal(harness->message_count, row->content ? 1 : 0);
    if (row->content &&
        !span_ends_with(harness->messages[0].content, span_from_string(row->content)))
        fail_msg("%s: \"%.*s\"", row->name, SPAN_PRINTF(harness->messages[0].content));
}

#define BARE_LF SPAN_LITERAL("A: b\n\nc\n.\nd\r\n.\r\n")
#define LF_REPAIRED "A: b\r\n\r\nc\r\n.\r\nd\r\n"
#define BARE_CR SPAN_LITERAL("A: b\r\n\r\nc\rd\r\n.\r\n")
#define WITH_NUL SPAN_LITERAL("A: b\r\n\r\nc\0d\r\n.\r\n")

static void test_unclean_content(void **state)
{
    (void)state;
    static const struct repair_row rows[] = {
        {"refused", "", "192.0.2.1", BARE_LF, "550 5.5.2 mx.here.test Error: bare <LF>", NULL,
         "reject: END-OF-MESSAGE from unknown[192.0.2.1]: 550 5.5.2"},
        {"an exclusion", "smtpd_forbid_bare_newline_exclusions = $mynetworks\n", "127.0.0.1",
         BARE_LF, "250 2.0.0", LF_REPAIRED, NULL},
        {"no exclusion", "smtpd_forbid_bare_newline_exclusions = $mynetworks\n", "192.0.2.1",
         BARE_LF, "550 5.5.2", NULL, NULL},
        {"normalize", "smtpd_forbid_bare_newline = normalize\n", "192.0.2.1", BARE_LF, "250 2.0.0",
         LF_REPAIRED, "quit=1 commands=5"},
        {"yes", "smtpd_forbid_bare_newline = yes\n", "192.0.2.1", BARE_LF, "250 2.0.0", LF_REPAIRED,
         NULL},
        {"no", "smtpd_forbid_bare_newline = no\n", "192.0.2.1", BARE_LF, "250 2.0.0", LF_REPAIRED,
         NULL},
        {"note", "smtpd_forbid_bare_newline = note\n", "192.0.2.1", BARE_LF, "250 2.0.0",
         LF_REPAIRED, "commands=5 notes=bare_lf"},
        {"CR refused", "", "192.0.2.1", BARE_CR, "550 5.5.2 mx.here.test Error: bare <CR>", NULL,
         NULL},
        {"CR repaired", "smtpd_forbid_bare_newline = note\n", "192.0.2.1", BARE_CR, "250 2.0.0",
         "c d\r\n", NULL},
        {"CR kept out", "smtpd_forbid_bare_newline = note\ncleanup_replace_stray_cr_lf = no\n",
         "192.0.2.1", BARE_CR, "550 5.5.2", NULL, NULL},
        {"NUL refused", "smtpd_forbid_bare_newline = note\n", "192.0.2.1", WITH_NUL,
         "550 5.5.2 mx.here.test Error: <NUL>", NULL, NULL},
        {"line ends are never stripped", "message_strip_characters = \\r\\n\n", "192.0.2.1",
         SPAN_LITERAL("A: b\r\n\r\nd\r\n.\r\n"), "250", "A: b\r\n\r\nd\r\n", NULL},
        {"stripped", "message_strip_characters = x\\0\n", "192.0.2.1",
         SPAN_LITERAL("A: x\0b\r\n\r\nxd\0\r\n.\r\n"), "250 2.0.0", "A: b\r\n\r\nd\r\n", NULL},
        {"rejected", "message_reject_characters = \\001\\177\n", "192.0.2.1",
         SPAN_LITERAL("A: b\r\n\r\n\001\r\n.\r\n"), "550 5.7.1 disallowed character", NULL,
         "550 5.7.1 disallowed character; from="},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct repair_row row = rows[i];
        harness_run(row.settings, send_unclean, &row);
    }
}

/* ---- headers of local clients ---- */

static void send_incomplete(struct harness *harness, void *argument)
{
    const bool is_local = *(const bool *)argument;
    struct harness_client client;
    harness_greet(harness, &client, is_local ? "127.0.0.1" : "192.0.2.1");
    harness_open_data(&client);
    harness_send(&client, SPAN("To: friend\r\nBcc: x\r\n\r\nbody\r\n.\r\n"));
    harness_expect(&client, "end", "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    const struct harness_message *message = &harness->messages[0];
    struct span rest = message->content;
    struct smtp_header_field field;
    assert_true(smtp_header_next(&rest, &field)); /* Received */
    assert_int_equal(message->envelope.facts.header_bytes,
                     span_find(message->content, SPAN("\r\n\r\n")) + 4);
    assert_true(span_ends_with(rest, SPAN("\r\n\r\nbody\r\n")));
    assert_int_equal((message->envelope.flags & QUEUE_FLAG_LOCAL_CLIENT) != 0, is_local);
    if (!is_local) {
        assert_span_is("remote", rest, "To: friend\r\n\r\nbody\r\n");
        harness_expect_log(harness, ": message-id=<>");
        return;
    }
    assert_true(span_starts_with(rest, SPAN("To: friend@mx.here.test\r\nMessage-Id: <")));
    assert_true(span_find(rest, SPAN("\r\nDate: ")) < rest.length);
    assert_true(span_find(rest, SPAN("\r\nFrom: a@client.example\r\n")) < rest.length);
    harness_expect_log(harness, "@mx.here.test>");
}

static void test_headers(void **state)
{
    (void)state;
    bool is_local = true;
    harness_run("local_header_rewrite_clients = permit_mynetworks\n", send_incomplete, &is_local);
    is_local = false;
    harness_run("local_header_rewrite_clients = permit_inet_interfaces\n", send_incomplete,
                &is_local);
}

/* ---- when a message begins ---- */

static void refuse_only(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<unknown@here.test>\r\n"));
    harness_expect(&client, "MAIL", "250 2.1.0");
    harness_expect(&client, "RCPT", "550 5.1.1");
    harness_quit(&client);
    harness_wait_for_end(harness);
    assert_int_equal(harness->abandoned_count, 1);
    harness_expect_log(harness, ": client=unknown[127.0.0.1]");
    assert_false(harness_has_logged(harness, "NOQUEUE: reject: RCPT"));
}

static void test_queue_id_at_mail(void **state)
{
    (void)state;
    harness_run("smtpd_delay_open_until_valid_rcpt = no\n", refuse_only, NULL);
}

/* ---- proxies ---- */

static void forward(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    harness_send(&client, SPAN("XFORWARD NAME=mail.example ADDR=IPV6:2001:db8::7 PORT=4712 "
                               "HELO=x PROTO=SMTP IDENT=4Qk7 SOURCE=LOCAL\r\n"));
    harness_expect(&client, "XFORWARD", "250 2.0.0 Ok");
    for (int i = 0; i < 2; i++) {
        harness_open_data(&client);
        harness_send(&client, SPAN("To: friend\r\n\r\n.\r\n"));
        harness_expect(&client, "end", "250 2.0.0 Ok: queued as ");
    }
    harness_quit(&client);
    harness_wait_for_end(harness);
    assert_int_equal(harness->message_count, 2);
    const struct queue_envelope *first = &harness->messages[0].envelope;
    assert_span_is("name", first->client_name, "mail.example");
    assert_span_is("address", first->client_address, "2001:db8::7");
    assert_int_equal(first->client_port, 4712);
    assert_span_is("helo", first->helo, "x");
    assert_span_is("protocol", first->protocol, "SMTP");
    assert_span_is("ident", first->ident, "4Qk7");
    assert_true(first->flags & QUEUE_FLAG_LOCAL_CLIENT);
    /* Received tells of the proxy, which is the client. */
    assert_true(span_find(harness->messages[0].content, SPAN("[127.0.0.1]")) <
                harness->messages[0].content.length);
    assert_true(span_find(harness->messages[0].content, SPAN("To: friend@mx.here.test\r\n")) <
                harness->messages[0].content.length);
    /* It was for one transaction. */
    const struct queue_envelope *second = &harness->messages[1].envelope;
    assert_span_is("name", second->client_name, "unknown");
    assert_span_is("address", second->client_address, "127.0.0.1");
    assert_span_is("ident", second->ident, "");
    assert_false(second->flags & QUEUE_FLAG_LOCAL_CLIENT);
    harness_expect_log(
        harness,
        "client=unknown[127.0.0.1], orig_queue_id=4Qk7, orig_client=mail.example[2001:db8::7]");
}

static void impersonate(struct harness *harness, void *argument)
{
    (void)argument;
    struct harness_client client;
    harness_greet(harness, &client, "127.0.0.1");
    for (int i = 0; i < 200; i++) { /* however often: memory does not run out */
        harness_send(
            &client,
            SPAN("XCLIENT NAME=a-rather-long-name-for-a-host.example HELO=another.name\r\n"));
        harness_expect(&client, "XCLIENT", "220 ");
    }
    harness_send(&client, SPAN("XCLIENT NAME=mail.example LOGIN=anna HELO=x+20y PROTO=ESMTP "
                               "ADDR=192.0.2.7 PORT=4712\r\n"));
    harness_expect(&client, "XCLIENT", "220 mx.here.test");
    harness_open_data(&client);
    harness_send(&client, SPAN(".\r\n"));
    harness_expect(&client, "end", "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    const struct harness_message *message = &harness->messages[0];
    const struct queue_envelope *envelope = &message->envelope;
    assert_span_is("name", envelope->client_name, "mail.example");
    assert_span_is("address", envelope->client_address, "192.0.2.7");
    assert_int_equal(envelope->client_port, 4712);
    assert_span_is("helo", envelope->helo, "x y");
    assert_true(span_find(message->content, SPAN("from x?y (mail.example [192.0.2.7])")) <
                message->content.length);
    harness_expect_log(harness,
                       ": client=mail.example[192.0.2.7], sasl_method=XCLIENT, sasl_username=anna");
    harness_expect_log(harness, "disconnect from mail.example[192.0.2.7]");
}

static void test_proxies(void **state)
{
    (void)state;
    harness_run("smtpd_authorized_xforward_hosts = 127.0.0.1\n", forward, NULL);
    harness_run("smtpd_authorized_xclient_hosts = $mynetworks\n", impersonate, NULL);
}

struct proxy_row {
    const char *name;
    struct span sent;
    const char *client; /* NULL: it is sent away without a word */
    const char *logged;
};

#define V2_START "\r\n\r\n\0\r\nQUIT\n"

static void connect_through(struct harness *harness, void *argument)
{
    const struct proxy_row *row = argument;
    struct harness_client client;
    harness_connect(harness, &client, "127.0.0.1");
    for (size_t i = 0; i < row->sent.length; i++)
        harness_send(&client, span_between(row->sent, i, i + 1));
    if (row->client) {
        harness_expect(&client, row->name, "220 mx.here.test");
        harness_quit(&client);
        harness_wait_for_end(harness);
        harness_expect_log(harness, row->client);
        return;
    }
    harness_expect_close(&client, row->name);
    harness_wait_for_end(harness);
    harness_expect_log(harness, row->logged);
    assert_false(harness_has_logged(harness, "connect from"));
}

static void test_proxy_protocol(void **state)
{
    (void)state;
    static const struct proxy_row rows[] = {
        {"version 1", SPAN_LITERAL("PROXY TCP4 192.0.2.7 203.0.113.1 4096 25\r\n"),
         "connect from unknown[192.0.2.7]:4096", NULL},
        {"version 2",
         SPAN_LITERAL(V2_START "\x21\x11\x00\x0c\xc0\x00\x02\x07\xcb\x00\x71\x01\x10\x00\x00\x19"),
         "connect from unknown[192.0.2.7]:4096", NULL},
        {"its own", SPAN_LITERAL("PROXY UNKNOWN\r\n"), "connect from unknown[127.0.0.1]:4711",
         NULL},
        {"none", SPAN_LITERAL("EHLO x\r\n"), NULL,
         "warning: haproxy read: bad header from unknown[127.0.0.1]:4711"},
        {"silence", SPAN_LITERAL(""), NULL,
         "warning: haproxy read: timeout error from unknown[127.0.0.1]:4711"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct proxy_row row = rows[i];
        harness_run("smtpd_upstream_proxy_protocol = haproxy\nsmtpd_upstream_proxy_timeout = 1s\n"
                    "smtpd_client_port_logging = yes\n",
                    connect_through, &row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),    cmocka_unit_test(test_unclean_content),
        cmocka_unit_test(test_headers), cmocka_unit_test(test_queue_id_at_mail),
        cmocka_unit_test(test_proxies), cmocka_unit_test(test_proxy_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
