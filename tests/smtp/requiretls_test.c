/* tests/smtp/requiretls - messages that require TLS, and those that would rather do without
 * (RFC 8689). */

#include "certificates.h"
#include "conversation.h"

static struct world world;

#define START                                                                                      \
    "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250 STARTTLS\nC STARTTLS\nS 220 2.0.0 "       \
    "Ready\n"
#define AGAIN "C EHLO client.test\nS 250-h0\nS 250 REQUIRETLS\n"
#define AGAIN_WITHOUT "C EHLO client.test\nS 250-h0\nS 250 8BITMIME\n"
#define REQUIRED_MESSAGE                                                                           \
    "C MAIL FROM:<s@client.test> REQUIRETLS\nS 250 2.1.0 Ok\n" RCPT_OK("a@d.test") DATA_OK
#define MESSAGE MAIL_OK RCPT_OK("a@d.test") DATA_OK
#define QUIT "C QUIT\nS 221 bye\n"

struct case_row {
    const char *name;
    uint32_t flags;
    bool is_mx_secure;
    const char *nexthop;  /* NULL: one with MX records */
    const char *sender;   /* NULL: usual */
    const char *settings; /* beyond the usual */
    const char *mx;       /* NULL: h0 alone */
    const char *scripts[2];
    enum outcome_kind kind;
    const char *text; /* in the status and reason, "5.7.30 ..." */
};

static const struct case_row rows[] = {
    {"required and had",
     QUEUE_FLAG_REQUIRETLS,
     true,
     NULL,
     NULL,
     "",
     NULL,
     {START "T h0.test\n" AGAIN REQUIRED_MESSAGE},
     OUTCOME_OK,
     "2.0.0 250 2.0.0 Ok"},
    {"a host by name",
     QUEUE_FLAG_REQUIRETLS,
     false,
     "[h0.test]",
     NULL,
     "",
     NULL,
     {START "T h0.test\n" AGAIN REQUIRED_MESSAGE},
     OUTCOME_OK,
     "2.0.0 250 2.0.0 Ok"},
    {"nobody vouches for the host",
     QUEUE_FLAG_REQUIRETLS,
     false,
     NULL,
     NULL,
     "",
     NULL,
     {NULL},
     OUTCOME_PERMANENT,
     "5.7.10 TLS is required, but neither DNSSEC nor MTA-STS says that h0.test"},
    {"another certificate",
     QUEUE_FLAG_REQUIRETLS,
     true,
     NULL,
     NULL,
     "",
     NULL,
     {START "T h1.test\n" QUIT},
     OUTCOME_PERMANENT,
     "5.7.10 Server certificate not verified"},
    {"no TLS",
     QUEUE_FLAG_REQUIRETLS,
     true,
     NULL,
     NULL,
     "",
     NULL,
     {HELLO_PLAIN QUIT},
     OUTCOME_PERMANENT,
     "5.7.10 TLS is required, but was not offered by host h0.test"},
    {"no promise",
     QUEUE_FLAG_REQUIRETLS,
     true,
     NULL,
     NULL,
     "",
     NULL,
     {START "T h0.test\n" AGAIN_WITHOUT QUIT},
     OUTCOME_PERMANENT,
     "5.7.30 REQUIRETLS is required, but was not offered by host h0.test"},
    {"the next host promises",
     QUEUE_FLAG_REQUIRETLS,
     true,
     NULL,
     NULL,
     "",
     "10 h0.test 20 h1.test",
     {START "T h0.test\n" AGAIN_WITHOUT QUIT, START "T h1.test\n" AGAIN REQUIRED_MESSAGE},
     OUTCOME_OK,
     "2.0.0 250 2.0.0 Ok"},
    {"the operator has said whom to trust",
     QUEUE_FLAG_REQUIRETLS,
     false,
     NULL,
     NULL,
     "smtp_tls_security_level = verify\n",
     NULL,
     {START "T h0.test\n" AGAIN REQUIRED_MESSAGE},
     OUTCOME_OK,
     "2.0.0 250 2.0.0 Ok"},
    {"a handshake may succeed another time",
     QUEUE_FLAG_REQUIRETLS,
     true,
     NULL,
     NULL,
     "",
     NULL,
     {START "T - nothing\n"},
     OUTCOME_TEMPORARY,
     "4.7.5 Cannot start TLS: handshake failure"},
    {"the host that promises is out of order, the next does not promise",
     QUEUE_FLAG_REQUIRETLS,
     true,
     NULL,
     NULL,
     "",
     "10 h0.test 20 h1.test",
     {START "T - nothing\n", START "T h1.test\n" AGAIN_WITHOUT QUIT},
     OUTCOME_TEMPORARY,
     "4.7.30 REQUIRETLS is required, but was not offered by host h1.test"},
    {"the host that may promise is away, the next has no TLS",
     QUEUE_FLAG_REQUIRETLS,
     true,
     NULL,
     NULL,
     "",
     "10 h3.test 20 h0.test",
     {HELLO_PLAIN QUIT},
     OUTCOME_TEMPORARY,
     "4.7.10 TLS is required, but was not offered by host h0.test"},
    {"a report goes on without",
     QUEUE_FLAG_REQUIRETLS,
     false,
     NULL,
     "",
     "",
     NULL,
     {HELLO_PLAIN "C MAIL FROM:<>\nS 250 2.1.0 Ok\n" RCPT_OK("a@d.test") DATA_OK},
     OUTCOME_OK,
     "2.0.0 250 2.0.0 Ok"},
    {"optional, and DANE does not count",
     QUEUE_FLAG_TLS_OPTIONAL,
     true,
     NULL,
     NULL,
     "smtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n",
     NULL,
     {START "T self\n" AGAIN MESSAGE},
     OUTCOME_OK,
     "2.0.0 250 2.0.0 Ok"},
    {"optional, and no handshake",
     QUEUE_FLAG_TLS_OPTIONAL,
     true,
     NULL,
     NULL,
     "",
     NULL,
     {START "T - nothing\n=\n" HELLO_PLAIN MESSAGE},
     OUTCOME_OK,
     "2.0.0 250 2.0.0 Ok"},
    {"optional, and a password is not for everybody to hear",
     QUEUE_FLAG_TLS_OPTIONAL,
     true,
     NULL,
     NULL,
     "smtp_sasl_auth_enable = yes\n",
     NULL,
     {START "T - nothing\n"},
     OUTCOME_TEMPORARY,
     "4.7.5 Cannot start TLS: handshake failure"},
    {"optional, and the operator insists",
     QUEUE_FLAG_TLS_OPTIONAL,
     true,
     NULL,
     NULL,
     "smtp_tls_security_level = encrypt\n",
     NULL,
     {HELLO_PLAIN QUIT},
     OUTCOME_TEMPORARY,
     "4.7.4 TLS is required, but was not offered"},
};

