/* tests/smtp/lmtp - the daemon as lmtp: LHLO, and a reply for each recipient after the content. */
#include "conversation.h"

static struct world world;

#define LHLO "S 220 h0 LMTP\nC LHLO client.test\nS 250-h0\nS 250-PIPELINING\nS 250 8BITMIME\n"
#define LHLO_PLAIN "S 220 h0\nC LHLO client.test\nS 250 h0\n"

static const struct row rows[] = {
    {"delivered",
     "nxdomain",
     NULL,
     {LHLO MAIL_OK RCPT_OK("a@d.test") "C DATA\nS 354 go\nD\nS 250 2.0.0 <a@d.test> Saved\n"},
     {"+ 2.0.0 250 2.0.0 <a@d.test> Saved"},
     {"QDELIVERED: to=<a@d.test>, relay=h0.test[127.0.1.0]:", "status=sent (250 2.0.0 <a@d.test>"},
     false,
     "inet:h0.test"},
    {"replies of each",
     "nxdomain",
     "a@d.test b@d.test c@d.test",
     {LHLO MAIL_OK RCPT_OK("a@d.test") RCPT_OK("b@d.test") RCPT_OK(
         "c@d.test") "C DATA\nS 354 go\nD\nS 250 2.0.0 a saved\nS 552 5.2.2 b is over quota\n"
                     "S 451 4.2.0 c is locked\n"},
     {"+ 2.0.0 250 2.0.0 a saved",
      "! 5.2.2 said: 552 5.2.2 b is over quota (in reply to end of DATA command)",
      "- 4.2.0 said: 451 4.2.0 c is locked (in reply to end of DATA command)"},
     {"to=<b@d.test>, relay=h0.test[127.0.1.0]:", "to=<c@d.test>, relay=h0.test[127.0.1.0]:"},
     false,
     "h0.test"},
    {"as many replies as were accepted",
     "nxdomain",
     "a@d.test b@d.test c@d.test",
     {LHLO MAIL_OK RCPT_OK("a@d.test") "C RCPT TO:<b@d.test>\nS 550 5.1.1 no b\n" RCPT_OK(
         "c@d.test") "C DATA\nS 354 go\nD\nS 250 a saved\nS 250 c saved\n"},
     {"+ 2.0.0 250 a saved", "! 5.1.1 550 5.1.1 no b (in reply to RCPT TO command)",
      "+ 2.0.0 250 c saved"},
     {NULL},
     false,
     "[h0.test]"},
    {"lost between the replies",
     "nxdomain",
     "a@d.test b@d.test",
     {LHLO MAIL_OK RCPT_OK("a@d.test") RCPT_OK("b@d.test") "C DATA\nS 354 go\nD\nS 250 a\nX\n"},
     {"+ 2.0.0 250 a",
      "- 4.4.2 lost connection with h0.test[127.0.1.0] while sending end of data -- message may be "
      "sent more than once"},
     {NULL},
     false,
     "h0.test"},
    {"a second 421 after a first 250",
     "nxdomain",
     "a@d.test b@d.test",
     {LHLO_PLAIN MAIL_OK RCPT_OK("a@d.test")
          RCPT_OK("b@d.test") "C DATA\nS 354 go\nD\nS 250 a\nS 421 4.3.2 going\nE\n"},
     {"+ 2.0.0 250 a", "- 4.3.2 421 4.3.2 going"},
     {NULL},
     false,
     "h0.test"},
    {"a temporary refusal stays when the connection is lost",
     "nxdomain",
     "a@d.test b@d.test",
     {LHLO MAIL_OK RCPT_OK("a@d.test")
          RCPT_OK("b@d.test") "C DATA\nS 354 go\nD\nS 452 4.2.2 full\nX\n"},
     {"- 4.2.2 said: 452 4.2.2 full", "- 4.4.2 lost connection"},
     {NULL},
     false,
     "h0.test"},
    {"nobody accepted and DATA all the same",
     "nxdomain",
     NULL,
     {LHLO MAIL_OK "C RCPT\nS 550 5.1.1 no\nC DATA\nS 354 go\nE\n"},
     {"! 5.1.1 550 5.1.1 no"},
     {NULL},
     false,
     "h0.test"},
    {"no LMTP here",
     "nxdomain",
     NULL,
     {"S 220 h0 ESMTP\nC LHLO client.test\nS 502 5.5.2 what?\n"},
     {"! 5.5.2 host h0.test[127.0.1.0] refused to talk to me: 502 5.5.2 what?"},
     {"status=bounced"},
     true,
     "h0.test"},
    {"mail exchangers do not count",
     "10 h1.test",
     NULL,
     {LHLO MAIL_OK RCPT_OK("a@d.test") "C DATA\nS 354 go\nD\nS 250 ok\n"},
     {"+ 2.0.0 250 ok"},
     {NULL},
     false,
     "h0.test"},
    {"a socket without connectd",
     "nxdomain",
     NULL,
     {NULL},
     {"- 4.4.1 connect to client.test[private/lmtp]: the helper that connects is not there"},
     {"relay=none", "status=deferred"},
     true,
     "unix:private/lmtp"},
    {"no path",
     "nxdomain",
     NULL,
     {NULL},
     {"! 5.1.2 the next hop is not a host, domain or address"},
     {NULL},
     true,
     "unix:"},
};

static void test_conversations(void **state)
{
    (void)state;
    conversation_run(&world, rows, ARRAY_LENGTH(rows));
}

static int set_up(void **state)
{
    (void)state;
    return world_start_lmtp(&world, "lmtp_connection_cache_on_demand = no\n"
                                    "lmtp_skip_quit_response = yes\nlmtp_lhlo_timeout = 5s\n")
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
