/* tests/lib/smtpsession - STARTTLS and TLS from the first byte, from the client's side. */
#include "harness.h"

#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tls/stream.h"

#define MAY "smtpd_tls_security_level = may\n"
#define ENCRYPT "smtpd_tls_security_level = encrypt\n"

/* ---- the way it goes ---- */

static bool ehlo_offers(struct harness_client *client, const char *keyword)
{
    struct span line;
    bool is_offered = false;
    harness_send(client, SPAN("EHLO client.example\r\n"));
    do {
        line = harness_read_line(client);
        assert_non_null(line.bytes);
        is_offered = is_offered || span_equals(span_after(line, 4), span_from_string(keyword));
    } while (line.bytes[3] == '-');
    return is_offered;
}

static void check_starttls(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_connect(harness, &client, "192.0.2.7");
    harness_expect(&client, "greeting", "220 ");
    assert_true(ehlo_offers(&client, "STARTTLS"));
    harness_send(&client, SPAN("STARTTLS now\r\n"));
    harness_expect(&client, "argument", "501 5.5.4 ");
    harness_start_tls(&client, NULL);
    assert_false(ehlo_offers(&client, "STARTTLS"));
    harness_send(&client, SPAN("STARTTLS\r\n"));
    harness_expect(&client, "twice", "503 5.5.1 Error: TLS already active");
    harness_open_data(&client);
    harness_send(&client, SPAN("Subject: x\r\n\r\nbody\r\n.\r\n"));
    harness_expect(&client, "end of data", "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "Anonymous TLS connection established from unknown[192.0.2.7]: "
                                "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) "
                                "key-exchange X25519 server-signature ECDSA (P-256) "
                                "server-digest SHA256");
    harness_expect_log(harness, "starttls=1/3 ");
    assert_int_equal(harness->message_count, 1);
    const struct span content = harness->messages[0].content;
    const struct span received =
        SPAN("Received: from client.example (unknown [192.0.2.7])\r\n"
             "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
             "\t key-exchange X25519 server-signature ECDSA (P-256) server-digest SHA256)\r\n"
             "\t(No client certificate requested)\r\n"
             "\tby mx.here.test (Posthouse) with ESMTPS id ");
    if (!span_starts_with(content, received))
        fail_msg("%.*s", SPAN_PRINTF(span_first(content, 600)));
    assert_true(span_find(content, SPAN("\r\n\tfor <you@here.test>\r\n"
                                        "\ttls TLS_AES_256_GCM_SHA384 group x25519; ")) <
                content.length);
    assert_span_is("protocol", harness->messages[0].envelope.protocol, "ESMTP");
}

static void test_starttls(void **state)
{
    (void)state;
    harness_run(MAY "smtpd_tls_loglevel = 1\nsmtpd_tls_received_header = yes\n", check_starttls,
                NULL);
}

