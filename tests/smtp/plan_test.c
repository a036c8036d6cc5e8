/* tests/smtp/plan - next hops in their forms, and the order of their addresses. */
#include "../test.h"

#include "../../smtp/nexthop.h"
#include "../../smtp/plan.h"

static void test_nexthops(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host; /* NULL: malformed */
        uint16_t port;
        bool is_host;
        enum ip_family family;
    } rows[] = {
        {"example.org", "example.org", 25, false, IP_FAMILY_NONE},
        {"example.org:26", "example.org", 26, false, IP_FAMILY_NONE},
        {"example.org:submission", "example.org", 587, false, IP_FAMILY_NONE},
        {"[mx.example.org]", "mx.example.org", 25, true, IP_FAMILY_NONE},
        {"[mx.example.org]:SMTP", "mx.example.org", 25, true, IP_FAMILY_NONE},
        {"[mx.example.org]:2525", "mx.example.org", 2525, true, IP_FAMILY_NONE},
        {"[127.0.0.1]:2525", "127.0.0.1", 2525, true, IP_FAMILY_4},
        {"[ipv6:2001:db8::1]", "2001:db8::1", 25, true, IP_FAMILY_6},
        {"[IPv6:::1]:26", "::1", 26, true, IP_FAMILY_6},
        {"[::1]:26", "::1", 26, true, IP_FAMILY_6},
        {"::1", "::1", 25, true, IP_FAMILY_6},
        {"127.0.0.1", "127.0.0.1", 25, true, IP_FAMILY_4},
        {"127.0.0.1:26", "127.0.0.1", 26, true, IP_FAMILY_4},
        {"localhost", "localhost", 25, false, IP_FAMILY_NONE},
        {"", NULL, 0, false, 0},
        {"[]", NULL, 0, false, 0},
        {"[example.org", NULL, 0, false, 0},
        {"[example.org]25", NULL, 0, false, 0},
        {"[example.org]:", NULL, 0, false, 0},
        {"example.org:", NULL, 0, false, 0},
        {"example.org:0", NULL, 0, false, 0},
        {"example.org:65536", NULL, 0, false, 0},
        {"example.org:ftp", NULL, 0, false, 0},
        {"example..org", NULL, 0, false, 0},
        {"example.org ", NULL, 0, false, 0},
        {"[ipv6:127.0.0.1]", NULL, 0, false, 0},
        {"[ipv6:example.org]", NULL, 0, false, 0},
        {"/var/run/socket", NULL, 0, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct nexthop nexthop;
        const enum parse_result result =
            nexthop_parse(span_from_string(rows[i].text), 25, false, &nexthop);
        if ((result == PARSE_OK) != (rows[i].host != NULL))
            fail_msg("\"%s\": result %d", rows[i].text, (int)result);
        if (result != PARSE_OK)
            continue;
        assert_span_is(rows[i].text, nexthop.host, rows[i].host);
        if (nexthop.port != rows[i].port || nexthop.is_host != rows[i].is_host ||
            nexthop.address.family != rows[i].family)
            fail_msg("\"%s\": read wrongly", rows[i].text);
    }
}

static uint32_t lowest(uint32_t bound)
{
    (void)bound;
    return 0;
}

static uint32_t highest(uint32_t bound)
{
    return bound - 1;
}

/* "host preference address", separated by ';'. */
static void read_plan(const char *text, struct plan *plan)
{
    struct span rest = span_from_string(text), entry;
    plan->count = 0;
    while (span_next_word(&rest, ";", &entry)) {
        struct span host, preference, address;
        struct plan_target target = {.port = 25};
        assert_true(span_next_word(&entry, " ", &host));
        assert_true(span_next_word(&entry, " ", &preference));
        assert_true(span_next_word(&entry, " ", &address));
        target.host = host;
        target.preference = (uint16_t)(preference.bytes[0] - '0');
        assert_true(ip_address_parse(address, &target.address));
        assert_true(plan_add(plan, &target));
    }
}

static void assert_hosts(const char *name, const struct plan *plan, const char *expected)
{
    char hosts[PLAN_TARGETS_MAX + 1] = "";
    for (size_t i = 0; i < plan->count; i++)
        hosts[i] = (char)plan->targets[i].host.bytes[0];
    if (strcmp(hosts, expected) != 0)
        fail_msg("%s: order %s, expected %s", name, hosts, expected);
}

