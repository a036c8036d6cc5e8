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
    {"relayhost = nonsense:/x\n", 0, NULL},
    {"smtpd_command_filter = pcre:{{/x/ y}}\n", 0, NULL},
    {"smtpd_command_filter = inline:{a=b}, hash:/x\n", CONF_NOTICE_ERROR,
     "main.cf, line 1: smtpd_command_filter: hash:/x: a table of type cidr, inline, pcre, regexp, "
     "static or texthash is needed here"},
    {"smtp_reply_filter = proxy:regexp:/x\n", CONF_NOTICE_ERROR,
     "smtp_reply_filter: proxy:regexp:/x: a"},
    {"default_delivery_status_filter = lmdb:/x\n", CONF_NOTICE_ERROR, "lmdb:/x: a table of type"},
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
