/* tests/lib/maillog/lines - every line shape, byte for byte: log analysers read them. */
#include "../../test.h"

#include "maillog/delivery.h"
#include "maillog/event.h"
#include "maillog/queue.h"
#include "maillog/receive.h"
#include "maillog/tls.h"

enum { CAPACITY_BYTES = 20000 };

static const struct log_peer peer = {SPAN_LITERAL("mail.example.org"), SPAN_LITERAL("192.0.2.7"),
                                     0};
static const struct log_peer peer_port = {SPAN_LITERAL(""), SPAN_LITERAL("2001:db8::1"), 40000};
static const struct span id = SPAN_LITERAL("4Qk7vBz1TfMw2hXcR9dLpNq3s");

/* The one line that was written since; the log is empty afterwards. */
static void assert_line(struct maillog *log, enum log_level level, const char *expected)
{
    struct span rest = buffer_span(&log->batch);
    struct log_record record;
    assert_int_equal(log_record_next(&rest, &record), PARSE_OK);
    assert_span_is("line", record.text, expected);
    assert_int_equal(record.level, level);
    assert_true(record.time_us > 1000000);
    assert_int_equal(rest.length, 0);
    buffer_reset(&log->batch);
}

#define INFO(expected) assert_line(&log, LOG_LEVEL_INFO, expected)
#define WARNING(expected) assert_line(&log, LOG_LEVEL_WARNING, expected)

static void test_tls(void **state)
{
    (void)state;
    struct maillog log;
    struct log_tls tls = {.protocol = "TLSv1.3",
                          .cipher = "TLS_AES_256_GCM_SHA384",
                          .used_bits = 256,
                          .algorithm_bits = 256,
                          .key_exchange = "X25519",
                          .server_signature = "RSA-PSS (2048 bits)",
                          .server_digest = "SHA256"};
    maillog_init(&log, CAPACITY_BYTES, NULL, NULL);
    maillog_tls(&log, LOG_TLS_TO, LOG_TLS_VERIFIED, SPAN("mx.example.net[198.51.100.4]:25"),
                span_empty(), &tls);
    INFO("Verified TLS connection established to mx.example.net[198.51.100.4]:25: TLSv1.3 with "
         "cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature "
         "RSA-PSS (2048 bits) server-digest SHA256");
    maillog_tls(&log, LOG_TLS_REUSED_TO, LOG_TLS_TRUSTED, SPAN("mx.example.net[198.51.100.4]:25"),
                span_empty(), &tls);
    INFO("Trusted TLS connection reused to mx.example.net[198.51.100.4]:25: TLSv1.3 with "
         "cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature "
         "RSA-PSS (2048 bits) server-digest SHA256");
    tls = (struct log_tls){.protocol = "TLSv1.2",
                           .cipher = "ECDHE-RSA-AES128-GCM-SHA256",
                           .used_bits = 128,
                           .algorithm_bits = 128};
    maillog_tls(&log, LOG_TLS_FROM, LOG_TLS_ANONYMOUS, SPAN("mail.example.org[192.0.2.7]"),
                SPAN("mx.example.com"), &tls);
    INFO("Anonymous TLS connection established from mail.example.org[192.0.2.7] to "
         "mx.example.com: TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)");
    maillog_tls(&log, LOG_TLS_FROM, LOG_TLS_UNTRUSTED, SPAN("mail.example.org[192.0.2.7]"),
                span_empty(), &tls);
    INFO("Untrusted TLS connection established from mail.example.org[192.0.2.7]: TLSv1.2 with "
         "cipher ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)");
    maillog_release(&log);
}

