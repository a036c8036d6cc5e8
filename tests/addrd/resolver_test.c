/* tests/addrd - what addresses are and where they go, over inline tables. */
#include "../test.h"

#include "../../addrd/expander.h"
#include "../../addrd/rewriter.h"
#include "conf/instance.h"

static const char main_cf[] =
    "myhostname = mail.example.org\n"
    "mydomain = example.org\n"
    "myorigin = $mydomain\n"
    "mydestination = $myhostname, localhost, $mydomain\n"
    "recipient_delimiter = +\n"
    "alias_maps = inline:{ alice=x, list=y }\n"
    "local_recipient_maps = inline:{ bob=x, carol@example.org=x, {\"odd one\"=x} } $alias_maps\n"
    "virtual_alias_domains = alias.example\n"
    "virtual_alias_maps = inline:{ known@alias.example=bob, old@example.org=bob, "
    "@catch.example=bob }\n"
    "virtual_mailbox_domains = static.example, inline:{ vmail.example=x }\n"
    "virtual_mailbox_maps = inline:{ dora@vmail.example=vmail/dora/, @static.example=all }\n"
    "relay_domains = relay.example, !no.sub.example sub.example\n"
    "relay_recipient_maps = inline:{ eve@relay.example=x, @a.sub.example=x }\n"
    "transport_maps = inline:{ far.example=smtp:[gw.example]:26, .far.example=slow:, "
    "{gone.example=error:5.1.6 moved away}, {later.example=retry:4.3.2 not now}, "
    "same.example=:, {hop.example=:[hop.example]}, {frank@example.org=smtp:elsewhere}, "
    "ruined.example=error:closed, busy.example=retry:busy, "
    "shut.example=error:, {later@relay.example=retry:5.7.1 never}, waits@vmail.example=retry:, "
    "{known@alias.example=retry:it is known} }\n";

static struct arena settings_arena;
static char last_report[1024];

static void keep_report(void *context, struct span reason)
{
    (void)context;
    (void)snprintf(last_report, sizeof(last_report), "%.*s", SPAN_PRINTF(reason));
}

static struct ip_address own_addresses[2];

static void open_resolver(struct resolver *resolver, const char *more)
{
    struct conf_error error;
    static struct conf_addrd settings;
    static char text[8192];

    (void)snprintf(text, sizeof(text), "%s%s", main_cf, more);
    arena_reset(&settings_arena);
    arena_init(&settings_arena, 8 << 20, 0);
    if (!conf_test_settings(&conf_part_addrd, text, &settings_arena, &settings, &error))
        fail_msg("%s", error.text);
    assert_true(ip_address_parse(SPAN("192.0.2.1"), &own_addresses[0]));
    assert_true(ip_address_parse(SPAN("2001:db8::1"), &own_addresses[1]));
    *resolver = (struct resolver){.settings = &settings,
                                  .own_addresses = own_addresses,
                                  .own_address_count = 2,
                                  .report = keep_report};
    assert_true(addr_tables_open(&resolver->tables, &settings, NULL));
}

struct check_case {
    const char *recipient;
    enum addr_class class;
    const char *expected; /* "ok ADDRESS", or "CODE d.s.n REASON" */
};

