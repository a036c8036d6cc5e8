/* tests/smtp/tls - connections under TLS: what is offered and what is asked for, by the level; who
 * was reached; and what comes of a handshake that fails. */

#include "certificates.h"
#include "conversation.h"

static struct world world;
static char settings[1024];

#define OFFER "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250 STARTTLS\n"
#define START "C STARTTLS\nS 220 2.0.0 Ready\n"
#define AGAIN "C EHLO client.test\nS 250-h0\nS 250 8BITMIME\n"
#define MESSAGE MAIL_OK RCPT_OK("a@d.test") DATA_OK
#define QUIT "C QUIT\nS 221 bye\n"

static void run(const char *lines, const struct row *rows, size_t count)
{
    (void)snprintf(settings, sizeof(settings),
                   "smtp_tls_loglevel = 1\nsmtp_connection_cache_on_demand = no\n%s\n", lines);
    assert_true(world_start(&world, settings));
    conversation_run(&world, rows, count);
    world_stop(&world);
}

static void test_may(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"offered and taken",
         "10 h0.test",
         NULL,
         {OFFER START "T h0.test\n" AGAIN MESSAGE},
         {"+ 2.0.0 250 2.0.0 Ok"},
         {"Untrusted TLS connection established to h0.test[127.0.1.0]:", ": TLSv1.3 with cipher ",
          " key-exchange X25519 server-signature ECDSA (P-256) server-digest SHA256"},
         false,
         NULL},
        {"not offered",
         "10 h0.test",
         NULL,
         {HELLO_PLAIN MESSAGE},
         {"+ 2.0.0 250"},
         {NULL},
         false,
         NULL},
        {"offered and refused",
         "10 h0.test",
         NULL,
         {OFFER "C STARTTLS\nS 454 4.7.0 TLS not available\n" MESSAGE},
         {"+ 2.0.0 250"},
         {NULL},
         false,
         NULL},
        {"what came in clear does not count",
         "10 h0.test",
         NULL,
         {"S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250-CHUNKING\nS 250 STARTTLS\n" START
          "T h0.test\n" AGAIN MESSAGE},
         {"+ 2.0.0 250"},
         {NULL},
         false,
         NULL},
        {"the handshake fails and the next host does not",
         "10 h0.test 20 h1.test",
         NULL,
         {OFFER START "T - nothing\n", HELLO_PLAIN MESSAGE},
         {"+ 2.0.0 250"},
         {"SSL_connect error to h0.test[127.0.1.0]:", "warning: TLS library problem: "},
         false,
         NULL},
        {"no handshake and no other host: not at once in clear",
         "10 h0.test",
         NULL,
         {OFFER START "X\n"},
         {"- 4.7.5 Cannot start TLS: handshake failure"},
         {"SSL_connect error to h0.test[127.0.1.0]:"},
         true,
         NULL},
    };
    run("", rows, ARRAY_LENGTH(rows));
}

static void test_fall_back(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"the handshake fails and clear text does not",
         "10 h0.test",
         NULL,
         {OFFER START "T - nothing\n=\n" OFFER MESSAGE},
         {"+ 2.0.0 250"},
         {"Cannot start TLS: handshake failure"},
         false,
         NULL},
        {"the session dies with the first word",
         "10 h0.test",
         NULL,
         {OFFER START "T h0.test\nC EHLO\nX\n=\n" OFFER MESSAGE},
         {"+ 2.0.0 250"},
         {"lost connection with h0.test[127.0.1.0] while performing the EHLO handshake"},
         false,
         NULL},
        {"the session dies within the message",
         "10 h0.test",
         NULL,
         {OFFER START "T h0.test\n" AGAIN MAIL_OK "C RCPT\nX\n=\n" OFFER MESSAGE},
         {"+ 2.0.0 250"},
         {"lost connection with h0.test[127.0.1.0] while sending RCPT TO"},
         false,
         NULL},
    };
    static const struct row with_password[] = {
        {"who has a password stays with TLS",
         "10 h0.test",
         NULL,
         {OFFER START "T - nothing\n"},
         {"- 4.7.5 Cannot start TLS: handshake failure"},
         {NULL},
         true,
         NULL},
    };
    run("minimal_backoff_time = 1s\nsmtp_sasl_auth_enable = yes\n", with_password,
        ARRAY_LENGTH(with_password));
    run("minimal_backoff_time = 1s", rows, ARRAY_LENGTH(rows));
}

static void test_none(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"offered in vain",
         "10 h0.test",
         NULL,
         {OFFER MESSAGE},
         {"+ 2.0.0 250"},
         {"Host offered STARTTLS: [h0.test]"},
         false,
         NULL},
    };
    run("smtp_tls_security_level = none\nsmtp_tls_note_starttls_offer = yes", rows,
        ARRAY_LENGTH(rows));
}

static void test_encrypt(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"taken",
         "10 h0.test",
         NULL,
         {OFFER START "T h0.test\n" AGAIN MESSAGE},
         {"+ 2.0.0 250 2.0.0 Ok"},
         {"Trusted TLS connection established to"},
         false,
         NULL},
        {"any certificate will do",
         "10 h0.test",
         NULL,
         {OFFER START "T self\n" AGAIN MESSAGE},
         {"+ 2.0.0 250 2.0.0 Ok"},
         {"Untrusted TLS connection established to"},
         false,
         NULL},
        {"not offered",
         "10 h0.test",
         NULL,
         {HELLO_PLAIN QUIT},
         {"- 4.7.4 TLS is required, but was not offered by host h0.test[127.0.1.0]"},
         {NULL},
         true,
         NULL},
        {"offered and refused",
         "10 h0.test",
         NULL,
         {OFFER "C STARTTLS\nS 454 4.7.0 not now\n" QUIT},
         {"- 4.7.4 TLS is required, but host h0.test[127.0.1.0] refused to start TLS: 454 4.7.0 "
          "not now"},
         {NULL},
         true,
         NULL},
        {"no handshake",
         "10 h0.test",
         NULL,
         {OFFER START "T - nothing\n"},
         {"- 4.7.5 Cannot start TLS: handshake failure"},
         {NULL},
         true,
         NULL},
    };
    char lines[400];
    (void)snprintf(lines, sizeof(lines),
                   "smtp_tls_security_level = encrypt\nminimal_backoff_time = 1s\n"
                   "smtp_tls_CAfile = %s",
                   certificates_authority());
    run(lines, rows, ARRAY_LENGTH(rows));
}

static void test_wrapped(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"from the first byte",
         "10 h0.test",
         NULL,
         {"T h0.test\n" HELLO MESSAGE},
         {"+ 2.0.0 250 2.0.0 Ok"},
         {"TLS connection established to"},
         false,
         NULL},
    };
    static const struct row refused[] = {
        {"not with a level below",
         "10 h0.test",
         NULL,
         {NULL},
         {"- 4.7.5 client TLS configuration problem"},
         {"smtp_tls_wrappermode requires \"smtp_tls_security_level = encrypt\" (or stronger)"},
         true,
         NULL},
    };
    run("smtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt", rows, ARRAY_LENGTH(rows));
    run("smtp_tls_wrappermode = yes", refused, ARRAY_LENGTH(refused));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_may),     cmocka_unit_test(test_fall_back),
        cmocka_unit_test(test_none),    cmocka_unit_test(test_encrypt),
        cmocka_unit_test(test_wrapped),
    };
    return cmocka_run_group_tests(tests, certificates_set_up, certificates_tear_down);
}
