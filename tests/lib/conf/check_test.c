/* tests/lib/conf/check_test - what an operator is told of a configuration. */
#include "../../test.h"

#include "conf/check.h"
#include "conf/suggest.h"

enum { TEST_ARENA_BYTES = 64 * 1024 * 1024 };

struct check_case {
    const char *main;
    const char *master;
    enum conf_notice_level level; /* of the first notice */
    const char *expected;         /* it; NULL: there is none */
};

#define SMTPD "smtp inet n - y - - smtpd -o "

static const struct check_case check_cases[] = {
    {"", "", 0, NULL},
    {"smtpd_timeout = 5s\n", "", 0, NULL},
    {"\nsmtpd_timeout = 5x\n", "", CONF_NOTICE_ERROR,
     "main.cf, line 2: smtpd_timeout = 5x: a time of 1s or more is allowed: a number and s, m, h, "
     "d "
     "or w (without a letter: s)"},
    {"", SMTPD "smtpd_timeout=0\n", CONF_NOTICE_ERROR,
     "master.cf, line 1: -o smtpd_timeout = 0: a time of 1s or more is allowed: a number and s, m, "
     "h, d or w (without a letter: s)"},
    {"mynetworks = 127.0.0.0/99\n", "", CONF_NOTICE_ERROR,
     "main.cf, line 1: mynetworks = 127.0.0.0/99: \"127.0.0.0/99\" is no network: address, "
     "address/bits, [IPv6 address] or [IPv6 address]/bits is allowed, with ! before it to leave it "
     "out; bits of the address past /bits must be zero"},
    {"local_destination_concurrency_limit = x\n", "", CONF_NOTICE_ERROR,
     "main.cf, line 1: local_destination_concurrency_limit = x: a number of 0 or more is allowed"},
    {"relayhost = $self\nself = $self\n", "", CONF_NOTICE_ERROR,
     "main.cf, line 1: relayhost = $self: $self refers to itself, or references nest too deeply"},
    /* names */
    {"virtual_mailbox_domain = a.test\n", "", CONF_NOTICE_WARNING,
     "main.cf, line 1: unused parameter: virtual_mailbox_domain=a.test; did you mean "
     "virtual_mailbox_domains?"},
    {"completely_different = 1\n", "", CONF_NOTICE_WARNING,
     "main.cf, line 1: unused parameter: completely_different=1"},
    {"", SMTPD "smtpd_timeuot=5s\n", CONF_NOTICE_WARNING,
     "master.cf, line 1: unused parameter: smtpd_timeuot=5s; did you mean smtpd_timeout?"},
    {"relayhost = $mydomian\n", "", CONF_NOTICE_WARNING,
     "main.cf, line 1: undefined parameter: mydomian; did you mean mydomain?"},
    {"slwo_destination_rate_delay = 1s\n", "slow unix - - n - - smtp\n", CONF_NOTICE_WARNING,
     "main.cf, line 1: unused parameter: slwo_destination_rate_delay=1s; did you mean "
     "slow_destination_rate_delay?"},
    {"mydestination = $myhostname, .a.test, !b.test, [192.0.2.1], inline:{x=y, y=z, z=x}\n", "", 0,
     NULL},
    {"mydestination = a.test;b.test\n", "", CONF_NOTICE_WARNING,
     "main.cf, line 1: mydestination = a.test;b.test: \"a.test;b.test\" is no domain, so that it "
     "matches none"},
    {"mine = a.test\nrelayhost = $mine\n", "", 0, NULL},
    /* known and not built */
    {"reset_owner_alias = no\n", "", 0, NULL},
    {"reset_owner_alias = yes\n", "", CONF_NOTICE_WARNING,
     "main.cf, line 1: reset_owner_alias = yes: has no effect in this release"},
    {"slow_recipient_limit = 4\n", "slow unix - - n - - smtp\n", CONF_NOTICE_WARNING,
     "main.cf, line 1: slow_recipient_limit = 4: has no effect in this release"},
    {"smtpd_milters = inet:127.0.0.1:8891\n", "", CONF_NOTICE_ERROR,
     "main.cf, line 1: smtpd_milters = inet:127.0.0.1:8891: this release cannot do that, and would "
     "let pass what it is to stop; take the setting out to run without it"},
    {"smtpd_milters =\n", "", 0, NULL},
    {"smtpd_tls_security_level = may\n", "", 0, NULL},
    {"smtpd_tls_security_level = demand\n", "", CONF_NOTICE_ERROR,
     "main.cf, line 1: smtpd_tls_security_level = demand: one of none|may|encrypt is allowed"},
    {"", SMTPD "strict_8bitmime_body=yes\n", CONF_NOTICE_ERROR,
     "master.cf, line 1: -o strict_8bitmime_body = yes: this release cannot do that, and "
     "would let pass what it is to stop; take the setting out to run without it"},
    {"", "smtp unix - - y - - smtp -o transport_maps=static:a\n", CONF_NOTICE_WARNING,
     "master.cf, line 1: -o transport_maps: has no effect, as smtp does not read it; set it in "
     "main.cf"},
    {"", "smtp unix - - y - - smtp -o smtp_sasl_password_maps=static:a:b\n", 0, NULL},
    {"", "smtp unix - - y - - smtp -o smtp_tls_chain_files=/a\n", 0, NULL},
    {"", "smtp unix - - y - - smtp -o smtp_sasl_password_result_delimiter=\n", CONF_NOTICE_ERROR,
     "master.cf, line 1: -o smtp_sasl_password_result_delimiter = : a text of 1 to 16 bytes is "
     "allowed"},
    {"", "cleanup unix n - y - 0 cleanup -o header_checks=pcre:/x\n", CONF_NOTICE_WARNING,
     "master.cf, line 1: -o header_checks = pcre:/x: this release cannot do that, and would let "
     "pass what it is to stop; take the setting out to run without it"},
    {"wish = yes\nstrict_8bitmime_body = $wish\n", "", CONF_NOTICE_ERROR,
     "main.cf, line 2: strict_8bitmime_body = yes: this release cannot do that, and would "
     "let pass what it is to stop; take the setting out to run without it"},
    {"smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated,\n"
     "  reject_unauth_destination\n",
     "", 0, NULL},
    {"smtpd_recipient_restrictions = permit_mynetworks reject_unauth_destination\n", "", 0, NULL},
};