#define REJECTED "Recipient address rejected: "
static const struct check_case checks[] = {
    {"bob@example.org", ADDR_CLASS_LOCAL, "ok bob@example.org"},
    {"BOB@Example.ORG", ADDR_CLASS_LOCAL, "ok BOB@Example.ORG"},
    {"bob", ADDR_CLASS_LOCAL, "ok bob@example.org"},
    {"bob+ext@localhost", ADDR_CLASS_LOCAL, "ok bob+ext@localhost"},
    {"bob@example.org.", ADDR_CLASS_LOCAL, "ok bob@example.org"},
    {"bob@[192.0.2.1]", ADDR_CLASS_LOCAL, "ok bob@[192.0.2.1]"},
    {"bob@[IPv6:2001:db8::1]", ADDR_CLASS_LOCAL, "ok bob@[IPv6:2001:db8::1]"},
    {"bob@[192.0.2.9]", ADDR_CLASS_OTHER, "ok bob@[192.0.2.9]"},
    {"bob@192.0.2.1", ADDR_CLASS_NONE, "501 5.1.3 Bad recipient address syntax"},
    {"carol@example.org", ADDR_CLASS_LOCAL, "ok carol@example.org"},
    {"carol@localhost", ADDR_CLASS_LOCAL,
     "550 5.1.1 " REJECTED "User unknown in local recipient table"},
    {"list@mail.example.org", ADDR_CLASS_LOCAL, "ok list@mail.example.org"},
    {"\"odd one\"@localhost", ADDR_CLASS_LOCAL, "ok \"odd one\"@localhost"},
    {"nobody@example.org", ADDR_CLASS_LOCAL,
     "550 5.1.1 " REJECTED "User unknown in local recipient table"},
    {"postmaster", ADDR_CLASS_LOCAL, "ok postmaster@example.org"},
    {"PostMaster@localhost", ADDR_CLASS_LOCAL, "ok PostMaster@localhost"},
    {"old@example.org", ADDR_CLASS_LOCAL, "ok old@example.org"},
    {"known@alias.example", ADDR_CLASS_VIRTUAL_ALIAS, "ok known@alias.example"},
    {"known+ext@alias.example", ADDR_CLASS_VIRTUAL_ALIAS, "ok known+ext@alias.example"},
    {"nobody@alias.example", ADDR_CLASS_VIRTUAL_ALIAS,
     "550 5.1.1 " REJECTED "User unknown in virtual alias table"},
    {"dora@vmail.example", ADDR_CLASS_VIRTUAL_MAILBOX, "ok dora@vmail.example"},
    {"dora+x@vmail.example", ADDR_CLASS_VIRTUAL_MAILBOX, "ok dora+x@vmail.example"},
    {"any@static.example", ADDR_CLASS_VIRTUAL_MAILBOX, "ok any@static.example"},
    {"bob@vmail.example", ADDR_CLASS_VIRTUAL_MAILBOX,
     "550 5.1.1 " REJECTED "User unknown in virtual mailbox table"},
    {"eve@relay.example", ADDR_CLASS_RELAY, "ok eve@relay.example"},
    {"bob@relay.example", ADDR_CLASS_RELAY,
     "550 5.1.1 " REJECTED "User unknown in relay recipient table"},
    {"x@a.sub.example", ADDR_CLASS_RELAY, "ok x@a.sub.example"},
    {"x@no.sub.example", ADDR_CLASS_OTHER, "ok x@no.sub.example"},
    {"x@elsewhere.example", ADDR_CLASS_OTHER, "ok x@elsewhere.example"},
    {"x@gone.example", ADDR_CLASS_OTHER, "550 5.1.6 " REJECTED "moved away"},
    {"x@ruined.example", ADDR_CLASS_OTHER, "550 5.1.1 " REJECTED "closed"},
    {"x@shut.example", ADDR_CLASS_OTHER, "550 5.1.1 " REJECTED "Address is undeliverable"},
    {"x@later.example", ADDR_CLASS_OTHER, "450 4.3.2 " REJECTED "not now"},
    {"x@busy.example", ADDR_CLASS_OTHER, "450 4.1.1 " REJECTED "busy"},
    {"waits@vmail.example", ADDR_CLASS_VIRTUAL_MAILBOX,
     "450 4.1.1 " REJECTED "Address is undeliverable"},
    {"later@relay.example", ADDR_CLASS_RELAY, "450 4.7.1 " REJECTED "never"},
    /* routes: followed at our own name, and never offered to others for strangers */
    {"x%elsewhere.example@example.org", ADDR_CLASS_OTHER, "ok x@elsewhere.example"},
    {"elsewhere.example!x@localhost", ADDR_CLASS_OTHER, "ok x@elsewhere.example"},
    {"\"x@elsewhere.example\"@localhost", ADDR_CLASS_OTHER, "ok x@elsewhere.example"},
    {"bob%localhost@example.org", ADDR_CLASS_LOCAL, "ok bob@localhost"},
    {"elsewhere.example!x", ADDR_CLASS_OTHER, "ok x@elsewhere.example"},
    {"x%elsewhere.example", ADDR_CLASS_OTHER, "ok x@elsewhere.example"},
    {"x%elsewhere.example@a.sub.example", ADDR_CLASS_OTHER, "ok x%elsewhere.example@a.sub.example"},
    {"", ADDR_CLASS_LOCAL, "550 5.1.1 " REJECTED "User unknown in local recipient table"},
    {"@", ADDR_CLASS_NONE, "501 5.1.3 Bad recipient address syntax"},
    {"a b@example.org", ADDR_CLASS_NONE, "501 5.1.3 Bad recipient address syntax"},
};

