/* tests/smtp/extensions - what a server offers is used, and its limits are kept: CHUNKING,
 * XFORWARD, LIMITS, too many recipients. */
#include "conversation.h"

#define EHLO(words) "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\n" words
#define CHUNKING EHLO("S 250-PIPELINING\nS 250 CHUNKING\n")
#define SMALL_CHUNK "C BDAT 20 LAST\nB 20\n"

static const struct row rows[] = {
    {"content leaves with the envelope",
     "10 h0.test",
     NULL,
     {CHUNKING "C MAIL\nC RCPT\n" SMALL_CHUNK
               "S 250 2.1.0 Ok\nS 250 2.1.5 Ok\nS 250 2.0.0 Ok: 20 bytes queued as 1\n"},
     {"+ 2.0.0 250 2.0.0 Ok: 20 bytes queued as 1"},
     {"status=sent (250 2.0.0 Ok: 20 bytes queued as 1)"},
     false,
     NULL},
    {"chunk without pipelining",
     "10 h0.test",
     NULL,
     {EHLO("S 250 CHUNKING\n") MAIL_OK RCPT_OK("a@d.test") SMALL_CHUNK "S 250 ok\n"},
     {"+ 2.0.0 250 ok"},
     {NULL},
     false,
     NULL},
    {"chunk and nobody accepted",
     "10 h0.test",
     NULL,
     {CHUNKING MAIL_OK "C RCPT\nS 550 5.1.1 no\n" SMALL_CHUNK "S 503 5.5.1 nobody\n"
                       "C RSET\nS 250 ok\n"},
     {"! 5.1.1 550 5.1.1 no (in reply to RCPT TO command)"},
     {NULL},
     false,
     NULL},
    {"chunk for one of two",
     "10 h0.test",
     "a@d.test b@d.test",
     {CHUNKING MAIL_OK RCPT_OK("a@d.test") "C RCPT\nS 550 5.1.1 no\n" SMALL_CHUNK "S 250 ok\n"},
     {"+ 2.0.0 250 ok", "! 5.1.1 550 5.1.1 no"},
     {NULL},
     false,
     NULL},
    {"chunk refused",
     "10 h0.test",
     NULL,
     {CHUNKING MAIL_OK RCPT_OK("a@d.test") SMALL_CHUNK "S 554 5.7.1 spam\n"
                                                       "C RSET\nS 250 ok\n"},
     {"! 5.7.1 said: 554 5.7.1 spam (in reply to end of DATA command)"},
     {NULL},
     false,
     NULL},
    {"lost after the chunk",
     "10 h0.test",
     NULL,
     {CHUNKING MAIL_OK RCPT_OK("a@d.test") SMALL_CHUNK "X\n"},
     {"- 4.4.2 lost connection with h0.test[127.0.1.0] while sending end of data "
      "-- message may be "
      "sent more than once"},
     {NULL},
     false,
     NULL},
    {"MAIL refused before the chunk",
     "10 h0.test",
     NULL,
     {CHUNKING "C MAIL\nS 550 5.7.1 not you\nC RCPT\nS 503 no\n" SMALL_CHUNK "S 503 no\n"},
     {"! 5.7.1 said: 550 5.7.1 not you (in reply to MAIL FROM command)"},
     {NULL},
     false,
     NULL},
    {"an answer too many is nobody's",
     "10 h0.test",
     NULL,
     {"S 220 h0 ESMTP\nC EHLO client.test\nL 250-h0|250-PIPELINING|250 CHUNKING|250 once "
      "more\nE\n"},
     {"- 4.5.0 host h0.test[127.0.1.0] said without being asked: 250 once more"},
     {NULL},
     true,
     NULL},
    {"leaving before the first command",
     "10 h0.test",
     NULL,
     {"S 220 h0 ESMTP\nC EHLO client.test\nL 250-h0|250 CHUNKING|421 4.3.2 going\nE\n"},
     {"- 4.3.2 said: 421 4.3.2 going (in reply to MAIL FROM command)"},
     {NULL},
     true,
     NULL},
    {"half an answer and a chunk",
     "10 h0.test",
     NULL,
     {"S 220 h0 ESMTP\nC EHLO client.test\nL 250-h0|250-PIPELINING|250 CHUNKING|250-once more\n"
      "C MAIL\nC RCPT\nC DATA\nS 250 2.1.0 Ok\nS 250 2.1.5 Ok\nS 250 2.1.9 Ok\nE\n"},
     {"- 4.5.0 said: 250 2.1.9 Ok (in reply to DATA command)"},
     {NULL},
     false,
     NULL},
    {"two at most in a transaction",
     "10 h0.test",
     "a@d.test b@d.test c@d.test",
     {EHLO("S 250-PIPELINING\nS 250 LIMITS RCPTMAX=2 MAILMAX=100\n") MAIL_OK RCPT_OK("a@d.test")
          RCPT_OK("b@d.test") DATA_OK MAIL_OK RCPT_OK("c@d.test") DATA_OK},
     {"+ 2.0.0 250", "+ 2.0.0 250", "+ 2.0.0 250"},
     {"to=<c@d.test>, relay=h0.test[127.0.1.0]:"},
     false,
     NULL},
    {"one transaction in a session",
     "10 h0.test",
     "a@d.test b@d.test",
     {EHLO("S 250-PIPELINING\nS 250 LIMITS RCPTMAX=1 MAILMAX=1\n") MAIL_OK RCPT_OK("a@d.test")
          DATA_OK "=\n" EHLO("S 250-PIPELINING\nS 250 LIMITS RCPTMAX=1 MAILMAX=1\n")
              MAIL_OK RCPT_OK("b@d.test") DATA_OK},
     {"+ 2.0.0 250", "+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"one domain in a session",
     "10 h0.test",
     "a@d.test b@e.test c@D.test",
     {EHLO("S 250-PIPELINING\nS 250 LIMITS RCPTDOMAINMAX=1\n") MAIL_OK RCPT_OK("a@d.test")
          RCPT_OK("c@D.test") DATA_OK "=\n" EHLO("S 250-PIPELINING\nS 250 LIMITS RCPTDOMAINMAX=1\n")
              MAIL_OK RCPT_OK("b@e.test") DATA_OK},
     {"+ 2.0.0 250", "+ 2.0.0 250", "+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"limits that make no sense",
     "10 h0.test",
     "a@d.test b@d.test",
     {EHLO("S 250-PIPELINING\nS 250 LIMITS RCPTMAX=0 MAILMAX=x RCPTDOMAINMAX\n")
          MAIL_OK RCPT_OK("a@d.test") RCPT_OK("b@d.test") DATA_OK},
     {"+ 2.0.0 250", "+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"too many recipients go in another transaction",
     "10 h0.test",
     "a@d.test b@d.test",
     {HELLO MAIL_OK RCPT_OK("a@d.test") "C RCPT\nS 452 4.5.3 too many\n" DATA_OK MAIL_OK RCPT_OK(
         "b@d.test") DATA_OK},
     {"+ 2.0.0 250", "+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"too many recipients and nothing gained",
     "10 h0.test",
     "a@d.test b@d.test",
     {HELLO MAIL_OK RCPT_OK("a@d.test") "C RCPT\nS 452 4.5.3 too many\n"
                                        "C DATA\nS 354 go\nD\nS 451 4.3.0 no\n"},
     {"- 4.3.0 451 4.3.0 no", "- 4.5.3 452 4.5.3 too many"},
     {NULL},
     false,
     NULL},
    {"a mailbox that is full is not asked again",
     "10 h0.test",
     "a@d.test b@d.test",
     {HELLO MAIL_OK RCPT_OK("a@d.test") "C RCPT\nS 450 4.2.2 full\n" DATA_OK},
     {"+ 2.0.0 250", "- 4.2.2 450 4.2.2 full"},
     {NULL},
     false,
     NULL},
    {"XFORWARD",
     "10 h0.test",
     NULL,
     {EHLO("S 250-PIPELINING\nS 250 XFORWARD NAME ADDR PORT PROTO HELO IDENT "
           "SOURCE\n") "C XFORWARD NAME=mail.sender.test ADDR=192.0.2.7 "
                       "PORT=4711\nS 250 ok\n"
                       "C XFORWARD PROTO=ESMTP HELO=sender+2B1.test "
                       "IDENT=QXFORWARD SOURCE=REMOTE\nS 250 ok\n" MAIL_OK RCPT_OK("a@d.test")
                           DATA_OK},
     {"+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"XFORWARD of some attributes",
     "10 h0.test",
     NULL,
     {EHLO("S 250 XFORWARD ADDR HELO\n") "C XFORWARD ADDR=192.0.2.7\nS 250 ok\n"
                                         "C XFORWARD HELO=sender+2B1.test\nS 250 "
                                         "ok\n" MAIL_OK RCPT_OK("a@d.test") DATA_OK},
     {"+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"XFORWARD refused is no reason to stop",
     "10 h0.test",
     NULL,
     {EHLO("S 250-PIPELINING\nS 250 XFORWARD ADDR\n") "C XFORWARD\nS 550 5.7.1 not "
                                                      "from you\n" MAIL_OK RCPT_OK("a@d.test")
                                                          DATA_OK},
     {"+ 2.0.0 250"},
     {"host h0.test[127.0.1.0] said: 550 5.7.1 not from you (in reply to XFORWARD "
      "name/address "
      "command)"},
     false,
     NULL},
    {"lost at XFORWARD",
     "10 h0.test",
     NULL,
     {EHLO("S 250 XFORWARD ADDR\n") "C XFORWARD\nX\n"},
     {"- 4.4.2 lost connection with h0.test[127.0.1.0] while sending XFORWARD "
      "name/address"},
     {NULL},
     true,
     NULL},
    {"AUTH= is for those who have authenticated",
     "10 h0.test",
     NULL,
     {EHLO("S 250 AUTH PLAIN\n") "C MAIL FROM:<s@client.test>\nS 250 "
                                 "ok\n" RCPT_OK("a@d.test") DATA_OK},
     {"+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"a domain in A-labels for a server without SMTPUTF8",
     "10 h0.test",
     "a@b\xc3\xbc"
     "cher.test \xc3\xa4@d.test",
     {HELLO MAIL_OK RCPT_OK("a@xn--bcher-kva.test") DATA_OK},
     {"+ 2.0.0 250",
      "! 5.6.7 SMTPUTF8 is required, but was not offered by host h0.test[127.0.1.0]"},
     {NULL},
     false,
     NULL},
    {"SMTPUTF8",
     "10 h0.test",
     "a@b\xc3\xbc"
     "cher.test \xc3\xa4@d.test",
     {EHLO("S 250 SMTPUTF8\n") "C MAIL FROM:<s@client.test> SMTPUTF8\nS 250 ok\n" RCPT_OK(
         "a@b\xc3\xbc"
         "cher.test") RCPT_OK("\xc3\xa4@d.test") DATA_OK},
     {"+ 2.0.0 250", "+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"a firewall hides the greeting",
     "10 h0.test",
     NULL,
     {"S 220 **************0****2*****\nC HELO client.test\nS 250 h0\n" MAIL_OK RCPT_OK("a@d.test")
          DATA_OK},
     {"+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
};

int main(void)
{
    static const struct conversation conversation = {
        .settings = "smtp_connection_cache_on_demand = no\n"
                    "smtp_randomize_addresses = no\nsmtp_helo_timeout = 5s\n"
                    "smtp_send_xforward_command = yes\n"
                    "smtp_send_dummy_mail_auth = yes\n",
        .rows = rows,
        .row_count = ARRAY_LENGTH(rows)};
    return conversation_main(&conversation);
}