static void test_receive(void **state)
{
    (void)state;
    struct maillog log;
    maillog_init(&log, CAPACITY_BYTES, NULL, NULL);
    maillog_connect(&log, &peer);
    INFO("connect from mail.example.org[192.0.2.7]");
    maillog_connect(&log, &peer_port);
    INFO("connect from unknown[2001:db8::1]:40000");

    const struct log_command_count counts[] = {{"helo", 0, 0}, {"ehlo", 1, 1}, {"mail", 1, 1},
                                               {"rcpt", 0, 1}, {"data", 0, 1}, {"quit", 1, 1}};
    maillog_disconnect(&log, &peer, counts, ARRAY_LENGTH(counts), NULL);
    INFO("disconnect from mail.example.org[192.0.2.7] ehlo=1 mail=1 rcpt=0/1 data=0/1 quit=1 "
         "commands=3/5");
    maillog_disconnect(&log, &peer, counts, 0, "bare_lf");
    INFO("disconnect from mail.example.org[192.0.2.7] commands=0/0 notes=bare_lf");

    const struct log_sasl sasl = {SPAN("PLAIN"), SPAN("anna"), SPAN("")};
    maillog_client(&log, id, &peer, NULL, NULL);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: client=mail.example.org[192.0.2.7]");
    maillog_client(&log, id, &peer, &sasl, NULL);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: client=mail.example.org[192.0.2.7], sasl_method=PLAIN, "
         "sasl_username=anna");
    const struct log_origin origin = {SPAN("1RpQ0P"), &peer_port};
    maillog_client(&log, id, &peer, NULL, &origin);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: client=mail.example.org[192.0.2.7], orig_queue_id=1RpQ0P, "
         "orig_client=unknown[2001:db8::1]:40000");
    const struct log_peer nobody = {.name = span_empty(), .address = SPAN("unknown")};
    const struct log_origin nowhere = {span_empty(), &nobody};
    maillog_client(&log, id, &peer, NULL, &nowhere);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: client=mail.example.org[192.0.2.7], orig_client=unknown");

    struct log_refusal refusal = {
        .action = "reject",
        .stage = "RCPT",
        .peer = &peer,
        .text = SPAN("554 5.7.1 <b@example.net>: Relay access denied"),
        .has_sender = true,
        .has_recipient = true,
        .sender = SPAN("a@example.org"),
        .recipient = SPAN("b@example.net"),
        .protocol = SPAN("ESMTP"),
        .helo = SPAN("mail.example.org"),
    };
    maillog_refusal(&log, span_empty(), &refusal);
    INFO("NOQUEUE: reject: RCPT from mail.example.org[192.0.2.7]: 554 5.7.1 <b@example.net>: Relay "
         "access denied; from=<a@example.org> to=<b@example.net> proto=ESMTP "
         "helo=<mail.example.org>");
    refusal.sasl = &sasl;
    refusal.sender = span_empty();
    maillog_refusal(&log, id, &refusal);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: reject: RCPT from mail.example.org[192.0.2.7]: 554 5.7.1 "
         "<b@example.net>: Relay access denied; from=<> to=<b@example.net> proto=ESMTP "
         "helo=<mail.example.org> sasl_method=PLAIN sasl_username=anna");
    const struct log_refusal early = {
        .action = "reject",
        .stage = "CONNECT",
        .peer = &peer,
        .text = SPAN("554 5.7.1 Client host rejected: Access denied"),
        .protocol = SPAN("SMTP"),
    };
    maillog_refusal(&log, span_empty(), &early);
    INFO("NOQUEUE: reject: CONNECT from mail.example.org[192.0.2.7]: 554 5.7.1 Client host "
         "rejected: Access denied; proto=SMTP");

    maillog_session_end(&log, id, "lost connection", "DATA", 120, &peer);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: lost connection after DATA (120 bytes) from "
         "mail.example.org[192.0.2.7]");
    maillog_session_end(&log, span_empty(), "timeout", "RCPT", 0, &peer);
    INFO("NOQUEUE: timeout after RCPT from mail.example.org[192.0.2.7]");
    maillog_improper_pipelining(&log, "HELO", &peer, SPAN("MAIL FROM:<>\r\n"));
    INFO("improper command pipelining after HELO from mail.example.org[192.0.2.7]: MAIL "
         "FROM:<>\\r\\n");
    maillog_improper_pipelining(&log, "EHLO", &peer, SPAN("\r\n\\\0\xff\x1b"));
    INFO("improper command pipelining after EHLO from mail.example.org[192.0.2.7]: "
         "\\r\\n\\\\\\000\\377\\033");
    maillog_foreign_command(&log, &peer, SPAN("GET / HTTP/1.1\t"));
    WARNING("warning: non-SMTP command from mail.example.org[192.0.2.7]: GET / HTTP/1.1\\t");
    maillog_illegal_address(&log, &peer, "RCPT", SPAN("<a@b@c>"));
    WARNING("warning: Illegal address syntax from mail.example.org[192.0.2.7] in RCPT command: "
            "<a@b@c>");
    maillog_long_request(&log, &peer, 2048, SPAN("NOOP 01234567890123456789012345678901234567"));
    WARNING("warning: mail.example.org[192.0.2.7]: request longer than 2048: NOOP "
            "0123456789012345678901234...");
    maillog_malformed_chunk(&log, span_empty(), &peer, SPAN("BDAT x"));
    WARNING("warning: NOQUEUE: malformed BDAT command syntax from mail.example.org[192.0.2.7]: "
            "BDAT x");
    maillog_malformed_chunk(&log, id, &peer, SPAN("BDAT -1"));
    WARNING("warning: 4Qk7vBz1TfMw2hXcR9dLpNq3s: malformed BDAT command syntax from "
            "mail.example.org[192.0.2.7]: BDAT -1");
    maillog_etrn_refused(&log, SPAN("away.test"), &peer);
    WARNING("warning: reject: ETRN away.test... from mail.example.org[192.0.2.7]");
    maillog_command_replaced(&log, &peer, SPAN("FOO"), SPAN("NOOP"));
    INFO("mail.example.org[192.0.2.7]: replacing command \"FOO\" with \"NOOP\"");
    maillog_hostname_mismatch(&log, SPAN("a.example"), SPAN("192.0.2.1"), span_empty());
    WARNING("warning: hostname a.example does not resolve to address 192.0.2.1");
    maillog_limit_exceeded(&log, "Connection rate", 31, &peer, SPAN("smtp"));
    WARNING("warning: Connection rate limit exceeded: 31 from mail.example.org[192.0.2.7] for "
            "service smtp");
    maillog_auth_failed(&log, &peer, SPAN("LOGIN"), SPAN("wrong password"), SPAN("bob"));
    WARNING("warning: mail.example.org[192.0.2.7]: SASL LOGIN authentication failed: wrong "
            "password, sasl_username=bob");
    maillog_auth_failed(&log, &peer, SPAN("PLAIN"), SPAN("malformed"), span_empty());
    WARNING("warning: mail.example.org[192.0.2.7]: SASL PLAIN authentication failed: malformed, "
            "sasl_username=(unavailable)");
    maillog_auth_aborted(&log, &peer, SPAN("LOGIN"));
    WARNING("warning: mail.example.org[192.0.2.7]: SASL LOGIN authentication aborted");
    maillog_screen_refusal(&log, &peer_port, "all server ports busy");
    INFO("NOQUEUE: reject: CONNECT from [2001:db8::1]:40000: all server ports busy");
    maillog_pregreet(&log, &peer_port, 220000, SPAN("EHLO \"x\\\r\n\0\x80"));
    INFO("PREGREET 12 after 0.22 from [2001:db8::1]:40000: EHLO \"x\\\\\\r\\n\\000\\200");
    maillog_hangup(&log, &peer_port, 1500000);
    INFO("HANGUP after 1.5 from [2001:db8::1]:40000 in tests before SMTP handshake");
    maillog_screen_pass(&log, &peer_port, true);
    INFO("PASS NEW [2001:db8::1]:40000");
    maillog_screen_pass(&log, &peer_port, false);
    INFO("PASS OLD [2001:db8::1]:40000");
    maillog_pickup(&log, id, 1000, SPAN("anna"));
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: uid=1000 from=<anna>");
    maillog_message_id(&log, id, SPAN("<1@example.org>"));
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: message-id=<1@example.org>");
    maillog_message_ids(&log, id, SPAN("Subject: s\r\nMessage-Id:\r\n <2@example.org>\r\n"));
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: message-id=<2@example.org>");
    maillog_release(&log);
}

