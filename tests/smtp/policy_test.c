/* tests/smtp/policy - who the server must be: each level with right and wrong certificates, by
 * settings and by tables. */

#include "certificates.h"
#include "conversation.h"

static struct world world;

#define START                                                                                      \
    "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250 STARTTLS\nC STARTTLS\nS 220 2.0.0 "       \
    "Ready\n"
#define AGAIN "C EHLO client.test\nS 250-h0\nS 250 8BITMIME\n"
#define MESSAGE MAIL_OK RCPT_OK("a@d.test") DATA_OK
#define GOOD(word)                                                                                 \
    {                                                                                              \
        START "T " word "\n" AGAIN MESSAGE                                                         \
    }
#define BAD(word)                                                                                  \
    {                                                                                              \
        START "T " word "\nC QUIT\nS 221 bye\n"                                                    \
    }
#define DELIVERED                                                                                  \
    {                                                                                              \
        "+ 2.0.0 250 2.0.0 Ok"                                                                     \
    }
#define NOT_VERIFIED                                                                               \
    {                                                                                              \
        "- 4.7.5 Server certificate not verified"                                                  \
    }
#define VERIFIED                                                                                   \
    {                                                                                              \
        "Verified TLS connection established to h0.test[127.0.1.0]:"                               \
    }
#define H0 "10 h0.test", NULL

static void run(const char *lines, const char *policies, const struct row *rows, size_t count)
{
    char settings[1500];
    (void)snprintf(settings, sizeof(settings),
                   "smtp_tls_loglevel = 1\nsmtp_connection_cache_on_demand = no\n"
                   "smtp_tls_CAfile = %s\n%s\n",
                   certificates_authority(), lines);
    assert_true(world_start(&world, settings));
    world.policies = policies;
    conversation_run(&world, rows, count);
    world_stop(&world);
}

static void test_verify(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"the host", H0, GOOD("h0.test"), DELIVERED, VERIFIED, false, NULL},
        {"another host",
         H0,
         BAD("h1.test"),
         NOT_VERIFIED,
         {"server certificate verification failed for h0.test[127.0.1.0]:", "num=62:",
          "Trusted TLS connection established"},
         true,
         NULL},
        {"nobody vouches",
         H0,
         BAD("self"),
         NOT_VERIFIED,
         {"certificate verification failed for h0.test[127.0.1.0]:", ": self-signed certificate",
          "Untrusted TLS connection established"},
         true,
         NULL},
        {"too old",
         H0,
         BAD("expired"),
         NOT_VERIFIED,
         {"server certificate verification failed for h0.test[127.0.1.0]:",
          ": certificate has expired"},
         true,
         NULL},
        {"the next host is the right one",
         "10 h0.test 20 h1.test",
         NULL,
         {START "T h1.test\nC QUIT\nS 221 bye\n", START "T h1.test\n" AGAIN MESSAGE},
         DELIVERED,
         {"Verified TLS connection established to h1.test[127.0.1.1]:"},
         false,
         NULL},
    };
    run("smtp_tls_security_level = verify", NULL, rows, ARRAY_LENGTH(rows));
}

/* The same authority, in a directory. */
static void test_directory(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"the host", H0, GOOD("h0.test"), DELIVERED, VERIFIED, false, NULL},
        {"another host", H0, BAD("h1.test"), NOT_VERIFIED, {NULL}, true, NULL},
    };
    char settings[600];
    (void)snprintf(settings, sizeof(settings),
                   "smtp_tls_loglevel = 1\nsmtp_connection_cache_on_demand = no\n"
                   "smtp_tls_security_level = verify\nsmtp_tls_CApath = %s\n",
                   certificates_directory());
    assert_true(world_start(&world, settings));
    conversation_run(&world, rows, ARRAY_LENGTH(rows));
    world_stop(&world);
}

/* RFC 6066 section 3 */
static void test_server_name(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *policies, *expected;
    } cases[] = {
        {"", NULL, ""},
        {"smtp_tls_servername = hostname\n", NULL, "h0.test"},
        {"smtp_tls_servername = nexthop\n", NULL, "asked.test"},
        {"smtp_tls_servername = other.test\n", NULL, "other.test"},
        {"smtp_tls_policy_maps = inline:{x=none}\n", "asked.test encrypt servername=third.test\n",
         "third.test"},
    };
    static const struct row row = {"asked", H0, GOOD("h0.test"), DELIVERED, {NULL}, false, NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        run(cases[i].setting, cases[i].policies, &row, 1);
        assert_string_equal(certificates_asked_name(), cases[i].expected);
    }
}