/* Where TLS 1.2 is spoken, its cipher says it all. */
static void check_old_version(struct harness *harness, void *argument)
{
    struct harness_client client;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    (void)argument;
    assert_int_equal(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
    harness_connect(harness, &client, "192.0.2.7");
    harness_expect(&client, "greeting", "220 ");
    harness_start_tls(&client, context);
    SSL_CTX_free(context);
    harness_send(&client, SPAN("EHLO client.example\r\n"));
    harness_expect(&client, "EHLO", "250-");
    harness_open_data(&client);
    harness_send(&client, SPAN("Subject: x\r\n\r\nbody\r\n.\r\n"));
    harness_expect(&client, "end of data", "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "Anonymous TLS connection established from unknown[192.0.2.7]: "
                                "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)");
    const struct span content = harness->messages[0].content;
    assert_true(span_find(content, SPAN("\tby mx.here.test (Posthouse) with ESMTPS id ")) <
                content.length);
    assert_true(span_find(content, SPAN("(using ")) == content.length);
    assert_true(span_find(content, SPAN("\ttls TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 group "
                                        "x25519; ")) < content.length);
}

static void test_old_version(void **state)
{
    (void)state;
    harness_run(MAY "smtpd_tls_loglevel = 1\n", check_old_version, NULL);
}

/* ---- what was said before counts no more: RFC 3207 section 4.2 ---- */

static void check_amnesia(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_greet(harness, &client, "192.0.2.7");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\n"));
    harness_expect(&client, "MAIL", "250 ");
    harness_expect(&client, "RCPT", "250 ");
    harness_start_tls(&client, NULL);
    harness_send(&client, SPAN("RCPT TO:<friend@here.test>\r\n"));
    harness_expect(&client, "RCPT", "503 5.5.1 ");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\n"));
    harness_expect(&client, "MAIL", "503 5.5.1 "); /* no HELO any more */
    harness_quit(&client);
}

static void test_amnesia(void **state)
{
    (void)state;
    harness_run(MAY "smtpd_helo_required = yes\n", check_amnesia, NULL);
}

/* What an attacker put behind STARTTLS must not come out as if it had been said over TLS. */
static void check_injection(struct harness *harness, void *argument)
{
    struct harness_client client;
    const bool is_ended = argument != NULL;
    harness_greet(harness, &client, "192.0.2.7");
    harness_send(&client, SPAN("STARTTLS\r\nRSET\r\nMAIL FROM:<evil@client.example>\r\n"));
    if (is_ended) {
        harness_expect(&client, "STARTTLS", "554 5.5.0 Error: SMTP protocol synchronization");
        harness_expect_close(&client, "end");
    } else {
        harness_expect(&client, "STARTTLS", "220 2.0.0 ");
        assert_true(harness_shake_hands(&client, NULL));
        harness_send(&client, SPAN("NOOP\r\n"));
        harness_expect(&client, "the first answer over TLS", "250 2.0.0 Ok");
        harness_send(&client, SPAN("RCPT TO:<you@here.test>\r\n"));
        harness_expect(&client, "RCPT", "503 5.5.1 ");
        harness_quit(&client);
    }
    harness_wait_for_end(harness);
    harness_expect_log(harness, "improper command pipelining after STARTTLS from "
                                "unknown[192.0.2.7]: RSET\\r\\nMAIL FROM");
}

static void test_injection(void **state)
{
    static bool is_ended = true;
    (void)state;
    harness_run(MAY, check_injection, &is_ended);
    harness_run(MAY "smtpd_forbid_unauth_pipelining = no\n", check_injection, NULL);
}

/* ---- when it may not be left out ---- */

static void check_encrypt(struct harness *harness, void *argument)
{
    static const char *const refused[] = {"HELO client.example",
                                          "MAIL FROM:<a@client.example>",
                                          "RCPT TO:<you@here.test>",
                                          "DATA",
                                          "RSET",
                                          "VRFY you",
                                          "HELP",
                                          "AUTH PLAIN",
                                          "BDAT 0 LAST",
                                          "XCLIENT NAME=x",
                                          "NONSENSE"};
    struct harness_client client;
    (void)argument;
    harness_connect(harness, &client, "192.0.2.7");
    harness_expect(&client, "greeting", "220 ");
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        harness_send(&client, span_from_string(refused[i]));
        harness_send(&client, SPAN("\r\n"));
        harness_expect(&client, refused[i], "530 5.7.0 Must issue a STARTTLS command first");
    }
    harness_send(&client, SPAN("NOOP\r\n"));
    harness_expect(&client, "NOOP", "250 ");
    assert_true(ehlo_offers(&client, "STARTTLS"));
    harness_start_tls(&client, NULL);
    harness_send(&client, SPAN("EHLO client.example\r\nMAIL FROM:<a@client.example>\r\n"));
    harness_expect(&client, "EHLO", "250-");
    harness_expect(&client, "MAIL", "250 ");
    harness_quit(&client);
}

static void test_encrypt(void **state)
{
    (void)state;
    harness_run(ENCRYPT "smtpd_forbid_unauth_pipelining = no\nsmtpd_error_sleep_time = 0\n",
                check_encrypt, NULL);
    harness_run("smtpd_enforce_tls = yes\nsmtpd_forbid_unauth_pipelining = no\n"
                "smtpd_error_sleep_time = 0\n",
                check_encrypt, NULL);
}