static void test_queue(void **state)
{
    (void)state;
    struct maillog log;
    maillog_init(&log, CAPACITY_BYTES, NULL, NULL);
    maillog_active(&log, id, SPAN("a@example.org"), 2048, 1);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: from=<a@example.org>, size=2048, nrcpt=1 (queue active)");
    maillog_removed(&log, id);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: removed");
    maillog_expired(&log, id, SPAN(""), false);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: from=<>, status=expired, returned to sender");
    maillog_expired(&log, id, SPAN("a@b"), true);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: from=<a@b>, status=force-expired, returned to sender");
    static const char *const notifications[] = {
        "sender non-delivery notification", "sender delay notification",
        "sender delivery status notification", "postmaster non-delivery notification",
        "postmaster delay notification"};
    for (unsigned kind = 0; kind < ARRAY_LENGTH(notifications); kind++) {
        char expected[128];
        (void)snprintf(expected, sizeof(expected), "QID: %s: NEWQID", notifications[kind]);
        maillog_notification(&log, SPAN("QID"), (enum log_notification)kind, SPAN("NEWQID"));
        INFO(expected);
    }
    maillog_notification_failed(&log, id, SPAN("a@b"), SPAN("queue full"));
    WARNING("warning: 4Qk7vBz1TfMw2hXcR9dLpNq3s: sender notification failed to <a@b>: queue full");
    maillog_release(&log);
}

