/* tests/smtp/tables - what tables say about servers, their answers and results of deliveries. */
#include "conversation.h"

#define EHLO(words) "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\n" words

static const struct row rows[] = {
    /* Server h0 has the address 127.0.1.0, h1 127.0.1.1. */
    {"keywords of one server are passed over",
     "10 h0.test",
     NULL,
     {EHLO("S 250-SIZE\nS 250 CHUNKING\n") MAIL_OK RCPT_OK("a@d.test") DATA_OK},
     {"+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"and those of another are not",
     "10 h1.test",
     NULL,
     {"", EHLO("S 250 CHUNKING\n") MAIL_OK RCPT_OK("a@d.test") "C BDAT 20 LAST\nB 20\nS 250 ok\n"},
     {"+ 2.0.0 250 ok"},
     {NULL},
     false,
     NULL},
    {"a firewall in front of one server",
     "10 h0.test",
     NULL,
     {"S 220 **************0****2*****\nC EHLO client.test\nS 250 h0\n" MAIL_OK RCPT_OK("a@d.test")
          DATA_OK},
     {"+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"a firewall in front of another",
     "10 h1.test",
     NULL,
     {"", "S 220 **************0****2*****\nC HELO client.test\nS 250 h1\n" MAIL_OK RCPT_OK(
              "a@d.test") DATA_OK},
     {"+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"an answer that is none becomes one",
     "10 h0.test",
     NULL,
     {HELLO MAIL_OK "C RCPT\nS nonsense\n" DATA_OK},
     {"+ 2.0.0 250"},
     {NULL},
     false,
     NULL},
    {"a line of several",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN MAIL_OK "C RCPT\nS 550-greylisted\nS 550 5.7.1 for an hour\nC RSET\nS 250 ok\n"},
     {"- 4.0.0 said: 450-greylisted 450 for an hour (in reply to RCPT TO command)"},
     {"status=deferred"},
     false,
     NULL},
    {"a result becomes one for good",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN MAIL_OK "C RCPT\nS 450 4.2.1 gone\nC RSET\nS 250 ok\n"},
     {"! 5.2.1 The mailbox has gone"},
     {"dsn=5.2.1, status=bounced (The mailbox has gone)"},
     false,
     NULL},
    {"a result gets another code",
     "10 h0.test",
     NULL,
     {HELLO MAIL_OK RCPT_OK("a@d.test") "C DATA\nS 354 go\nD\nS 250 2.0.0 Ok: here\n"},
     {"+ 2.1.9 250 2.0.0 Ok: here"},
     {"dsn=2.1.9, status=sent (250 2.0.0 Ok: here)"},
     false,
     NULL},
    {"a failure does not become a success",
     "10 h0.test",
     NULL,
     {HELLO_PLAIN MAIL_OK "C RCPT\nS 550 5.1.1 who?\nC RSET\nS 250 ok\n"},
     {"! 5.1.1 who?"},
     {"smtp_delivery_status_filter: \"2.0.0 fine\" cannot stand for \"5.1.1 host",
      "dsn=5.1.1, status=bounced"},
     false,
     NULL},
};

int main(void)
{
    static const struct conversation conversation = {
        .settings =
            "smtp_connection_cache_on_demand = no\nsmtp_randomize_addresses = no\n"
            "smtp_helo_timeout = 5s\n"
            "smtp_discard_ehlo_keyword_address_maps = inline:{127.0.1.0=chunking}\n"
            "smtp_pix_workaround_maps = inline:{127.0.1.0=delay_dotcrlf}\n"
            "smtp_reply_filter = pcre:{{/^nonsense$$/ 250 ok} {/^550-(greylisted)$$/ 450-$$1}"
            " {/^550 5\\.7\\.1 (for an hour)$$/ 450 $$1}}\n"
            "default_delivery_status_filter = pcre:{{/^4(\\.2\\.1) .* gone/ 5$$1 The mailbox "
            "has "
            "gone} {/^2.*: here$$/ 2.1.9} {/^5\\.1\\.1/ 2.0.0 fine}}\n",
        .rows = rows,
        .row_count = ARRAY_LENGTH(rows)};
    return conversation_main(&conversation);
}