static void assert_outcome(const char *name, const struct outcome *outcome, struct span address,
                           const char *expected)
{
    char actual[512];
    if (outcome_is_ok(outcome))
        (void)snprintf(actual, sizeof(actual), "ok %.*s", SPAN_PRINTF(address));
    else
        (void)snprintf(actual, sizeof(actual), "%u %u.%u.%u %.*s", outcome->reply_code,
                       outcome->status.class, outcome->status.subject, outcome->status.detail,
                       SPAN_PRINTF(outcome->reason));
    if (strcmp(actual, expected) != 0)
        fail_msg("%s: got \"%s\", expected \"%s\"", name, actual, expected);
}

static void run_checks(const char *more, const struct check_case *rows, size_t count)
{
    struct resolver resolver;

    open_resolver(&resolver, more);
    for (size_t i = 0; i < count; i++) {
        struct addr_check check;
        struct expansion expansion;
        struct arena arena;

        arena_init(&arena, RESOLVER_ARENA_BYTES, 0);
        resolver_check_recipient(&resolver, span_from_string(rows[i].recipient),
                                 SPAN("sender@elsewhere.example"), 0, &arena, &check, &expansion);
        assert_outcome(rows[i].recipient, &check.outcome, check.recipient, rows[i].expected);
        if (check.class != rows[i].class)
            fail_msg("%s: class %d", rows[i].recipient, (int)check.class);
        arena_destroy(&arena);
    }
    addr_tables_close(&resolver.tables);
}

static void test_checks(void **state)
{
    (void)state;
    run_checks("", checks, ARRAY_LENGTH(checks));
}

static void test_checks_with_other_settings(void **state)
{
    (void)state;
    static const struct check_case open_lists[] = {
        {"nobody@example.org", ADDR_CLASS_LOCAL, "ok nobody@example.org"},
        {"nobody@relay.example", ADDR_CLASS_RELAY, "ok nobody@relay.example"},
        {"nobody@vmail.example", ADDR_CLASS_VIRTUAL_MAILBOX, "ok nobody@vmail.example"},
        {"x%y.example@relay.example", ADDR_CLASS_RELAY, "ok x%y.example@relay.example"},
    };
    static const struct check_case unnamed[] = {
        {"nobody@example.org", ADDR_CLASS_LOCAL, "550 5.1.1 " REJECTED "User unknown"},
        {"double-bounce", ADDR_CLASS_LOCAL, "ok double-bounce@example.org"},
        {"moved@example.org", ADDR_CLASS_LOCAL, "550 5.1.6 " REJECTED "User has moved to far away"},
        {"canon@example.org", ADDR_CLASS_LOCAL, "ok canon@example.org"},
    };
    run_checks("show_user_unknown_table_name = no\n"
               "relocated_maps = inline:{ {moved@example.org=far away} }\n"
               "canonical_maps = inline:{ canon@example.org=bob@elsewhere.example }\n",
               unnamed, ARRAY_LENGTH(unnamed));
    run_checks("local_recipient_maps =\nrelay_recipient_maps =\nvirtual_mailbox_maps =\n"
               "allow_untrusted_routing = yes\n",
               open_lists, ARRAY_LENGTH(open_lists));

    /* Whether we follow such routes or not: the next system may. */
    static const struct check_case routes[] = {
        {"x%y.example@relay.example", ADDR_CLASS_OTHER, "ok x%y.example@relay.example"},
        {"y.example!x@relay.example", ADDR_CLASS_OTHER, "ok y.example!x@relay.example"},
        {"\"x@y.example\"@relay.example", ADDR_CLASS_OTHER, "ok \"x@y.example\"@relay.example"},
        {"x%y.example@example.org", ADDR_CLASS_OTHER, "ok x%y.example@example.org"},
        {"x@relay.example", ADDR_CLASS_RELAY, "ok x@relay.example"},
    };
    static const struct check_case quoted[] = {
        {"\"x@y.example\"@relay.example", ADDR_CLASS_RELAY, "ok \"x@y.example\"@relay.example"},
        {"x%y.example@relay.example", ADDR_CLASS_OTHER, "ok x%y.example@relay.example"},
    };
    run_checks("local_recipient_maps =\nrelay_recipient_maps =\n"
               "allow_percent_hack = no\nswap_bangpath = no\n",
               routes, ARRAY_LENGTH(routes));
    run_checks("relay_recipient_maps =\nresolve_dequoted_address = no\n", quoted,
               ARRAY_LENGTH(quoted));

    static const struct check_case parents[] = {
        {"x@a.sub.example", ADDR_CLASS_OTHER, "ok x@a.sub.example"},
        {"x@sub.example", ADDR_CLASS_RELAY,
         "550 5.1.1 " REJECTED "User unknown in relay recipient table"},
        {"bob@host", ADDR_CLASS_OTHER, "ok bob@host.example.org"},
        {"bob@host.", ADDR_CLASS_OTHER, "ok bob@host"},
        {"bob%host@example.org", ADDR_CLASS_OTHER, "ok bob@host.example.org"},
        {"bob%host.@example.org", ADDR_CLASS_OTHER, "ok bob@host"},
    };
    run_checks("parent_domain_matches_subdomains =\nappend_dot_mydomain = yes\n", parents,
               ARRAY_LENGTH(parents));
}