static void test_secure(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"domain", H0, GOOD("domain.test"), DELIVERED, VERIFIED, false, NULL},
        {"domain", H0, GOOD("mx.domain.test"), DELIVERED, VERIFIED, false, NULL},
        {"domain", H0, BAD("h0.test"), NOT_VERIFIED, {NULL}, true, NULL},
    };
    run("smtp_tls_security_level = secure", NULL, rows, ARRAY_LENGTH(rows));
}

static void test_fingerprint(void **state)
{
    (void)state;
    static const struct row good[] = {
        {"that certificate", H0, GOOD("h0.test"), DELIVERED, VERIFIED, false, NULL}};
    static const struct row bad[] = {{"another certificate",
                                      H0,
                                      BAD("h1.test"),
                                      NOT_VERIFIED,
                                      {"Trusted TLS connection established to"},
                                      true,
                                      NULL}};
    static const struct row key[] = {
        {"that key", H0, GOOD("self"), DELIVERED, VERIFIED, false, NULL}};
    char lines[500];
    (void)snprintf(lines, sizeof(lines),
                   "smtp_tls_security_level = fingerprint\n"
                   "smtp_tls_fingerprint_cert_match = 00:11 %s",
                   certificates_fingerprint());
    run(lines, NULL, good, ARRAY_LENGTH(good));
    run(lines, NULL, bad, ARRAY_LENGTH(bad));
    (void)snprintf(lines, sizeof(lines),
                   "smtp_tls_security_level = fingerprint\nsmtp_tls_fingerprint_cert_match = %s",
                   certificates_key_fingerprint());
    run(lines, NULL, key, ARRAY_LENGTH(key));
}