static void check_nothing(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_connect(harness, &client, "192.0.2.7");
    harness_expect(&client, "greeting", "220 ");
    assert_false(ehlo_offers(&client, "STARTTLS"));
    harness_send(&client, SPAN("STARTTLS\r\n"));
    harness_expect(&client, "STARTTLS", argument);
    harness_quit(&client);
}

static void test_no_tls(void **state)
{
    static char unknown[] = "502 5.5.1 Error: command not implemented";
    static char unavailable[] = "454 4.7.0 TLS not available due to local problem";
    (void)state;
    harness_run("", check_nothing, unknown);
    harness_run(MAY "smtpd_discard_ehlo_keywords = starttls\n", check_nothing, unknown);
    harness_withholds_keys = true;
    harness_run(MAY, check_nothing, unavailable);
    harness_withholds_keys = false;
}

/* ---- handshakes that come to nothing ---- */

static void check_garbage(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_greet(harness, &client, "192.0.2.7");
    harness_send(&client, SPAN("STARTTLS\r\n"));
    harness_expect(&client, "STARTTLS", "220 ");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\n"));
    /* An alert may come, and no word of SMTP. */
    while (stream_read(&client.stream, clock_deadline_after(HARNESS_PATIENCE_MS)) == STREAM_OK) {
        assert_int_equal(stream_input(&client.stream).bytes[0], 0x15);
        stream_consume(&client.stream, stream_input(&client.stream).length);
    }
    harness_disconnect(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "SSL_accept error from unknown[192.0.2.7]: -1");
    harness_expect_log(harness, "warning: TLS library problem: error:");
    harness_expect_log(harness, "lost connection after STARTTLS from unknown[192.0.2.7]");
    harness_expect_log(harness, "ehlo=1 starttls=0/1 commands=1/2");
}

static void check_hang_up(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_greet(harness, &client, "192.0.2.7");
    harness_send(&client, SPAN("STARTTLS\r\n"));
    harness_expect(&client, "STARTTLS", "220 ");
    harness_disconnect(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "SSL_accept error from unknown[192.0.2.7]: lost connection");
}

/* One hangs in its handshake; others do not notice. */
static void check_silence(struct harness *harness, void *argument)
{
    struct harness_client silent, client;
    (void)argument;
    harness_greet(harness, &silent, "192.0.2.7");
    harness_send(&silent, SPAN("STARTTLS\r\n"));
    harness_expect(&silent, "STARTTLS", "220 ");
    harness_send(&silent, SPAN("\x16\x03\x01")); /* it begins, and does not go on */
    harness_greet(harness, &client, "192.0.2.8");
    harness_start_tls(&client, NULL);
    harness_send(&client, SPAN("EHLO client.example\r\n"));
    harness_expect(&client, "EHLO", "250-");
    harness_quit(&client);
    harness_expect_close(&silent, "time is up");
    harness_wait_for_end(harness);
    harness_expect_log(harness, "SSL_accept error from unknown[192.0.2.7]: Connection timed out");
}

static void stop_service(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_greet(harness, &client, "192.0.2.7");
    harness_send(&client, SPAN("STARTTLS\r\n"));
    harness_expect(&client, "STARTTLS", "220 ");
    smtpsession_stop_all(&harness->service);
    harness_expect_close(&client, "no words in the middle of a handshake");
}

static void test_failures(void **state)
{
    (void)state;
    harness_run(MAY, check_garbage, NULL);
    harness_run(MAY, check_hang_up, NULL);
    harness_run(MAY "smtpd_starttls_timeout = 1s\n", check_silence, NULL);
    harness_run(MAY, stop_service, NULL);
}

/* ---- TLS from the first byte ---- */

