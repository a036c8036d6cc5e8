/* tests/smtp/sts - MTA-STS policies (RFC 8461) beside DANE: neither opens a way round the other. */

#include "certificates.h"
#include "conversation.h"

static struct world world;

#define POLICY(mode, host) "version: STSv1\nmode: " mode "\nmx: " host "\nmax_age: 86400\n"
#define START                                                                                      \
    "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250 STARTTLS\nC STARTTLS\nS 220 2.0.0 "       \
    "Ready\n"
#define GOOD(word)                                                                                 \
    START "T " word "\nC EHLO client.test\nS 250-h0\nS 250 8BITMIME\n" MAIL_OK RCPT_OK("a@d.test") \
        DATA_OK
#define BAD(word) START "T " word "\nC QUIT\nS 221 bye\n"
#define PLAIN HELLO_PLAIN MAIL_OK RCPT_OK("a@d.test") DATA_OK
#define DELIVERED "+ 2.0.0 250 2.0.0 Ok"
#define NOT_VERIFIED "- 4.7.5 Server certificate not verified"
#define NOT_NAMED "- 4.7.5 MTA-STS policy of "
#define VERIFIED "Verified TLS connection established to h0.test[127.0.1.0]:"

/* The TLSA records of h0.test. */
enum records { NONE, RIGHT, WRONG, UNUSABLE };

struct case_row {
    const char *policy;
    const char *level; /* and further settings */
    bool is_mx_secure;
    enum records records;
    struct row row;
};

#define ROW(name, script, result, line, fails)                                                     \
    {                                                                                              \
        name, "10 h0.test", NULL, {script}, {result}, {line}, fails, NULL                          \
    }

static const struct case_row rows[] = {
    {NULL, "may", false, NONE, ROW("no policy", PLAIN, DELIVERED, NULL, false)},
    {POLICY("enforce", "h0.test"), "may", false, NONE,
     ROW("named", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {POLICY("enforce", "h0.test"), "may", false, NONE,
     ROW("named, another certificate", BAD("h1.test"), NOT_VERIFIED, NULL, true)},
    {POLICY("enforce", "h0.test"), "may", false, NONE,
     ROW("a common name alone", BAD("cn:h0.test"), NOT_VERIFIED, NULL, true)},
    {NULL, "verify", false, NONE,
     ROW("a common name to the operator", GOOD("cn:h0.test"), DELIVERED, VERIFIED, false)},
    {POLICY("testing", "h0.test"), "may", false, NONE,
     ROW("a common name in a trial", GOOD("cn:h0.test"), DELIVERED,
         "Trusted TLS connection established to h0.test[127.0.1.0]:", false)},
    {POLICY("enforce", "h1.test"), "may", false, NONE,
     ROW("not named", NULL, NOT_NAMED, NULL, true)},
    {POLICY("testing", "h1.test"), "may", false, NONE,
     ROW("not named in a trial", PLAIN, DELIVERED, NULL, false)},
    {POLICY("enforce", "h1.test"), "encrypt", false, NONE,
     ROW("to encrypt is less", NULL, NOT_NAMED, NULL, true)},
    {POLICY("enforce", "h0.test"), "encrypt", false, NONE,
     ROW("to encrypt is less than to know", BAD("self"), NOT_VERIFIED, NULL, true)},
    {POLICY("testing", "h0.test"), "encrypt", false, NONE,
     ROW("to encrypt is more than a trial", HELLO_PLAIN "C QUIT\nS 221 bye\n",
         "- 4.7.4 TLS is required, but was not offered", NULL, true)},
    /* Whoever forges MX records may have a zone that is signed. */
    {POLICY("enforce", "h1.test"), "dane", false, RIGHT, ROW("half", NULL, NOT_NAMED, NULL, true)},
    {POLICY("enforce", "h1.test"), "dane\nsmtp_tls_dane_insecure_mx_policy = encrypt", false, RIGHT,
     ROW("half, to encrypt", NULL, NOT_NAMED, NULL, true)},
    {POLICY("enforce", "h0.test"), "dane", false, RIGHT,
     ROW("half and named", GOOD("h0.test"), DELIVERED, NULL, false)},
    {POLICY("enforce", "h0.test"), "dane", false, WRONG,
     ROW("half, named and wrong", BAD("h0.test"), NOT_VERIFIED, NULL, true)},
    {POLICY("testing", "h1.test"), "dane", false, RIGHT,
     ROW("half in a trial", GOOD("h0.test"), DELIVERED, NULL, false)},
    {POLICY("testing", "h1.test"), "dane", false, WRONG,
     ROW("half in a trial, and wrong", BAD("h0.test"), NOT_VERIFIED, NULL, true)},
    /* DANE knows of TLS, and not who it is. */
    {POLICY("enforce", "h0.test"), "dane", true, UNUSABLE,
     ROW("unusable", BAD("self"), NOT_VERIFIED, NULL, true)},
    {POLICY("enforce", "h0.test"), "dane", true, UNUSABLE,
     ROW("unusable and proven", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {NULL, "dane", true, UNUSABLE, ROW("unusable alone", GOOD("self"), DELIVERED, NULL, false)},
    /* DANE says all (section 2). */
    {POLICY("enforce", "h1.test"), "dane", true, RIGHT,
     ROW("whole", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
};

static void put_record(enum records records)
{
    world.tlsa_length[0] = records == NONE
                               ? 0
                               : certificates_tlsa(records == UNUSABLE ? 1 : 3, 1, 1, world.tlsa[0],
                                                   sizeof(world.tlsa[0]));
    if (records == WRONG)
        world.tlsa[0][10] ^= 1;
}

static void test_rows(void **state)
{
    char settings[600];
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct case_row *row = &rows[i];
        (void)snprintf(settings, sizeof(settings),
                       "smtp_tls_mta_sts = yes\nsmtp_tls_loglevel = 1\nsmtp_tls_CAfile = %s\n"
                       "smtp_dns_support_level = dnssec\nsmtp_tls_security_level = %s\n",
                       certificates_authority(), row->level);
        assert_true(world_start(&world, settings));
        world.sts = row->policy;
        world.is_mx_secure = row->is_mx_secure;
        world.is_host_secure = world.is_tlsa_secure = true;
        put_record(row->records);
        conversation_run(&world, &row->row, 1);
        world_stop(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, certificates_set_up, certificates_tear_down);
}