static void run_row(const struct case_row *row)
{
    char settings[600], text[400];
    (void)snprintf(settings, sizeof(settings),
                   "smtp_tls_CAfile = %s\nsmtp_connection_cache_on_demand = no\n%s",
                   certificates_authority(), row->settings);
    assert_true(world_start(&world, settings));
    world.mx = row->mx ? row->mx : "10 h0.test";
    world.is_mx_secure = row->is_mx_secure;
    world.is_host_secure = world.is_tlsa_secure = true;
    /* Another key than the one that is shown. */
    world.tlsa_length[0] = certificates_tlsa(3, 1, 1, world.tlsa[0], sizeof(world.tlsa[0]));
    world.tlsa[0][10] ^= 1;
    for (size_t i = 0; i < ARRAY_LENGTH(row->scripts); i++)
        world.servers[i].script = row->scripts[i];
    const struct world_order order = {.queue_id = "Q1",
                                      .nexthop = row->nexthop ? row->nexthop : "d.test",
                                      .sender = row->sender ? row->sender : "s@client.test",
                                      .recipients = "a@d.test",
                                      .content = SPAN(SMALL),
                                      .longest_line = 10,
                                      .flags = row->flags};
    world_deliver(&world, &order);
    if (!world_wait(&world) || world.complaint[0] || world.result_count != 1)
        fail_msg("%s: %zu results, %s", row->name, world.result_count, world.complaint);
    const struct outcome *outcome = &world.results[0].outcome;
    (void)snprintf(text, sizeof(text), "%u.%u.%u %.*s", (unsigned)outcome->status.class,
                   (unsigned)outcome->status.subject, (unsigned)outcome->status.detail,
                   SPAN_PRINTF(outcome->reason));
    if (outcome->kind != row->kind || strncmp(text, row->text, strlen(row->text)) != 0)
        fail_msg("%s: got %d %s", row->name, (int)outcome->kind, text);
    world_stop(&world);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        run_row(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, certificates_set_up, certificates_tear_down);
}