static void check_wrapper(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_connect(harness, &client, "192.0.2.7");
    assert_true(harness_shake_hands(&client, NULL));
    harness_expect(&client, "greeting", "220 ");
    assert_false(ehlo_offers(&client, "STARTTLS"));
    harness_open_data(&client);
    harness_send(&client, SPAN("Subject: x\r\n\r\nbody\r\n.\r\n"));
    harness_expect(&client, "end of data", "250 2.0.0 Ok: queued as ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    assert_true(span_find(harness->messages[0].content, SPAN(" with ESMTPS id ")) <
                harness->messages[0].content.length);

    harness_connect(harness, &client, "192.0.2.8");
    harness_send(&client, SPAN("EHLO client.example\r\n"));
    while (stream_read(&client.stream, clock_deadline_after(HARNESS_PATIENCE_MS)) == STREAM_OK)
        stream_consume(&client.stream, stream_input(&client.stream).length);
    harness_disconnect(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "lost connection after CONNECT from unknown[192.0.2.8]");
}

/* The handshake begins in the packet that the proxy's header is in. */
static void check_proxy(struct harness *harness, void *argument)
{
    struct harness_client client;
    (void)argument;
    harness_connect(harness, &client, "127.0.0.1");
    harness_send(&client, SPAN("PROXY TCP4 192.0.2.7 203.0.113.1 4096 465\r\n"));
    assert_true(harness_shake_hands(&client, NULL));
    harness_expect(&client, "greeting", "220 ");
    harness_quit(&client);
    harness_wait_for_end(harness);
    harness_expect_log(harness, "connect from unknown[192.0.2.7]");
}

static void test_wrapper(void **state)
{
    (void)state;
    harness_run("smtpd_tls_wrappermode = yes\nsmtpd_upstream_proxy_protocol = haproxy\n",
                check_proxy, NULL);
    harness_run("smtpd_tls_wrappermode = yes\n", check_wrapper, NULL);
}

/* ---- certificates of clients ---- */

static char fingerprint_text[128]; /* of one that nobody vouches for */

struct client_certificates {
    char file[64]; /* of the authority */
    SSL_CTX *good;
    SSL_CTX *unknown;
};

static SSL_CTX *make_context(X509 *certificate, EVP_PKEY *key)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    return context;
}

static void make_certificates(struct client_certificates *made)
{
    EVP_PKEY *issuer_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *issuer = harness_certificate("Test CA", issuer_key, NULL, NULL);
    X509 *good = harness_certificate("bob", key, issuer, issuer_key);
    X509 *unknown = harness_certificate("mallory", key, NULL, NULL);
    (void)snprintf(made->file, sizeof(made->file), "/tmp/posthouse-tls-test-XXXXXX");
    const int descriptor = mkstemp(made->file);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "w");
    assert_int_equal(PEM_write_X509(file, issuer), 1);
    assert_int_equal(fclose(file), 0);
    made->good = make_context(good, key);
    made->unknown = make_context(unknown, key);
    X509_free(issuer);
    X509_free(good);
    X509_free(unknown);
    EVP_PKEY_free(issuer_key);
    EVP_PKEY_free(key);
}

static void forget_certificates(struct client_certificates *made)
{
    SSL_CTX_free(made->good);
    SSL_CTX_free(made->unknown);
    assert_int_equal(unlink(made->file), 0);
}

static void submit(struct harness *harness, SSL_CTX *context)
{
    struct harness_client client;
    harness_connect(harness, &client, "192.0.2.7");
    harness_expect(&client, "greeting", "220 ");
    harness_start_tls(&client, context);
    harness_send(&client, SPAN("EHLO client.example\r\n"));
    harness_expect(&client, "EHLO", "250-");
    harness_open_data(&client);
    harness_send(&client, SPAN("Subject: x\r\n\r\nbody\r\n.\r\n"));
    harness_expect(&client, "end of data", "250 ");
    harness_quit(&client);
    harness_wait_for_end(harness);
}

static void expect_received(const struct harness *harness, size_t message, const char *text)
{
    const struct span content = harness->messages[message].content;
    if (span_find(content, span_from_string(text)) == content.length)
        fail_msg("no \"%s\" in %.*s", text, SPAN_PRINTF(span_first(content, 600)));
}