static void test_failing_tables_are_temporary(void **state)
{
    (void)state;
    static const char failure[] = "451 4.3.0 Temporary lookup failure";
    static const struct {
        const char *setting;
        const char *recipient;
        const char *expected;
    } rows[] = {
        {"mydestination = $myhostname fail:x\n", "bob@elsewhere.example", failure},
        {"mydestination = example.org fail:x\n", "bob@example.org", "ok bob@example.org"},
        {"local_recipient_maps = inline:{bob=x} fail:x\n", "bob@example.org", failure},
        {"local_recipient_maps = inline:{bob@example.org=x} fail:x\n", "bob@example.org",
         "ok bob@example.org"},
        {"local_recipient_maps = fail:x\n", "postmaster@example.org", "ok postmaster@example.org"},
        {"local_recipient_maps = hash:/nonexistent/table\n", "nobody@example.org", failure},
        {"local_recipient_maps = unix:passwd.byname\n", "nobody@example.org", failure},
        {"local_recipient_maps = zork:x\n", "nobody@example.org", failure},
        {"virtual_alias_maps = fail:x\n", "bob@example.org", failure},
        {"virtual_alias_domains = fail:x\n", "bob@elsewhere.example", failure},
        {"virtual_mailbox_domains = fail:x\n", "bob@elsewhere.example", failure},
        {"virtual_mailbox_maps = fail:x\n", "bob@vmail.example", failure},
        {"relay_domains = fail:x\n", "bob@elsewhere.example", failure},
        {"relay_recipient_maps = fail:x\n", "eve@relay.example", failure},
        {"transport_maps = fail:x\n", "bob@elsewhere.example", failure},
        {"sender_dependent_relayhost_maps = fail:x\n", "bob@elsewhere.example", failure},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct resolver resolver;
        struct addr_check check;
        struct expansion expansion;
        struct arena arena;

        open_resolver(&resolver, rows[i].setting);
        arena_init(&arena, RESOLVER_ARENA_BYTES, 0);
        last_report[0] = '\0';
        resolver_check_recipient(&resolver, span_from_string(rows[i].recipient),
                                 SPAN("s@elsewhere.example"), 0, &arena, &check, &expansion);
        assert_outcome(rows[i].setting, &check.outcome, check.recipient, rows[i].expected);
        if (rows[i].expected == failure && !strstr(rows[i].setting, "unix:"))
            assert_string_not_equal(last_report, "");
        arena_destroy(&arena);
        addr_tables_close(&resolver.tables);
    }
}

struct route_case {
    const char *name;
    const char *settings;
    const char *sender;
    const char *recipient;
    const char *expected; /* "transport:nexthop recipient mailbox", or an outcome */
};