static void run(const struct check_case *row, struct arena *arena, struct conf_notices *notices)
{
    const struct conf_host host = {.hostname = SPAN("mx.example.org")};
    struct conf_instance instance;
    conf_notices_init(notices, arena);
    assert_true(conf_instance_parse(span_from_string(row->main), span_from_string(row->master),
                                    &host, arena, &instance, notices));
    assert_int_equal(conf_check(&instance, NULL, notices),
                     !row->expected || row->level != CONF_NOTICE_ERROR);
}

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(check_cases); i++) {
        const struct check_case *row = &check_cases[i];
        struct arena arena;
        struct conf_notices notices;
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        run(row, &arena, &notices);
        if (!notices.first != !row->expected)
            fail_msg("%s%s: %s", row->main, row->master,
                     notices.first ? notices.first->text : "no notice");
        if (notices.first) {
            assert_string_equal(notices.first->text, row->expected);
            assert_int_equal(notices.first->level, row->level);
        }
        arena_destroy(&arena);
    }
}

static void test_suggestions(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *expected;
    } rows[] = {
        {"mynetwork", "mynetworks"},
        {"my_networks", "mynetworks"},
        {"myhsotname", "myhostname"},
        {"relay_host", "relayhost"},
        {"smtpd_milter", "smtpd_milters"},
        {"message_size_limits", "message_size_limit"},
        {"x", ""},
        {"nothing_like_this_at_all", ""},
        {"", ""},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "a",
         ""},
    };
    const struct conf_host host = {.hostname = SPAN("mx.example.org")};
    struct arena arena;
    struct conf_notices notices;
    struct conf_instance instance;
    arena_init(&arena, TEST_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    assert_true(
        conf_instance_parse(span_empty(), span_empty(), &host, &arena, &instance, &notices));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_span_is(rows[i].name, conf_suggest_name(&instance, span_from_string(rows[i].name)),
                       rows[i].expected);
    arena_destroy(&arena);
}

/* What is wrong in several places is said once for each place, and once only. */
static void test_notices_are_said_once(void **state)
{
    (void)state;
    struct arena arena;
    struct conf_notices notices;
    arena_init(&arena, TEST_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    conf_notice_add(&notices, CONF_NOTICE_ERROR, "same");
    conf_notice_add(&notices, CONF_NOTICE_ERROR, "same");
    conf_notice_add(&notices, CONF_NOTICE_WARNING, "same");
    assert_int_equal(notices.error_count, 2);
    assert_ptr_equal(notices.first->next, notices.last);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_notices_are_said_once),
    };
    return cmocka_run_group_tests_name("conf-check", tests, NULL, NULL);
}