static void check_asked(struct harness *harness, void *argument)
{
    const struct client_certificates *certificates = argument;
    submit(harness, NULL);
    expect_received(harness, 0, "\t(Client did not present a certificate)\r\n");
    submit(harness, certificates->good);
    harness_expect_log(harness, "Trusted TLS connection established from unknown[192.0.2.7]: ");
    harness_expect_log(harness, "client-signature ECDSA (P-256) client-digest SHA256");
    harness_expect_log(harness, "unknown[192.0.2.7]: subject_CN=bob, issuer=Test CA, fingerprint=");
    expect_received(harness, 1, "\t(Client CN \"bob\", Issuer \"Test CA\" (verified OK))\r\n");
    submit(harness, certificates->unknown);
    harness_expect_log(harness, "Untrusted TLS connection established from unknown[192.0.2.7]: ");
    expect_received(harness, 2, "\t(Client CN \"mallory\", Issuer \"mallory\" (not verified))\r\n");
}

static void check_required(struct harness *harness, void *argument)
{
    const struct client_certificates *certificates = argument;
    SSL_CTX *const refused[] = {NULL, certificates->unknown};
    static const char *const words[] = {
        "421 4.7.1 mx.here.test Error: No client certificate presented",
        "421 4.7.1 mx.here.test Error: Client certificate not trusted"};
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        struct harness_client client;
        harness_connect(harness, &client, "192.0.2.7");
        harness_expect(&client, "greeting", "220 ");
        harness_start_tls(&client, refused[i]);
        harness_send(&client, SPAN("EHLO client.example\r\n"));
        harness_expect(&client, "EHLO", words[i]);
        harness_expect_close(&client, words[i]);
        harness_wait_for_end(harness);
    }
    harness_expect_log(harness, "NOQUEUE: abort: TLS from unknown[192.0.2.7]: No client "
                                "certificate presented");
    submit(harness, certificates->good);
}

/* Relaying is for those whose fingerprints are known; the first session says what they are. */
static struct span find_fingerprint(struct harness *harness)
{
    const struct span mark = SPAN("fingerprint=");
    const struct span log = buffer_span(&harness->log.batch);
    const struct span found = span_after(log, span_find(log, mark) + mark.length);
    return arena_copy(&harness->arena, span_first(found, span_find_byte(found, ',')));
}

static void relay(struct harness *harness, SSL_CTX *context, const char *expected)
{
    struct harness_client client;
    harness_connect(harness, &client, "192.0.2.7");
    harness_expect(&client, "greeting", "220 ");
    if (context)
        harness_start_tls(&client, context);
    harness_send(&client, SPAN("EHLO client.example\r\n"));
    harness_expect(&client, "EHLO", "250-");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@there.test>\r\n"));
    harness_expect(&client, "MAIL", "250 ");
    harness_expect(&client, expected, expected);
    harness_quit(&client);
    harness_wait_for_end(harness);
}

struct relay_case {
    struct client_certificates *certificates;
    const char *plain, *good, *unknown; /* what the three hear at RCPT */
};

static void check_relay(struct harness *harness, void *argument)
{
    const struct relay_case *expected = argument;
    relay(harness, NULL, expected->plain);
    relay(harness, expected->certificates->good, expected->good);
    relay(harness, expected->certificates->unknown, expected->unknown);
}

