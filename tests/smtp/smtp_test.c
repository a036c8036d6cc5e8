/* tests/smtp/smtp - the daemon in its sandbox, among scripted servers: what it says, what it makes
 * of every answer at every stage, what it logs and reports. */
#include "../test.h"

#include <stdlib.h>

#include "world.h"

static struct world world;

#define SMALL "Subject: x\r\n\r\nbody\r\n"
#define HELLO "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250-PIPELINING\nS 250 8BITMIME\n"
#define HELLO_PLAIN "S 220 h0\nC EHLO client.test\nS 250 h0\n"
#define MAIL_OK "C MAIL FROM:<s@client.test>\nS 250 2.1.0 Ok\n"
#define RCPT_OK(who) "C RCPT TO:<" who ">\nS 250 2.1.5 Ok\n"
#define DATA_OK "C DATA\nS 354 go\nD\nS 250 2.0.0 Ok: queued as 1\n"

struct row {
    const char *name;
    const char *mx;
    const char *recipients; /* NULL: a@d.test */
    const char *scripts[WORLD_SERVERS];
    /* For each recipient, in order of index: "kind class.subject.detail text", the text being in
     * the reason; kind + - !. */
    const char *results[4];
    const char *log[3]; /* lines hold these */
    bool has_site_failure;
    const char *settings_group; /* NULL: the usual */
};