static void test_delivery(void **state)
{
    (void)state;
    struct maillog log;
    struct log_delivery delivery = {
        .recipient = SPAN("b@example.net"),
        .relay = SPAN("mx.example.net[198.51.100.4]:25"),
        .before_queue_us = 100000,
        .connection_us = 500000,
        .transmission_us = 600000,
        .dsn = {2, 0, 0},
        .status = LOG_DELIVERY_SENT,
        .text = SPAN("250 2.0.0 Ok"),
    };
    maillog_init(&log, CAPACITY_BYTES, NULL, NULL);
    maillog_delivery(&log, id, &delivery);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: to=<b@example.net>, relay=mx.example.net[198.51.100.4]:25, "
         "delay=1.2, delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok)");
    delivery.original_recipient = SPAN("sales@example.com");
    delivery.connection_use = 2;
    delivery.relay = span_empty();
    delivery.dsn = (struct enhanced_status){4, 4, 1};
    delivery.status = LOG_DELIVERY_DEFERRED;
    delivery.text = SPAN("connect to mx.example.net[198.51.100.4]:25: Connection timed out");
    maillog_delivery(&log, id, &delivery);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: to=<b@example.net>, orig_to=<sales@example.com>, relay=none, "
         "conn_use=2, delay=1.2, delays=0.1/0/0.5/0.6, dsn=4.4.1, status=deferred (connect to "
         "mx.example.net[198.51.100.4]:25: Connection timed out)");
    delivery = (struct log_delivery){.recipient = SPAN("x\x1b[2J\xff\xc2\x9b@b"),
                                     .original_recipient = SPAN("x\x1b[2J\xff\xc2\x9b@b"),
                                     .relay = SPAN("local"),
                                     .connection_use = 1,
                                     .dsn = {5, 1, 1},
                                     .status = LOG_DELIVERY_BOUNCED,
                                     .text = SPAN("unknown user: \"\xc3\xa4\"\nfake: line")};
    maillog_delivery(&log, id, &delivery);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: to=<x?[2J???@b>, relay=local, delay=0, delays=0/0/0/0, "
         "dsn=5.1.1, status=bounced (unknown user: \"\xc3\xa4\"?fake: line)");
    delivery.status = LOG_DELIVERY_SOFT_BOUNCED;
    delivery.recipient = SPAN("b");
    delivery.text = SPAN("t");
    delivery.original_recipient = span_empty();
    maillog_delivery(&log, id, &delivery);
    INFO("4Qk7vBz1TfMw2hXcR9dLpNq3s: to=<b>, relay=local, delay=0, delays=0/0/0/0, dsn=5.1.1, "
         "status=SOFTBOUNCE (t)");
    maillog_release(&log);
}