/* What a proxy's certificate permits is not for the clients that it speaks for. */
static void check_proxy_certificate(struct harness *harness, void *argument)
{
    const struct client_certificates *certificates = argument;
    struct harness_client client;
    harness_connect(harness, &client, "192.0.2.7");
    harness_expect(&client, "greeting", "220 ");
    harness_start_tls(&client, certificates->good);
    harness_send(&client, SPAN("XCLIENT ADDR=198.51.100.9 NAME=[UNAVAILABLE]\r\n"));
    harness_expect(&client, "XCLIENT", "220 ");
    harness_send(&client, SPAN("EHLO client.example\r\n"));
    harness_expect(&client, "EHLO", "250-");
    harness_send(&client, SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@there.test>\r\n"));
    harness_expect(&client, "MAIL", "250 ");
    harness_expect(&client, "RCPT", "454 4.7.1 <b@there.test>: Relay access denied");
    harness_quit(&client);
    harness_wait_for_end(harness);
}

static void learn_fingerprint(struct harness *harness, void *argument)
{
    const struct client_certificates *certificates = argument;
    relay(harness, certificates->unknown, "554 5.7.1 ");
    const struct span fingerprint = find_fingerprint(harness);
    assert_int_equal(fingerprint.length, 32 * 3 - 1);
    (void)snprintf(fingerprint_text, sizeof(fingerprint_text), "%.*s", SPAN_PRINTF(fingerprint));
}

static void test_restrictions(void **state)
{
    struct client_certificates certificates;
    char settings[1024];
    const char *denied = "454 4.7.1 <b@there.test>: Relay access denied";
    (void)state;
    make_certificates(&certificates);
    const char *common = MAY "smtpd_tls_ask_ccert = yes\nsmtpd_tls_loglevel = 2\n"
                             "smtpd_tls_CAfile = ";
    (void)snprintf(settings, sizeof(settings), "%s%s\n", common, certificates.file);
    harness_run(settings, learn_fingerprint, &certificates);

    struct relay_case listed = {&certificates, denied, denied, "250 2.1.5 "};
    (void)snprintf(settings, sizeof(settings),
                   "%s%s\nrelay_clientcerts = inline:{{%s = it is known}}\n"
                   "smtpd_relay_restrictions = permit_tls_clientcerts, defer_unauth_destination\n",
                   common, certificates.file, fingerprint_text);
    harness_run(settings, check_relay, &listed);

    struct relay_case trusted = {&certificates, denied, "250 2.1.5 ", denied};
    (void)snprintf(settings, sizeof(settings),
                   "%s%s\nsmtpd_relay_restrictions = permit_tls_all_clientcerts, "
                   "defer_unauth_destination\n",
                   common, certificates.file);
    harness_run(settings, check_relay, &trusted);

    (void)snprintf(settings, sizeof(settings),
                   "%s%s\nsmtpd_authorized_xclient_hosts = 192.0.2.7\n"
                   "smtpd_relay_restrictions = permit_tls_all_clientcerts, "
                   "defer_unauth_destination\n",
                   common, certificates.file);
    harness_run(settings, check_proxy_certificate, &certificates);

    struct relay_case refused = {
        &certificates, "250 2.1.5 ", "250 2.1.5 ",
        "554 5.7.1 <unknown[192.0.2.7]>: Client certificate rejected: go away"};
    (void)snprintf(settings, sizeof(settings),
                   "%s%s\nmynetworks = 192.0.2.0/24\nsmtpd_client_restrictions = "
                   "check_ccert_access inline:{{%s = REJECT go away}}\n",
                   common, certificates.file, fingerprint_text);
    harness_run(settings, check_relay, &refused);
    forget_certificates(&certificates);
}

static void test_certificates(void **state)
{
    struct client_certificates certificates;
    char settings[256];
    (void)state;
    make_certificates(&certificates);
    (void)snprintf(settings, sizeof(settings),
                   MAY "smtpd_tls_loglevel = 2\nsmtpd_tls_received_header = yes\n"
                       "smtpd_tls_ask_ccert = yes\nsmtpd_tls_CAfile = %s\n",
                   certificates.file);
    harness_run(settings, check_asked, &certificates);
    (void)snprintf(settings, sizeof(settings),
                   ENCRYPT "smtpd_tls_req_ccert = yes\nsmtpd_tls_CAfile = %s\n", certificates.file);
    harness_run(settings, check_required, &certificates);
    forget_certificates(&certificates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starttls),     cmocka_unit_test(test_old_version),
        cmocka_unit_test(test_amnesia),      cmocka_unit_test(test_injection),
        cmocka_unit_test(test_encrypt),      cmocka_unit_test(test_no_tls),
        cmocka_unit_test(test_failures),     cmocka_unit_test(test_wrapper),
        cmocka_unit_test(test_certificates), cmocka_unit_test(test_restrictions),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