static const struct row rows[] = {
    {"delivered",
     "10 h0.test",
     NULL,
     {HELLO MAIL_OK RCPT_OK("a@d.test") DATA_OK},
     {"+ 2.0.0 250 2.0.0 Ok: queued as 1"},
     {"QDELIVERED: to=<a@d.test>, relay=h0.test[127.0.1.0]:", "delay=2",
      "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 1)"},
     false,
     NULL},
    {"without pipelining",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN MAIL_OK RCPT_OK("a@d.test") DATA_OK},
     {"+ 2.0.0 250 2.0.0 Ok"},
     {"status=sent"},
     false,
     NULL},
    {"replies byte by byte",
     "10 h0.test",
     "a@d.test b@d.test",
     {"s 220-h0\ns 220 ESMTP\nC EHLO\ns 250-h0\ns 250-PIPELINING\ns 250 SIZE 1000\n"
      "C MAIL FROM:<s@client.test> SIZE=20\ns 250 ok\nC RCPT\ns 250-two\ns 250 lines\nC RCPT\ns "
      "250 ok\nC DATA\ns 354 go\nD\n"
      "s 250-2.0.0 a\ns 250 2.0.0 b\n"},
     {"+ 2.0.0 250-2.0.0 a 250 2.0.0 b", "+ 2.0.0 250"},
     {"status=sent"},
     false,
     NULL},
    {"EHLO refused, HELO taken",
     "10 h0.test",
     NULL,
     {"S 220 h0\nC EHLO client.test\nS 502 what?\nC HELO client.test\nS 250 h0\n" MAIL_OK RCPT_OK(
         "a@d.test") DATA_OK},
     {"+ 2.0.0 250"},
     {"status=sent"},
     false,
     NULL},
    {"both refused",
     "10 h0.test",
     NULL,
     {"S 220 h0\nC EHLO\nS 502 what?\nC HELO\nS 550 no\n"},
     {"! 5.0.0 host h0.test[127.0.1.0] refused to talk to me: 550 no"},
     {"relay=h0.test[127.0.1.0]:",
      "status=bounced (host h0.test[127.0.1.0] refused to talk to me: 550 no)"},
     true,
     NULL},
    {"421 to EHLO",
     "10 h0.test",
     NULL,
     {"S 220 h0\nC EHLO\nS 421 4.3.2 busy\nE\n"},
     {"- 4.3.2 host h0.test[127.0.1.0] refused to talk to me: 421 4.3.2 busy"},
     {"dsn=4.3.2, status=deferred"},
     true,
     NULL},
    {"greeting of 554 is no bounce",
     "10 h0.test",
     NULL,
     {"S 554 5.7.1 go away\n"},
     {"- 4.7.1 host h0.test[127.0.1.0] refused to talk to me: 554 5.7.1 go away"},
     {"status=deferred"},
     true,
     NULL},
    {"greeting of 554, then another host",
     "10 h0.test 20 h1.test",
     NULL,
     {"S 554 go away\n", HELLO MAIL_OK RCPT_OK("a@d.test") DATA_OK},
     {"+ 2.0.0 250"},
     {"host h0.test[127.0.1.0] refused to talk to me: 554 go away", "relay=h1.test[127.0.1.1]:"},
     false,
     NULL},
    {"closed before the greeting",
     "10 h0.test",
     NULL,
     {"X\n"},
     {"- 4.4.2 lost connection with h0.test[127.0.1.0] while receiving the initial server "
      "greeting"},
     {"relay=h0.test[127.0.1.0]:"},
     true,
     NULL},
    {"closed at EHLO",
     "10 h0.test",
     NULL,
     {"S 220 h0\nC EHLO\nX\n"},
     {"- 4.4.2 lost connection with h0.test[127.0.1.0] while performing the EHLO handshake"},
     {NULL},
     true,
     NULL},
    {"reset at MAIL",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN "C MAIL\nR\n"},
     {"- 4.4.2 lost connection with h0.test[127.0.1.0] while sending MAIL FROM"},
     {NULL},
     true,
     NULL},
    {"closed at RCPT",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN MAIL_OK "C RCPT\nX\n"},
     {"- 4.4.2 lost connection with h0.test[127.0.1.0] while sending RCPT TO"},
     {NULL},
     false,
     NULL},
    {"closed at DATA",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN MAIL_OK RCPT_OK("a@d.test") "C DATA\nX\n"},
     {"- 4.4.2 lost connection with h0.test[127.0.1.0] while sending DATA command"},
     {NULL},
     false,
     NULL},
    {"closed after the dot",
     "10 h0.test",
     NULL,
     {HELLO MAIL_OK RCPT_OK("a@d.test") "C DATA\nS 354 go\nD\nX\n"},
     {"- 4.4.2 lost connection with h0.test[127.0.1.0] while sending end of data -- message may be "
      "sent more than once"},
     {NULL},
     false,
     NULL},
    {"dead first host",
     "10 h3.test 20 h1.test",
     NULL,
     {[1] = HELLO MAIL_OK RCPT_OK("a@d.test") DATA_OK},
     {"+ 2.0.0 250"},
     {"connect to h3.test[127.0.1.3]:", ": Connection refused", "relay=h1.test"},
     false,
     NULL},
    {"all hosts dead",
     "10 h3.test",
     NULL,
     {NULL},
     {"- 4.4.1 connect to h3.test[127.0.1.3]:"},
     {"relay=none, delay=2", "dsn=4.4.1, status=deferred (connect to h3.test[127.0.1.3]:"},
     true,
     NULL},
    {"MAIL refused for good",
     "10 h0.test 20 h1.test",
     "a@d.test b@d.test",
     {HELLO "C MAIL\nC RCPT\nC RCPT\nC DATA\nS 550 5.7.1 not you\nS 503 a\nS 503 b\nS 503 c\n"},
     {"! 5.7.1 host h0.test[127.0.1.0] said: 550 5.7.1 not you (in reply to MAIL FROM command)",
      "! 5.7.1 host h0.test"},
     {"status=bounced (host h0.test[127.0.1.0] said: 550 5.7.1 not you (in reply to MAIL FROM "
      "command))"},
     false,
     NULL},
    {"MAIL refused for now, then another host",
     "10 h0.test 20 h1.test",
     NULL,
     {HELLO_PLAIN "C MAIL\nS 451 4.3.0 later\n", HELLO MAIL_OK RCPT_OK("a@d.test") DATA_OK},
     {"+ 2.0.0 250"},
     {"QMAIL: host h0.test[127.0.1.0] said: 451 4.3.0 later (in reply to MAIL FROM command)"},
     false,
     NULL},
    {"recipients one by one",
     "10 h0.test",
     "a@d.test b@d.test c@d.test",
     {HELLO MAIL_OK RCPT_OK("a@d.test") "C RCPT TO:<b@d.test>\nS 550 5.1.1 no b\nC RCPT "
                                        "TO:<c@d.test>\nS 450 4.2.0 c is full\n" DATA_OK},
     {"+ 2.0.0 250",
      "! 5.1.1 host h0.test[127.0.1.0] said: 550 5.1.1 no b (in reply to RCPT TO command)",
      "- 4.2.0 host h0.test[127.0.1.0] said: 450 4.2.0 c is full (in reply to RCPT TO command)"},
     {"to=<b@d.test>, relay=h0.test[127.0.1.0]:", "dsn=5.1.1, status=bounced",
      "dsn=4.2.0, status=deferred"},
     false,
     NULL},
    {"the rest at another host",
     "10 h0.test 20 h1.test",
     "a@d.test b@d.test c@d.test",
     {HELLO MAIL_OK "C RCPT\nS 450 a\nC RCPT\nS 250 b\nC RCPT\nS 450 c\n" DATA_OK,
      HELLO MAIL_OK RCPT_OK("a@d.test") "C RCPT TO:<c@d.test>\nS 550 c\n" DATA_OK},
     {"+ 2.0.0 250", "+ 2.0.0 250", "! 5.0.0 host h1.test[127.0.1.1] said: 550 c"},
     {"to=<b@d.test>, relay=h0.test", "to=<a@d.test>, relay=h1.test"},
     false,
     NULL},
    {"nobody accepted, DATA accepted all the same",
     "10 h0.test",
     NULL,
     {HELLO MAIL_OK "C RCPT\nS 550 no\nC DATA\nS 354 go\nD\nS 250 of nothing\nC RSET\nS 250 ok\n"},
     {"! 5.0.0 550 no (in reply to RCPT TO command)"},
     {"status=bounced"},
     false,
     NULL},
    {"nobody accepted without pipelining",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN MAIL_OK "C RCPT\nS 550 no\nC RSET\nS 250 ok\n"},
     {"! 5.0.0 550 no"},
     {NULL},
     false,
     NULL},
    {"552 to RCPT means too many",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN MAIL_OK "C RCPT\nS 552 too many\nC RSET\nS 250 ok\n"},
     {"- 4.5.3 said: 552 too many"},
     {NULL},
     false,
     NULL},
    {"421 to the second recipient",
     "10 h0.test",
     "a@d.test b@d.test c@d.test",
     {HELLO MAIL_OK RCPT_OK("a@d.test") "C RCPT\nS 421 4.3.2 closing\nX\n"},
     {"- 4.3.2 421 4.3.2 closing (in reply to RCPT TO command)", "- 4.3.2 421 4.3.2 closing",
      "- 4.3.2 421 4.3.2 closing"},
     {NULL},
     false,
     NULL},
    {"DATA refused",
     "10 h0.test",
     NULL,
     {HELLO MAIL_OK RCPT_OK("a@d.test") "C DATA\nS 554 5.6.0 no\nC RSET\nS 250 ok\n"},
     {"! 5.6.0 554 5.6.0 no (in reply to DATA command)"},
     {NULL},
     false,
     NULL},
    {"content refused",
     "10 h0.test",
     "a@d.test b@d.test",
     {HELLO MAIL_OK RCPT_OK("a@d.test")
          RCPT_OK("b@d.test") "C DATA\nS 354 go\nD\nS 550 5.7.1 spam\n"},
     {"! 5.7.1 550 5.7.1 spam (in reply to end of DATA command)", "! 5.7.1 550 5.7.1 spam"},
     {NULL},
     false,
     NULL},
    {"content put off",
     "10 h0.test",
     NULL,
     {HELLO MAIL_OK RCPT_OK("a@d.test") "C DATA\nS 354 go\nD\nS 451 4.7.1 greylisted\n"},
     {"- 4.7.1 451 4.7.1 greylisted (in reply to end of DATA command)"},
     {NULL},
     false,
     NULL},
    {"a reply of several lines in one",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN MAIL_OK "C RCPT\nS 550-5.1.1 first\nS 550 5.1.1 second\nC RSET\nS 250 ok\n"},
     {"! 5.1.1 said: 550-5.1.1 first 550 5.1.1 second (in reply to RCPT TO command)"},
     {NULL},
     false,
     NULL},
    {"a reply without end",
     "10 h0.test",
     NULL,
     {"S 220 h0\nC EHLO\nG\nX\n"},
     {"- 4.4.2 host h0.test[127.0.1.0] sent a reply without end while performing the EHLO "
      "handshake"},
     {NULL},
     true,
     NULL},
    {"no SMTP at all",
     "10 h0.test",
     NULL,
     {"S SSH-2.0-OpenSSH\nE\n"},
     {"- 4.5.0 host h0.test[127.0.1.0] sent something that is no SMTP reply"},
     {NULL},
     true,
     NULL},
    {"too large for the server",
     "10 h0.test",
     NULL,
     {"S 220 h0\nC EHLO\nS 250-h0\nS 250 SIZE 10\n"},
     {"! 5.3.4 message size 20 exceeds size limit 10 of server h0.test[127.0.1.0]"},
     {NULL},
     false,
     NULL},
    {"no such domain",
     "nxdomain",
     NULL,
     {NULL},
     {"! 5.4.4 Host or domain name not found. Name service error for name=no-such-domain.test "
      "type=MX: Host not found"},
     {"relay=none", "dsn=5.4.4, status=bounced"},
     true,
     NULL},
    {"DNS does not answer",
     "temporary",
     NULL,
     {NULL},
     {"- 4.4.3 Name service error for name=dns-does-not-answer.test type=MX: Host not found, try "
      "again"},
     {"dsn=4.4.3, status=deferred"},
     true,
     NULL},
    {"null MX",
     "0 .",
     NULL,
     {NULL},
     {"! 5.1.10 Domain null-mx.test does not accept mail (nullMX)"},
     {"dsn=5.1.10, status=bounced"},
     true,
     NULL},
    {"no MX host has an address",
     "10 none1.test 20 none2.test",
     NULL,
     {NULL},
     {"! 5.4.4 Name service error for name=none1.test type="},
     {NULL},
     true,
     NULL},
    {"an MX host cannot be looked up now",
     "10 none1.test 20 lost.test",
     NULL,
     {NULL},
     {"- 4.4.3 Name service error for name=lost.test type="},
     {NULL},
     true,
     NULL},
    {"a host that cannot be looked up beside one that can",
     "10 lost.test 20 h0.test",
     NULL,
     {HELLO MAIL_OK RCPT_OK("a@d.test") DATA_OK},
     {"+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"equal hosts: only so many",
     "10 h3.test 10 h3.test 10 h3.test 10 h3.test 10 h3.test 20 h0.test",
     NULL,
     {NULL},
     {"- 4.4.1 connect to h3.test"},
     {NULL},
     true,
     NULL},
    {"two sessions, no more",
     "10 h0.test 20 h1.test 30 h2.test",
     NULL,
     {"S 450 one\n", "S 450 two\n", NULL},
     {"- 4.0.0 host h1.test[127.0.1.1] refused to talk to me: 450 two"},
     {"host h0.test[127.0.1.0] refused to talk to me: 450 one"},
     true,
     NULL},
};