static const struct route_case routes[] = {
    {"local", "", "s@x", "bob", "local:mail.example.org bob@example.org "},
    {"local, though unknown", "", "s@x", "zoe@localhost", "local:mail.example.org zoe@localhost "},
    {"local without next hop", "local_transport = lmtp\n", "s@x", "bob@localhost",
     "lmtp:localhost bob@localhost "},
    {"virtual mailbox", "", "s@x", "Dora+x@VMail.example",
     "virtual:vmail.example Dora+x@VMail.example vmail/dora/"},
    {"unknown virtual mailbox", "", "s@x", "bob@vmail.example",
     "550 5.1.1 unknown user: \"bob@vmail.example\""},
    {"virtual mailbox by LMTP", "virtual_transport = lmtp:unix:private/x\n", "s@x",
     "bob@vmail.example", "lmtp:unix:private/x bob@vmail.example "},
    {"virtual alias", "", "s@x", "nobody@alias.example",
     "error:5.1.1 User unknown in virtual alias table nobody@alias.example "},
    {"virtual alias to expand", "", "s@x", "known@alias.example",
     "451 4.3.5 a virtual alias that was not expanded"},
    {"virtual alias for itself",
     "virtual_alias_maps = inline:{self@alias.example=self}\n"
     "myorigin = alias.example\n",
     "s@x", "self@alias.example",
     "error:5.1.1 User unknown in virtual alias table self@alias.example "},
    {"relocated", "relocated_maps = inline:{ {bob@example.org=bob@new.example, by train} }\n",
     "s@x", "bob", "error:5.1.6 User has moved to bob@new.example, by train bob@example.org "},
    {"relocated domain", "relocated_maps = inline:{ @gone.example=there }\n", "s@x",
     "bob@gone.example", "error:5.1.6 User has moved to there bob@gone.example "},
    {"null recipient in transport_maps",
     "transport_maps = inline:{ mailer-daemon@example.org=smtp:[x] }\n", "s@x", "",
     "smtp:[x] MAILER-DAEMON@example.org "},
    {"relayhost by another null key",
     "sender_dependent_relayhost_maps = inline:{null=[hub]}\n"
     "empty_address_relayhost_maps_lookup_key = null\n",
     "", "a@b.example", "smtp:[hub] a@b.example "},
    {"transport by null sender", "sender_dependent_default_transport_maps = inline:{<>=slow:[x]}\n",
     "", "a@b.example", "slow:[x] a@b.example "},
    {"relay", "", "s@x", "a@relay.example", "relay:relay.example a@relay.example "},
    {"other", "", "s@x", "a@Other.Example", "smtp:other.example a@Other.Example "},
    {"address literal", "", "s@x", "a@[192.0.2.9]", "smtp:[192.0.2.9] a@[192.0.2.9] "},
    {"relayhost", "relayhost = [gw.example]:587\n", "s@x", "a@other.example",
     "smtp:[gw.example]:587 a@other.example "},
    {"relayhost for relay domains", "relayhost = gw.example\n", "s@x", "a@relay.example",
     "relay:gw.example a@relay.example "},
    {"relayhost not for local", "relayhost = gw.example\n", "s@x", "bob",
     "local:mail.example.org bob@example.org "},
    {"default_transport with next hop", "relayhost = gw.example\ndefault_transport = uucp:there\n",
     "s@x", "a@other.example", "uucp:there a@other.example "},
    {"transport_maps", "", "s@x", "a@far.example", "smtp:[gw.example]:26 a@far.example "},
    {"transport_maps, parent", "", "s@x", "a@b.far.example", "slow:b.far.example a@b.far.example "},
    {"transport_maps by address", "", "s@x", "frank+x@example.org",
     "smtp:elsewhere frank+x@example.org "},
    {"transport_maps, nothing changes", "relayhost = gw.example\n", "s@x", "a@same.example",
     "smtp:gw.example a@same.example "},
    {"transport_maps, next hop only", "", "s@x", "a@hop.example",
     "smtp:[hop.example] a@hop.example "},
    {"transport_maps, error", "", "s@x", "a@gone.example",
     "error:5.1.6 moved away a@gone.example "},
    {"transport_maps, retry", "", "s@x", "a@later.example", "retry:4.3.2 not now a@later.example "},
    {"transport_maps, wildcard", "transport_maps = inline:{*=smtp:[hub]}\n", "s@x", "a@b.example",
     "smtp:[hub] a@b.example "},
    {"wildcard is not for aliases", "transport_maps = inline:{*=smtp:[hub]}\n", "s@x",
     "nobody@alias.example",
     "error:5.1.1 User unknown in virtual alias table nobody@alias.example "},
    {"relayhost by sender", "sender_dependent_relayhost_maps = inline:{s@x.example=[hub]}\n",
     "s+y@x.example", "a@b.example", "smtp:[hub] a@b.example "},
    {"relayhost by sender's domain",
     "sender_dependent_relayhost_maps = inline:{@x.example=[hub]}\nrelayhost = no\n", "s@x.example",
     "a@b.example", "smtp:[hub] a@b.example "},
    {"relayhost by null sender", "sender_dependent_relayhost_maps = inline:{<>=[hub]}\n", "",
     "a@b.example", "smtp:[hub] a@b.example "},
    {"relayhost by sender, DUNNO",
     "sender_dependent_relayhost_maps = inline:{@x.example=DUNNO}\nrelayhost = gw\n", "s@x.example",
     "a@b.example", "smtp:gw a@b.example "},
    {"transport by sender",
     "sender_dependent_default_transport_maps = inline:{@x.example=slow:}\nrelayhost = gw\n",
     "s@x.example", "a@b.example", "slow:gw a@b.example "},
    {"completed at intake, which saw a final dot", "append_dot_mydomain = yes\n", "s@x",
     "bob@localhost", "local:mail.example.org bob@localhost "},
    {"nonsense", "", "s@x", "a@b..c..", "501 5.1.3 Bad recipient address syntax"},
    {"route at our own name", "", "s@x", "a%b.example@localhost", "smtp:b.example a@b.example "},
    {"failing mailbox table", "virtual_mailbox_maps = fail:x\n", "s@x", "dora@vmail.example",
     "451 4.3.0 Temporary lookup failure"},
};