static void test_table(void **state)
{
    (void)state;
    static const char policies[] = "secret.test secure match=h0.test\n"
                                   ".family.test encrypt\n"
                                   "xn--bcher-kva.test secure match=h0.test\n"
                                   "[h0.test]:%u verify\n"
                                   "clear.test none\n"
                                   "wrong.test secure mtach=x\n"
                                   "level.test safe\n"
                                   "meaning.test may match=x\n"
                                   "later.test later\n"
                                   "anchored.test secure tafile=%s match=h0.test\n"
                                   "twelve.test encrypt protocols=TLSv1.2 ciphers=high "
                                   "exclude=AES128:CHACHA20\n"
                                   "eleven.test encrypt protocols=TLSv1.1\n"
                                   "strange.test encrypt protocols=TLSv9\n"
                                   "grade.test may ciphers=good\n"
                                   "stray.test secure tafile=/nowhere match=h0.test\n";
    static char text[2000], bracketed[40];
    static const struct row rows[] = {
        {"secret", H0, GOOD("h0.test"), DELIVERED, VERIFIED, false, NULL},
        {"secret", H0, BAD("h1.test"), NOT_VERIFIED, {NULL}, true, NULL},
        {"a child",
         H0,
         {HELLO_PLAIN "C QUIT\nS 221 bye\n"},
         {"- 4.7.4 TLS is required"},
         {NULL},
         true,
         "child.family.test"},
        {"the parent itself is none",
         H0,
         {HELLO_PLAIN MESSAGE},
         DELIVERED,
         {NULL},
         false,
         "family.test"},
        {"as DNS has it", H0, GOOD("h0.test"), DELIVERED, VERIFIED, false,
         "B\xc3\xbc"
         "cher.test"},
        {"as DNS has it, another",
         H0,
         BAD("h1.test"),
         NOT_VERIFIED,
         {NULL},
         true,
         "B\xc3\xbc"
         "cher.test"},
        {"a host and port", H0, GOOD("h0.test"), DELIVERED, VERIFIED, false, bracketed},
        {"clear",
         H0,
         {"S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250 STARTTLS\n" MESSAGE},
         DELIVERED,
         {NULL},
         false,
         NULL},
        {"wrong",
         H0,
         {NULL},
         {"- 4.7.5 client TLS configuration problem"},
         {"warning: TLS policy for wrong.test: unknown attribute \"mtach\""},
         true,
         NULL},
        {"level",
         H0,
         {NULL},
         {"- 4.7.5 client TLS configuration problem"},
         {"warning: TLS policy for level.test: unknown level \"safe\""},
         true,
         NULL},
        {"meaning",
         H0,
         {NULL},
         {"- 4.7.5 client TLS configuration problem"},
         {"attribute \"match\" has no meaning at level \"may\""},
         true,
         NULL},
        {"later", H0, {NULL}, {"- 4.7.5 client TLS configuration problem"}, {NULL}, true, NULL},
        {"anchored", H0, GOOD("h0.test"), DELIVERED, VERIFIED, false, NULL},
        {"anchored", H0, BAD("self"), NOT_VERIFIED, {NULL}, true, NULL},
        {"twelve",
         H0,
         GOOD("h0.test"),
         DELIVERED,
         {": TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)"},
         false,
         NULL},
        {"eleven",
         H0,
         {START "T - h0.test\n"},
         {"- 4.7.5 Cannot start TLS: handshake failure"},
         {NULL},
         true,
         NULL},
        {"strange",
         H0,
         {NULL},
         {"- 4.7.5 client TLS configuration problem"},
         {"TLS policy for strange.test: \"TLSv9\" is no protocol or cipher"},
         true,
         NULL},
        {"grade",
         H0,
         {NULL},
         {"- 4.7.5 client TLS configuration problem"},
         {"TLS policy for grade.test: \"good\" is no protocol or cipher"},
         true,
         NULL},
        {"stray",
         H0,
         {NULL},
         {"- 4.7.5 client TLS configuration problem"},
         {"a file of tafile= is not in tls_policy_trust_anchor_files"},
         true,
         NULL},
    };
    char lines[200];
    (void)snprintf(lines, sizeof(lines),
                   "smtp_tls_policy_maps = inline:{x=none}\n"
                   "smtp_tls_policy_trust_anchor_files = %s",
                   certificates_authority());
    char settings[1500];
    (void)snprintf(settings, sizeof(settings),
                   "smtp_tls_loglevel = 1\nsmtp_connection_cache_on_demand = no\n%s\n", lines);
    assert_true(world_start(&world, settings));
    (void)snprintf(text, sizeof(text), policies, (unsigned)world.port, certificates_authority());
    (void)snprintf(bracketed, sizeof(bracketed), "[h0.test]:%u", (unsigned)world.port);
    world.policies = text;
    /* No authority is trusted by this process: only the anchor. */
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (strcmp(rows[i].name, "secret") != 0 && !rows[i].nexthop)
            conversation_run(&world, &rows[i], 1);
    world_stop(&world);
    (void)snprintf(settings, sizeof(settings),
                   "smtp_tls_loglevel = 1\nsmtp_connection_cache_on_demand = no\n"
                   "smtp_tls_CAfile = %s\n%s\n",
                   certificates_authority(), lines);
    assert_true(world_start(&world, settings));
    (void)snprintf(text, sizeof(text), policies, (unsigned)world.port, certificates_authority());
    (void)snprintf(bracketed, sizeof(bracketed), "[h0.test]:%u", (unsigned)world.port);
    world.policies = text;
    conversation_run(&world, rows, ARRAY_LENGTH(rows));
    world_stop(&world);
}

static void test_before_policies(void **state)
{
    (void)state;
    static const struct row must[] = {
        {"must", H0, GOOD("h0.test"), DELIVERED, VERIFIED, false, NULL},
        {"must", H0, BAD("h1.test"), NOT_VERIFIED, {NULL}, true, NULL},
        {"nobody",
         H0,
         {HELLO_PLAIN "C QUIT\nS 221 bye\n"},
         {"- 4.7.4 TLS is required"},
         {NULL},
         true,
         NULL},
    };
    run("smtp_tls_security_level =\nsmtp_use_tls = yes\nsmtp_tls_per_site = inline:{x=none}",
        "must.test MUST\nnobody.test MUST_NOPEERMATCH\n", must, ARRAY_LENGTH(must));
    static const struct row enforced[] = {
        {"peer", H0, GOOD("h0.test"), DELIVERED, VERIFIED, false, NULL},
        {"peer", H0, BAD("h1.test"), NOT_VERIFIED, {NULL}, true, NULL},
    };
    run("smtp_tls_security_level =\nsmtp_enforce_tls = yes", NULL, enforced,
        ARRAY_LENGTH(enforced));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify),          cmocka_unit_test(test_directory),
        cmocka_unit_test(test_server_name),     cmocka_unit_test(test_secure),
        cmocka_unit_test(test_fingerprint),     cmocka_unit_test(test_table),
        cmocka_unit_test(test_before_policies),
    };
    return cmocka_run_group_tests(tests, certificates_set_up, certificates_tear_down);
}