/* "no such domain" -> "no-such-domain.test"; letters alone make the queue id. */
static void name_row(const struct row *row, char *nexthop, char *queue_id, size_t size)
{
    size_t length = 0, id_length = 0;
    queue_id[id_length++] = 'Q';
    for (const char *c = row->name; *c && length + 8 < size; c++) {
        const bool is_letter =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (is_letter)
            nexthop[length++] = (char)(*c | 0x20);
        else if (*c == ' ')
            nexthop[length++] = '-';
    }
    (void)snprintf(nexthop + length, size - length, ".test");
    for (const char *c = row->name; *c && *c != ' '; c++)
        queue_id[id_length++] = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    queue_id[id_length] = '\0';
}

static const struct world_result *find_result(uint32_t index)
{
    const struct world_result *found = NULL;
    for (size_t i = 0; i < world.result_count; i++)
        if (world.results[i].index == index) {
            if (found)
                fail_msg("two results for recipient %u", (unsigned)index);
            found = &world.results[i];
        }
    return found;
}

static void check_result(const char *name, uint32_t index, const char *expected)
{
    static const char kinds[] = {
        [OUTCOME_OK] = '+', [OUTCOME_TEMPORARY] = '-', [OUTCOME_PERMANENT] = '!'};
    const struct world_result *result = find_result(index);
    char status[32];
    if (!result)
        fail_msg("%s: no result for recipient %u", name, (unsigned)index);
    (void)snprintf(status, sizeof(status), "%c %u.%u.%u ", kinds[result->outcome.kind],
                   (unsigned)result->outcome.status.class, (unsigned)result->outcome.status.subject,
                   (unsigned)result->outcome.status.detail);
    const struct span reason = result->outcome.reason;
    const struct span wanted = span_from_string(expected + strlen(status));
    if (strncmp(status, expected, strlen(status)) != 0 ||
        span_find(reason, wanted) == reason.length)
        fail_msg("%s: recipient %u: got \"%s%.*s\", expected \"%s\"", name, (unsigned)index, status,
                 SPAN_PRINTF(reason), expected);
}