static void test_delays(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *text;
    } rows[] = {
        {0, "0"},
        {4999, "0"},
        {5000, "0.01"},
        {12345, "0.01"},
        {90000, "0.09"},
        {100000, "0.1"},
        {123456, "0.12"},
        {996000, "1"},
        {1000000, "1"},
        {1234567, "1.2"},
        {1050000, "1.1"},
        {9940000, "9.9"},
        {9960000, "10"},
        {12400000, "12"},
        {12500000, "13"},
        {301000000, "301"},
        {UINT64_MAX, "18446744073709"},
    };
    struct buffer line;
    buffer_init(&line, NULL, 64);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        buffer_reset(&line);
        maillog_put_delay(&line, rows[i].us, MAILLOG_DELAY_DIGITS);
        if (rows[i].us == UINT64_MAX)
            assert_true(line.length >= 14);
        else
            assert_span_is("delay", buffer_span(&line), rows[i].text);
    }
    buffer_release(&line);
}

/* delay_logging_resolution_limit says how small a part of a second is shown. */
static void test_delay_digits(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        unsigned digits;
        const char *text;
    } rows[] = {
        {123456, 0, "0"},   {500000, 0, "1"},    {123456, 1, "0.1"},  {1230000, 1, "1.2"},
        {1234, 3, "0.001"}, {1234, 6, "0.0012"}, {7, 6, "0.000007"},  {99, 6, "0.000099"},
        {995, 6, "0.001"},  {123456, 6, "0.12"}, {1234567, 6, "1.2"}, {12345678, 6, "12"},
        {40100, 4, "0.04"}, {999999, 6, "1"},
    };
    struct buffer line;
    buffer_init(&line, NULL, 64);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        buffer_reset(&line);
        maillog_put_delay(&line, rows[i].us, rows[i].digits);
        assert_span_is("delay", buffer_span(&line), rows[i].text);
    }
    buffer_release(&line);
}

static void test_events(void **state)
{
    (void)state;
    struct maillog log;
    maillog_init(&log, CAPACITY_BYTES, NULL, NULL);
    const struct log_context plain = {.log = &log};
    const struct log_context session = {&log, &peer, id};
    log_event(&plain, LOG_LEVEL_INFO, "queue.recovered", log_number("messages", 12),
              log_number("change", -3));
    INFO("queue.recovered: messages=12 change=-3");
    log_event(&session, LOG_LEVEL_WARNING, "tls.handshake_failed",
              log_string("reason", "no \"shared\" cipher"), log_text("empty", span_empty()),
              log_string("path", "C:\\x"), log_string("next", "disconnect"));
    WARNING("warning: 4Qk7vBz1TfMw2hXcR9dLpNq3s: tls.handshake_failed: "
            "client=mail.example.org[192.0.2.7] reason=\"no \\\"shared\\\" cipher\" empty=\"\" "
            "path=\"C:\\\\x\" next=disconnect");
    log_event(&plain, LOG_LEVEL_DEBUG, "not.shown", log_number("x", 1));
    assert_int_equal(log.batch.length, 0);
    log.is_debugging = true;
    log_event(&plain, LOG_LEVEL_DEBUG, "shown", log_number("x", 1));
    assert_line(&log, LOG_LEVEL_DEBUG, "shown: x=1");
    maillog_text(&log, LOG_LEVEL_INFO, span_empty(), "daemon started -- version %s", "0.1");
    INFO("daemon started -- version 0.1");
    maillog_text(&log, LOG_LEVEL_FATAL, span_empty(), "open %s", "x");
    assert_line(&log, LOG_LEVEL_FATAL, "fatal: open x");
    maillog_text(&log, LOG_LEVEL_ERROR, id, "y");
    assert_line(&log, LOG_LEVEL_ERROR, "error: 4Qk7vBz1TfMw2hXcR9dLpNq3s: y");
    maillog_release(&log);
}