static void test_names(void **state)
{
    static const struct {
        const char *text, *ascii;
    } names[] = {
        {"b\xc3\xbc"
         "cher.test",
         "xn--bcher-kva.test"},
        {"b\xc3\xbc"
         "cher.test:26",
         "xn--bcher-kva.test:26"},
        {"[b\xc3\xbc"
         "cher.test]",
         "[xn--bcher-kva.test]"},
        {"[b\xc3\xbc"
         "cher.test]:26",
         "[xn--bcher-kva.test]:26"},
        {"b\xff.test", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct arena arena;
        struct span ascii;
        arena_init(&arena, 65536, 0);
        const enum parse_result result =
            nexthop_to_ascii(span_from_string(names[i].text), &arena, &ascii);
        assert_int_equal(result == PARSE_OK, names[i].ascii != NULL);
        if (result == PARSE_OK)
            assert_span_is(names[i].text, ascii, names[i].ascii);
        arena_destroy(&arena);
    }
}

static void test_order(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *plan;
        struct plan_rules rules;
        const char *order;
    } rows[] = {
        {"empty", "", {.is_random = true, .below = lowest}, ""},
        {"preferences", "c 3 ::1;a 1 127.0.0.1;b 2 ::1", {.is_random = false}, "abc"},
        {"equals stay without chance", "b 1 127.0.0.1;a 1 127.0.0.2", {.is_random = false}, "ba"},
        {"equals by chance",
         "a 1 127.0.0.1;b 1 127.0.0.2;c 1 127.0.0.3;d 0 127.0.0.4",
         {.is_random = true, .below = lowest},
         "dbca"},
        {"equals by another chance",
         "a 1 127.0.0.1;b 1 127.0.0.2;c 1 127.0.0.3;d 0 127.0.0.4",
         {.is_random = true, .below = highest},
         "dabc"},
        {"IPv6 first",
         "a 1 127.0.0.1;b 1 ::1;c 0 127.0.0.1",
         {.family_preference = PLAN_IPV6_FIRST},
         "cba"},
        {"IPv4 first",
         "b 1 ::1;a 1 127.0.0.1;c 2 127.0.0.1;d 0 ::1",
         {.family_preference = PLAN_IPV4_FIRST},
         "dabc"},
        {"balanced",
         "a 1 ::1;b 1 ::2;c 1 ::3;d 2 127.0.0.1;e 2 127.0.0.2",
         {.is_balanced = true, .address_limit = 2},
         "adbce"},
        {"balanced already",
         "a 1 ::1;b 1 127.0.0.1;c 1 ::3;d 2 127.0.0.1",
         {.is_balanced = true, .address_limit = 2},
         "abcd"},
        {"nothing to balance with",
         "a 1 ::1;b 1 ::2;c 1 ::3",
         {.is_balanced = true, .address_limit = 2},
         "abc"},
        {"no limit, no need",
         "a 1 ::1;b 1 ::2;c 2 127.0.0.1",
         {.is_balanced = true, .address_limit = 0},
         "abc"},
        {"a preference is balanced, too",
         "a 1 ::1;b 1 ::2;c 2 127.0.0.1",
         {.is_balanced = true, .address_limit = 2, .family_preference = PLAN_IPV6_FIRST},
         "acb"},
        {"half of each",
         "a 1 ::1;b 1 ::2;c 1 ::3;d 1 ::4;e 2 127.0.0.1;f 2 127.0.0.2;g 2 127.0.0.3",
         {.is_balanced = true, .address_limit = 5},
         "abcefdg"},
        {"all there are of the few",
         "a 1 ::1;b 1 ::2;c 1 ::3;d 1 ::4;e 2 127.0.0.1",
         {.is_balanced = true, .address_limit = 4},
         "abced"},
        {"the few come first",
         "a 1 127.0.0.1;b 2 ::1;c 2 ::2;d 2 ::3;e 2 127.0.0.2;f 2 ::4",
         {.is_balanced = true, .address_limit = 5},
         "abcdef"},
    };
    static struct plan plan;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        read_plan(rows[i].plan, &plan);
        plan_order(&plan, &rows[i].rules);
        assert_hosts(rows[i].name, &plan, rows[i].order);
    }
}

static void test_self(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *plan;
        enum plan_self result;
        const char *left;
        uint16_t best_preference;
    } rows[] = {
        {"absent", "a 1 127.0.0.2;b 2 ::2", PLAN_SELF_ABSENT, "ab", 0},
        {"the only one", "a 1 127.0.0.1", PLAN_SELF_IS_BEST, "", 1},
        {"the best", "a 1 127.0.0.1;b 2 127.0.0.2", PLAN_SELF_IS_BEST, "", 1},
        {"equal to the best", "a 1 127.0.0.2;b 1 ::1;c 2 127.0.0.3", PLAN_SELF_IS_BEST, "", 1},
        {"second", "a 1 127.0.0.2;b 2 ::1;c 2 127.0.0.3;d 3 127.0.0.4", PLAN_SELF_REMOVED, "a", 1},
        {"better ones without address", "b 2 127.0.0.1;c 3 127.0.0.2", PLAN_SELF_IS_BEST_KNOWN, "",
         1},
        {"several times", "a 1 127.0.0.2;b 2 ::1;c 3 127.0.0.1", PLAN_SELF_REMOVED, "a", 1},
    };
    static struct plan plan;
    struct ip_address own[2];
    assert_true(ip_address_parse(SPAN("127.0.0.1"), &own[0]));
    assert_true(ip_address_parse(SPAN("::1"), &own[1]));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        read_plan(rows[i].plan, &plan);
        plan.best_preference = rows[i].best_preference;
        if (plan_cut_at_self(&plan, own, 2) != rows[i].result)
            fail_msg("%s: another result", rows[i].name);
        assert_hosts(rows[i].name, &plan, rows[i].left);
    }
}

static void test_full(void **state)
{
    (void)state;
    static struct plan plan;
    const struct plan_target target = {.host = SPAN("x")};
    for (size_t i = 0; i < PLAN_TARGETS_MAX; i++)
        assert_true(plan_add(&plan, &target));
    assert_false(plan_add(&plan, &target));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nexthops), cmocka_unit_test(test_names), cmocka_unit_test(test_order),
        cmocka_unit_test(test_self),     cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