static void run_row(const struct row *row)
{
    char nexthop[256], queue_id[64];
    name_row(row, nexthop, queue_id, sizeof(nexthop));
    world.mx = row->mx;
    world.complaint[0] = '\0';
    buffer_reset(&world.smtp.log);
    for (size_t i = 0; i < WORLD_SERVERS; i++)
        world.servers[i].script = row->scripts[i];
    const struct world_order order = {.queue_id = queue_id,
                                      .nexthop = nexthop,
                                      .sender = "s@client.test",
                                      .recipients = row->recipients ? row->recipients : "a@d.test",
                                      .content = SPAN(SMALL),
                                      .longest_line = 10};
    world_deliver(&world, &order);
    const bool is_over = world_wait(&world);
    const struct span log = buffer_span(&world.smtp.log);
    if (!is_over || world.complaint[0])
        fail_msg("%s: %s %s\nlog: %.*s", row->name, is_over ? "" : "not over", world.complaint,
                 SPAN_PRINTF(log));
    uint32_t count = 0;
    for (; count < ARRAY_LENGTH(row->results) && row->results[count]; count++)
        check_result(row->name, count, row->results[count]);
    assert_int_equal(world.result_count, count);
    for (size_t i = 0; i < ARRAY_LENGTH(row->log) && row->log[i]; i++)
        if (!daemon_has_logged(&world.smtp, row->log[i]))
            fail_msg("%s: the log lacks \"%s\":\n%.*s", row->name, row->log[i], SPAN_PRINTF(log));
    if (world.has_site_failure != row->has_site_failure)
        fail_msg("%s: site failure %d", row->name, (int)world.has_site_failure);
}

static void test_conversations(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        run_row(&rows[i]);
}

static int set_up(void **state)
{
    (void)state;
    return world_start(&world, "smtp_connection_cache_on_demand = no\n"
                               "smtp_randomize_addresses = no\n"
                               "smtp_helo_timeout = 5s\n")
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    world_stop(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_conversations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