static void test_routes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        struct resolver resolver;
        struct addr_route route;
        struct arena arena;
        char actual[512];

        open_resolver(&resolver, routes[i].settings);
        arena_init(&arena, RESOLVER_ARENA_BYTES, 0);
        resolver_route(&resolver, span_from_string(routes[i].recipient),
                       span_from_string(routes[i].sender), &arena, &route);
        if (outcome_is_ok(&route.outcome))
            (void)snprintf(actual, sizeof(actual), "%.*s:%.*s %.*s %.*s",
                           SPAN_PRINTF(route.transport), SPAN_PRINTF(route.nexthop),
                           SPAN_PRINTF(route.recipient), SPAN_PRINTF(route.mailbox));
        else
            (void)snprintf(actual, sizeof(actual), "%u %u.%u.%u %.*s", route.outcome.reply_code,
                           route.outcome.status.class, route.outcome.status.subject,
                           route.outcome.status.detail, SPAN_PRINTF(route.outcome.reason));
        if (strcmp(actual, routes[i].expected) != 0)
            fail_msg("%s: got \"%s\", expected \"%s\"", routes[i].name, actual, routes[i].expected);
        arena_destroy(&arena);
        addr_tables_close(&resolver.tables);
    }
}

/* A small arena is a temporary failure, wherever it ends. */
static void test_little_memory(void **state)
{
    (void)state;
    struct resolver resolver;

    open_resolver(&resolver, "");
    for (size_t size = 0; size < 16384; size += 16) {
        struct addr_check check;
        struct expansion expansion;
        struct arena arena;

        arena_init(&arena, size, 0);
        resolver_check_recipient(&resolver, SPAN("dora+ext@vmail.example"), SPAN("s@x"), 0, &arena,
                                 &check, &expansion);
        if (check.outcome.kind == OUTCOME_PERMANENT)
            fail_msg("%zu: %.*s", size, SPAN_PRINTF(check.outcome.reason));
        arena_reset(&arena);
        /* Nor is it a refusal, which operators may give another code. */
        resolver_check_recipient(&resolver, SPAN("nobody@vmail.example"),
                                 SPAN("nobody@vmail.example"), ADDR_EXPAND_CHECK_SENDER, &arena,
                                 &check, &expansion);
        assert_int_equal(check.refusal == ADDR_REFUSAL_UNKNOWN,
                         check.outcome.kind == OUTCOME_PERMANENT);
        assert_int_equal(check.sender_class == ADDR_CLASS_VIRTUAL_MAILBOX,
                         check.sender_outcome.kind == OUTCOME_PERMANENT);
        arena_reset(&arena);
        resolver_check_recipient(&resolver, SPAN("x@later.example"), SPAN("s@x"), 0, &arena, &check,
                                 &expansion);
        assert_int_equal(check.refusal == ADDR_REFUSAL_NOWHERE, check.outcome.reply_code == 450);
        arena_destroy(&arena);
    }
    addr_tables_close(&resolver.tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_checks_with_other_settings),
        cmocka_unit_test(test_failing_tables_are_temporary),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_little_memory),
    };
    const int result = cmocka_run_group_tests_name("addrd/resolver", tests, NULL, NULL);
    arena_destroy(&settings_arena);
    return result;
}
