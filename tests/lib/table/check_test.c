/* tests/lib/table/check_test - what is said of the tables of a setting. */
#include "../../test.h"

#include "conf/check.h"
#include "table/check.h"

enum { TEST_ARENA_BYTES = 64 * 1024 * 1024 };

static const struct {
    const char *main;
    enum conf_notice_level level;
    const char *expected; /* the first notice has it; NULL: there is none */
} rows[] = {
    {"virtual_mailbox_maps = static:x, inline:{a=b}\n", 0, NULL},
    {"virtual_mailbox_maps = nonsense:/x\n", CONF_NOTICE_ERROR,
     "main.cf, line 1: virtual_mailbox_maps: nonsense:/x: unsupported dictionary type: nonsense"},
    {"transport_maps = inline:{a}\n", CONF_NOTICE_ERROR, "transport_maps: inline:{a}: "},
    {"alias_maps = texthash:/does/not/exist\n", CONF_NOTICE_WARNING,
     "alias_maps: texthash:/does/not/exist: open /does/not/exist: No such file or directory"},
    {"alias_maps = hash:/does/not/exist\n", CONF_NOTICE_WARNING,
     "alias_maps: hash:/does/not/exist: open /does/not/exist.db: No such file or directory"},
    {"mydestination = $myhostname, localhost, !a.example, [192.0.2.1], [IPv6:2001:db8::1]\n", 0,
     NULL},
    {"mydestination = /does/not/exist\n", CONF_NOTICE_WARNING,
     "mydestination: /does/not/exist: open /does/not/exist: No such file"},
    {"relay_domains = a.example, nonsense:/x\n", CONF_NOTICE_ERROR,
     "relay_domains: nonsense:/x: unsupported dictionary type: nonsense"},
    {"relayhost = nonsense:25\n", 0, NULL},
    {"smtpd_command_filter = pcre:{{/x/ y}}\n", 0, NULL},
    {"smtpd_command_filter = inline:{a=b}, unix:passwd.byname\n", 0, NULL},
    {"smtp_reply_filter = inline:{a=b}, unix:passwd.byname\n", CONF_NOTICE_ERROR,
     "main.cf, line 1: smtp_reply_filter: unix:passwd.byname: a table of type btree, cdb, cidr, "
     "hash, inline, lmdb, pcre, regexp, static or texthash is needed here"},
    {"smtp_reply_filter = proxy:tcp:/x\n", CONF_NOTICE_ERROR, "smtp_reply_filter: proxy:tcp:/x: a"},
    {"default_delivery_status_filter = socketmap:/x\n", CONF_NOTICE_ERROR,
     "socketmap:/x: a table of type"},
    {"smtpd_recipient_restrictions = permit_mynetworks, check_client_access cidr:{{::/0 ok}}, "
     "inline:{a=b}, reject\n",
     0, NULL},
    {"smtpd_client_restrictions = permit_mynetworks, reject_rbl_client bl.example\n",
     CONF_NOTICE_ERROR,
     "main.cf, line 1: smtpd_client_restrictions = permit_mynetworks, reject_rbl_client "
     "bl.example: "
     "this release cannot do \"reject_rbl_client\", and would let pass what it is to stop"},
    {"smtpd_sender_restrictions = check_sender_access\n", CONF_NOTICE_ERROR,
     "check_sender_access is followed by a table"},
    {"smtpd_sender_restrictions = check_sender_access nothing:here\n", CONF_NOTICE_ERROR,
     "nothing:here: unsupported dictionary type: nothing"},
    {"smtpd_sender_restrictions = check_sender_access socketmap:inet:127.0.0.1:9:x\n", 0, NULL},
    {"lmtp_discard_lhlo_keyword_address_maps = nonsense:/x\n", CONF_NOTICE_ERROR, "nonsense:/x: a"},
};

static void test_check_setting(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct conf_host host = {.hostname = SPAN("mx.example.org")};
        const struct conf_value_check check = {table_check_setting, NULL};
        struct arena arena;
        struct conf_notices notices;
        struct conf_instance instance;
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        conf_notices_init(&notices, &arena);
        assert_true(conf_instance_parse(span_from_string(rows[i].main), span_empty(), &host, &arena,
                                        &instance, &notices));
        assert_int_equal(conf_check(&instance, &check, &notices),
                         !rows[i].expected || rows[i].level != CONF_NOTICE_ERROR);
        if (!notices.first != !rows[i].expected ||
            (notices.first && !strstr(notices.first->text, rows[i].expected)))
            fail_msg("%s: %s", rows[i].main, notices.first ? notices.first->text : "no notice");
        if (notices.first)
            assert_int_equal(notices.first->level, rows[i].level);
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_check_setting)};
    return cmocka_run_group_tests_name("table-check", tests, NULL, NULL);
}
