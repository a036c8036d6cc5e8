/* tests/smtp/sts - MTA-STS policies (RFC 8461): what they ask for, and what comes before them. */
#include <signal.h>

#include "certificates.h"
#include "conversation.h"

static struct world world;
static const char *authority_file;

#define PLAIN HELLO_PLAIN MAIL_OK RCPT_OK("a@d.test") DATA_OK
#define START                                                                                      \
    "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250 STARTTLS\nC STARTTLS\nS 220 2.0.0 "       \
    "Ready\n"
#define GOOD(word)                                                                                 \
    START "T " word "\nC EHLO client.test\nS 250-h0\nS 250 8BITMIME\n" MAIL_OK RCPT_OK("a@d.test") \
        DATA_OK
#define BAD(word) START "T " word "\nC QUIT\nS 221 bye\n"
#define POLICY(mode, host) "version: STSv1\nmode: " mode "\nmx: " host "\nmax_age: 86400\n"
#define ROW(name, script, result, line, fails)                                                     \
    {                                                                                              \
        name, "10 h0.test", NULL, {script}, {result}, {line}, fails, NULL                          \
    }
#define DELIVERED "+ 2.0.0 250 2.0.0 Ok"
#define NOT_VERIFIED "- 4.7.5 Server certificate not verified"
#define VERIFIED "Verified TLS connection established to h0.test[127.0.1.0]:"

static const struct {
    const char *policy;
    bool has_dane; /* the host's zone is signed and has a record for its key; its domain's is not */
    const char *settings;
    struct row row;
} rows[] = {
    {NULL, false, "", ROW("no policy", PLAIN, DELIVERED, NULL, false)},
    {POLICY("enforce", "h0.test"), false, "",
     ROW("enforced", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {POLICY("enforce", "*.test"), false, "",
     ROW("a pattern", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {POLICY("enforce", "h0.test"), false, "",
     ROW("another certificate", BAD("h1.test"), NOT_VERIFIED, NULL, true)},
    {POLICY("enforce", "h0.test"), false, "",
     ROW("nobody vouches", BAD("self"), NOT_VERIFIED, NULL, true)},
    {POLICY("enforce", "h0.test"), false, "",
     ROW("no TLS", HELLO_PLAIN "C QUIT\nS 221 bye\n", "- 4.7.4 TLS is required", NULL, true)},
    {POLICY("enforce", "h9.test"), false, "",
     ROW("another host", NULL,
         "- 4.7.5 MTA-STS policy of another-host.test does not name host "
         "h0.test",
         NULL, true)},
    {POLICY("testing", "h9.test"), false, "", ROW("tested", GOOD("self"), DELIVERED, NULL, false)},
    {POLICY("testing", "h0.test"), false, "",
     ROW("tested and no TLS", PLAIN, DELIVERED, NULL, false)},
    {POLICY("none", "h0.test"), false, "", ROW("given up", PLAIN, DELIVERED, NULL, false)},
    {POLICY("enforce", "h9.test"), false, "smtp_tls_mta_sts = no\n",
     ROW("not followed", PLAIN, DELIVERED, NULL, false)},
    {POLICY("enforce", "h9.test"), false, "smtp_tls_security_level = encrypt\n",
     ROW("the operator has decided", GOOD("self"), DELIVERED, NULL, false)},
    {POLICY("enforce", "h9.test"), false, "smtp_tls_security_level = none\n",
     ROW("no TLS at all", PLAIN, DELIVERED, NULL, false)},
    /* RFC 8461 section 2: DANE comes first, as far as it goes. */
    {NULL, true, "smtp_tls_security_level = dane\n",
     ROW("half of DANE", GOOD("self"), DELIVERED,
         "Trusted TLS connection established to h0.test[127.0.1.0]:", false)},
    {POLICY("enforce", "h0.test"), true, "smtp_tls_security_level = dane\n",
     ROW("more than half of DANE", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {POLICY("enforce", "h0.test"), true, "smtp_tls_security_level = dane\n",
     ROW("the key alone is not enough", BAD("self"), NOT_VERIFIED, NULL, true)},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char settings[600];
        (void)snprintf(settings, sizeof(settings),
                       "smtp_tls_CAfile = %s\nsmtp_tls_loglevel = 1\n"
                       "smtp_connection_cache_on_demand = no\nsmtp_dns_support_level = dnssec\n%s",
                       authority_file, rows[i].settings);
        assert_true(world_start(&world, settings));
        world.sts = rows[i].policy;
        if (rows[i].has_dane) {
            world.is_host_secure = world.is_tlsa_secure = true;
            world.tlsa_length[0] = certificates_tlsa(3, 1, 1, world.tlsa[0], sizeof(world.tlsa[0]));
        }
        conversation_run(&world, &rows[i].row, 1);
        world_stop(&world);
    }
}

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    authority_file = certificates_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    certificates_destroy();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
