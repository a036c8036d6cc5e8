/* tests/smtp/reuse - a connection that is kept serves the next message only if it is what that
 * message wishes for, by what domains and tables say then. */

#include "certificates.h"
#include "conversation.h"

static struct world world;

#define POLICY(mode, host) "version: STSv1\nmode: " mode "\nmx: " host "\nmax_age: 86400\n"
#define MESSAGE MAIL_OK RCPT_OK("a@d.test") DATA_OK
#define PLAIN HELLO_PLAIN MESSAGE
#define START                                                                                      \
    "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250 STARTTLS\nC STARTTLS\nS 220 2.0.0 "       \
    "Ready\n"
#define TLS(word) START "T " word "\nC EHLO client.test\nS 250-h0\nS 250 8BITMIME\n" MESSAGE
#define BAD(word) START "T " word "\nC QUIT\nS 221 bye\n"
#define NOT_VERIFIED "4.7.5 Server certificate not verified"

enum { ANYTHING = 1, OTHER_KEY, DELIVERIES = 2 };

/* What there is to know at a delivery. */
struct state {
    const char *policies, *sts, *mx;
    int tlsa; /* none, or one of those above */
};

static const struct reuse_row {
    const char *name, *settings, *script;
    struct state states[DELIVERIES];
    bool is_used_again;
    const char *failure; /* of the second; NULL: delivered */
} rows[] = {
    {"nothing to know", "smtp_tls_security_level = may", PLAIN MESSAGE, {{0}, {0}}, true, NULL},
    {"the same records",
     "smtp_tls_security_level = dane",
     TLS("h0.test") MESSAGE,
     {{.tlsa = ANYTHING}, {.tlsa = ANYTHING}},
     true,
     NULL},
    {"other records",
     "smtp_tls_security_level = dane",
     TLS("h0.test") "=\n" BAD("h0.test"),
     {{.tlsa = ANYTHING}, {.tlsa = OTHER_KEY}},
     false,
     NOT_VERIFIED},
    {"records that were not there",
     "smtp_tls_security_level = dane",
     PLAIN "=\n" TLS("h0.test"),
     {{0}, {.tlsa = ANYTHING}},
     false,
     NULL},
    {"the same policy",
     "smtp_tls_security_level = may\nsmtp_tls_mta_sts = yes",
     TLS("h0.test") MESSAGE,
     {{.sts = POLICY("enforce", "h0.test")}, {.sts = POLICY("enforce", "h0.test")}},
     true,
     NULL},
    {"a policy that was not there",
     "smtp_tls_security_level = may\nsmtp_tls_mta_sts = yes",
     TLS("self") "=\n" BAD("self"),
     {{0}, {.sts = POLICY("enforce", "h0.test")}},
     false,
     NOT_VERIFIED},
    {"a policy that names another host",
     "smtp_tls_security_level = may\nsmtp_tls_mta_sts = yes",
     TLS("h0.test"),
     {{.sts = POLICY("enforce", "h0.test")}, {.sts = POLICY("enforce", "h1.test")}},
     false,
     "4.7.5 MTA-STS policy of d.test does not name host h0.test"},
    {"another host is as good",
     "smtp_tls_security_level = may\nsmtp_tls_mta_sts = yes\nsmtp_randomize_addresses = no",
     TLS("h0.test") MESSAGE,
     {{.sts = POLICY("enforce", "*.test")},
      {.sts = POLICY("enforce", "*.test"), .mx = "10 h1.test 20 h0.test"}},
     true,
     NULL},
    {"an entry that was not there",
     "smtp_tls_security_level = may\nsmtp_tls_policy_maps = static:x",
     TLS("self") "=\n" BAD("self"),
     {{0}, {.policies = "d.test secure match=h0.test"}},
     false,
     NOT_VERIFIED},
    {"a site that is another",
     "smtp_tls_security_level = may\nsmtp_tls_per_site = static:x",
     TLS("self") "=\n" BAD("self"),
     {{0}, {.policies = "h0.test MUST"}},
     false,
     NOT_VERIFIED},
};

static void set_state(const struct state *state)
{
    world.policies = state->policies;
    world.sts = state->sts;
    world.mx = state->mx ? state->mx : "10 h0.test";
    world.is_mx_secure = world.is_host_secure = world.is_tlsa_secure = state->tlsa != 0;
    world.tlsa_length[0] =
        state->tlsa ? certificates_tlsa(3, 1, 1, world.tlsa[0], sizeof(world.tlsa[0])) : 0;
    if (state->tlsa == OTHER_KEY)
        world.tlsa[0][10] ^= 1;
}

static void check(const struct reuse_row *row, const char *failure)
{
    char status[32] = "";
    const struct outcome *outcome = &world.results[0].outcome;
    assert_int_equal(world.result_count, 1);
    (void)snprintf(status, sizeof(status), "%u.%u.%u", (unsigned)outcome->status.class,
                   (unsigned)outcome->status.subject, (unsigned)outcome->status.detail);
    const struct span reason = failure ? span_from_string(strchr(failure, ' ') + 1) : SPAN("250");
    if (outcome->kind != (failure ? OUTCOME_TEMPORARY : OUTCOME_OK) ||
        (failure && strncmp(failure, status, strlen(status)) != 0) ||
        span_find(outcome->reason, reason) == outcome->reason.length)
        fail_msg("%s: %s %.*s", row->name, status, SPAN_PRINTF(outcome->reason));
}

static void run(const struct reuse_row *row)
{
    char settings[800];
    const struct world_order order = {.queue_id = "Q1",
                                      .nexthop = "d.test",
                                      .sender = "s@client.test",
                                      .recipients = "a@d.test",
                                      .content = SPAN(SMALL),
                                      .longest_line = 10};
    (void)snprintf(settings, sizeof(settings),
                   "smtp_tls_CAfile = %s\nsmtp_dns_support_level = dnssec\n"
                   "smtp_connection_cache_time_limit = 1s\n%s\n",
                   certificates_authority(), row->settings);
    assert_true(world_start(&world, settings));
    world.servers[0].script = row->script;
    for (size_t i = 0; i < DELIVERIES; i++) {
        set_state(&row->states[i]);
        world_deliver(&world, &order);
        while (!world.is_over)
            world_run(&world, 10);
        check(row, i == 0 ? NULL : row->failure);
    }
    const bool is_over = world_wait(&world);
    if (!is_over || world.complaint[0])
        fail_msg("%s: %s\n%.*s", row->name, world.complaint,
                 SPAN_PRINTF(buffer_span(&world.smtp.log)));
    if (row->is_used_again != daemon_has_logged(&world.smtp, ", conn_use=2, "))
        fail_msg("%s: used again or not", row->name);
    world_stop(&world);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        run(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, certificates_set_up, certificates_tear_down);
}