static void test_long_lines_and_full_log(void **state)
{
    (void)state;
    static uint8_t text[6000];
    struct maillog log;
    struct log_record record;
    memset(text, 'x', sizeof(text));
    maillog_init(&log, 10000, NULL, NULL);
    maillog_message_id(&log, id, span_of(text, sizeof(text)));
    struct span rest = buffer_span(&log.batch);
    assert_int_equal(log_record_next(&rest, &record), PARSE_OK);
    assert_int_equal(record.text.length, MAILLOG_LINE_MAX_BYTES);
    assert_true(span_ends_with(record.text, SPAN("x...")));
    const size_t length = log.batch.length;
    maillog_message_id(&log, id, span_of(text, sizeof(text)));
    assert_int_equal(log.dropped_count, 1);
    assert_int_equal(log.batch.length, length);
    maillog_removed(&log, id); /* a short one still fits */
    assert_int_equal(log.dropped_count, 1);
    assert_true(log.batch.length > length);
    maillog_release(&log);
}

static void test_records_at_every_length(void **state)
{
    (void)state;
    struct maillog log;
    maillog_init(&log, CAPACITY_BYTES, NULL, NULL);
    maillog_removed(&log, id);
    maillog_connect(&log, &peer);
    size_t previous = 0;
    for (size_t length = 0; length <= log.batch.length; length++) {
        struct span rest = span_first(buffer_span(&log.batch), length);
        struct log_record record;
        size_t count = 0;
        enum parse_result result;
        while ((result = log_record_next(&rest, &record)) == PARSE_OK)
            count++;
        assert_int_equal(result, PARSE_NEED_MORE);
        assert_true(count == previous || (count == previous + 1 && rest.length == 0));
        previous = count;
    }
    assert_int_equal(previous, 2);
    static const struct {
        struct span bytes;
        enum parse_result result;
    } rows[] = {
        {SPAN_LITERAL("\x01\0\0\0\0\0\0\0\0\0\x01x"), PARSE_OK},
        {SPAN_LITERAL("\x01\0\0\0\0\0\0\0\0\0\x01\n"), PARSE_MALFORMED},
        {SPAN_LITERAL("\x01\0\0\0\0\0\0\0\0\0\x01\xff"), PARSE_MALFORMED},
        {SPAN_LITERAL("\x01\0\0\0\0\0\0\0\0\0\x02\xc2\x85"), PARSE_MALFORMED},
        {SPAN_LITERAL("\x05\0\0\0\0\0\0\0\0\0\x01x"), PARSE_MALFORMED},
        {SPAN_LITERAL("\x01\0\0\0\0\0\0\0\0\x20\x01x"), PARSE_TOO_LONG},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct span rest = rows[i].bytes;
        struct log_record record;
        assert_int_equal(log_record_next(&rest, &record), rows[i].result);
    }
    maillog_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_receive),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_delivery),
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_delay_digits),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_long_lines_and_full_log),
        cmocka_unit_test(test_records_at_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
