/* tests/lib/address - mailboxes, paths, completion, extensions, networks. */
#include "../../test.h"

#include <stdlib.h>

#include "address/ip.h"
#include "address/mailbox.h"
#include "address/rewrite.h"
#include "base/compiler.h"

enum { TEST_ARENA_BYTES = 1 << 20 };

static void test_mailboxes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned rules;
        enum parse_result result;
        const char *local_part, *domain, *normal;
    } rows[] = {
        {"a@b.example", 0, PARSE_OK, "a", "b.example", "a@b.example"},
        {"A.b+c@B-1.Example", 0, PARSE_OK, "A.b+c", "B-1.Example", "A.b+c@B-1.Example"},
        {"\"a\"@b.example", 0, PARSE_OK, "a", "b.example", "a@b.example"},
        {"\"a\\.b\"@b.example", 0, PARSE_OK, "a.b", "b.example", "a.b@b.example"},
        {"\"a b\"@b.example", 0, PARSE_OK, "a b", "b.example", "\"a b\"@b.example"},
        {"\"a\\\"\\\\\"@b.example", 0, PARSE_OK, "a\"\\", "b.example", "\"a\\\"\\\\\"@b.example"},
        {"\"a@c\"@b.example", 0, PARSE_OK, "a@c", "b.example", "\"a@c\"@b.example"},
        {"\"\"@b.example", 0, PARSE_OK, "", "b.example", "\"\"@b.example"},
        {"a@[192.0.2.1]", 0, PARSE_OK, "a", "[192.0.2.1]", "a@[192.0.2.1]"},
        {"a@[IPv6:2001:db8::1]", 0, PARSE_OK, "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"},
        {"a@[2001:db8::1]", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a@[IPv6:192.0.2.1]", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a@[x25:1234]", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a@[192.0.2.1", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a@[192.0.2.1]x", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a", ADDRESS_ALLOW_NO_DOMAIN, PARSE_OK, "a", "", "a"},
        {"@b", ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0, 0},
        {"a@", ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0, 0},
        {"a@b@c", ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0, 0},
        {"a@b c", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a..b@c", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a..b@c", ADDRESS_ALLOW_LOOSE_DOTS, PARSE_OK, "a..b", "c", "\"a..b\"@c"},
        {"a.@c", ADDRESS_ALLOW_LOOSE_DOTS, PARSE_OK, "a.", "c", "\"a.\"@c"},
        {".a@c", ADDRESS_ALLOW_LOOSE_DOTS, PARSE_OK, ".a", "c", "\".a\"@c"},
        {"a@c.", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a@c.", ADDRESS_ALLOW_LOOSE_DOTS, PARSE_OK, "a", "c", "a@c"},
        {"a@c..", ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0, 0},
        {"a@.", ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0, 0},
        {"a@b_c.example", 0, PARSE_OK, "a", "b_c.example", "a@b_c.example"},
        {"a@-b", 0, PARSE_MALFORMED, 0, 0, 0},
        {"a@b-", 0, PARSE_MALFORMED, 0, 0, 0},
        {"\xc3\xa4@b", 0, PARSE_MALFORMED, 0, 0, 0},
        {"\xc3\xa4@b", ADDRESS_ALLOW_UTF8, PARSE_OK, "\xc3\xa4", "b", "\xc3\xa4@b"},
        {"\"\xc3\xa4 x\"@b", ADDRESS_ALLOW_UTF8, PARSE_OK, "\xc3\xa4 x", "b", "\"\xc3\xa4 x\"@b"},
        {"a@b\xc3\xbc.example", ADDRESS_ALLOW_UTF8, PARSE_OK, "a", "b\xc3\xbc.example",
         "a@b\xc3\xbc.example"},
        {"a@b\xc3.example", ADDRESS_ALLOW_UTF8, PARSE_MALFORMED, 0, 0, 0},
        {"\"a\tb\"@c", 0, PARSE_MALFORMED, 0, 0, 0},
        {"\"a\\\tb\"@c", 0, PARSE_MALFORMED, 0, 0, 0},
        {"\"a", ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0, 0},
        {"\"a\\", ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0, 0},
        {"\"a\"b@c", ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0, 0},
        {"", ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct mailbox mailbox;
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        const enum parse_result result =
            mailbox_parse(span_from_string(rows[i].text), rows[i].rules, &arena, &mailbox);
        if (result != rows[i].result)
            fail_msg("%s: result %d, not %d", rows[i].text, result, rows[i].result);
        if (result == PARSE_OK) {
            assert_span_is(rows[i].text, mailbox.local_part, rows[i].local_part);
            assert_span_is(rows[i].text, mailbox.domain, rows[i].domain);
            assert_span_is(rows[i].text, mailbox.text, rows[i].normal);
            assert_int_equal(mailbox.is_address_literal, rows[i].domain[0] == '[');
            /* The normal form means the same again, and stays as it is. */
            struct mailbox again;
            assert_int_equal(mailbox_parse(mailbox.text, rows[i].rules, &arena, &again), PARSE_OK);
            assert_span_is(rows[i].text, again.text, rows[i].normal);
            assert_true(mailbox_equals(&mailbox, &again));
            assert_true(mailbox_set(&again, mailbox.local_part, mailbox.domain, &arena));
            assert_span_is(rows[i].text, again.text, rows[i].normal);
        }
        arena_destroy(&arena);
    }
}

static struct span repeat(struct arena *arena, const char *start, char byte, size_t count,
                          const char *end)
{
    uint8_t *bytes = arena_alloc(arena, strlen(start) + count + strlen(end));
    assert_non_null(bytes);
    memcpy(bytes, start, strlen(start));
    memset(bytes + strlen(start), byte, count);
    memcpy(bytes + strlen(start) + count, end, strlen(end));
    return span_of(bytes, strlen(start) + count + strlen(end));
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *start;
        char byte;
        size_t count;
        const char *end;
        unsigned rules;
        enum parse_result result;
    } rows[] = {
        {"", 'a', 64, "@b.example", 0, PARSE_OK},
        {"", 'a', 65, "@b.example", 0, PARSE_TOO_LONG},
        {"", 'a', 255, "@b.example", ADDRESS_ALLOW_LONG_LOCAL_PART, PARSE_OK},
        {"", 'a', 256, "@b.example", ADDRESS_ALLOW_LONG_LOCAL_PART, PARSE_TOO_LONG},
        {"a@", 'b', 63, ".example", 0, PARSE_OK},
        {"a@", 'b', 64, ".example", 0, PARSE_TOO_LONG},
        {"a@b.c.d.e.f", '.', 1, "g", 0, PARSE_OK},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct mailbox mailbox;
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        const struct span text =
            repeat(&arena, rows[i].start, rows[i].byte, rows[i].count, rows[i].end);
        assert_int_equal(mailbox_parse(text, rows[i].rules, &arena, &mailbox), rows[i].result);
        arena_destroy(&arena);
    }
    char domain[300] = "a@";
    for (size_t i = 2; i < 2 + 256; i++)
        domain[i] = i % 2 ? '.' : 'b';
    domain[2 + 255] = 'b';
    domain[2 + 256] = 'b';
    struct arena arena;
    struct mailbox mailbox;
    arena_init(&arena, TEST_ARENA_BYTES, 0);
    /* 251 octets of domain fill the mailbox; without that limit, 255 the domain. */
    const unsigned longer = ADDRESS_ALLOW_LONG_LOCAL_PART;
    assert_int_equal(mailbox_parse(span_of(domain, 253), 0, &arena, &mailbox), PARSE_OK);
    assert_int_equal(mailbox_parse(span_of(domain, 255), 0, &arena, &mailbox), PARSE_TOO_LONG);
    assert_int_equal(mailbox_parse(span_of(domain, 257), longer, &arena, &mailbox), PARSE_OK);
    assert_int_equal(mailbox_parse(span_of(domain, 259), longer, &arena, &mailbox), PARSE_TOO_LONG);
    arena_destroy(&arena);
    /* A full arena is "too long", never a crash. */
    arena_init(&arena, 8, 0);
    assert_int_equal(mailbox_parse(SPAN("\"a b\"@c.example"), 0, &arena, &mailbox), PARSE_TOO_LONG);
    arena_destroy(&arena);
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum path_kind kind;
        unsigned rules;
        enum parse_result result;
        const char *normal, *rest;
    } rows[] = {
        {"<>", PATH_REVERSE, 0, PARSE_OK, "", ""},
        {"<> SIZE=1", PATH_REVERSE, 0, PARSE_OK, "", "SIZE=1"},
        {"<>", PATH_FORWARD, ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0},
        {"<a@b>", PATH_FORWARD, 0, PARSE_OK, "a@b", ""},
        {"<a@b> X=1 Y", PATH_FORWARD, 0, PARSE_OK, "a@b", "X=1 Y"},
        {"<a@b>X", PATH_FORWARD, ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0},
        {"<a@b", PATH_FORWARD, ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0},
        {"a@b>", PATH_FORWARD, ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0},
        {"a@b", PATH_FORWARD, 0, PARSE_MALFORMED, 0, 0},
        {"a@b", PATH_FORWARD, ADDRESS_ALLOW_NO_BRACKETS, PARSE_OK, "a@b", ""},
        {"a@b SIZE=2", PATH_REVERSE, ADDRESS_ALLOW_NO_BRACKETS, PARSE_OK, "a@b", "SIZE=2"},
        {" <a@b>", PATH_FORWARD, 0, PARSE_MALFORMED, 0, 0},
        {"  <a@b>", PATH_FORWARD, ADDRESS_ALLOW_LEADING_SPACE, PARSE_OK, "a@b", ""},
        {"<@x.example,@[192.0.2.1]:a@b>", PATH_FORWARD, 0, PARSE_OK, "a@b", ""},
        {"<@x.example:a@b>", PATH_REVERSE, 0, PARSE_OK, "a@b", ""},
        {"<@x.example:>", PATH_REVERSE, 0, PARSE_MALFORMED, 0, 0},
        {"<@x.example,a@b>", PATH_FORWARD, 0, PARSE_MALFORMED, 0, 0},
        {"<@x.example,@:a@b>", PATH_FORWARD, 0, PARSE_MALFORMED, 0, 0},
        {"<@>", PATH_FORWARD, ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0},
        {"<PostMaster>", PATH_FORWARD, 0, PARSE_OK, "PostMaster", ""},
        {"<PostMaster>", PATH_REVERSE, 0, PARSE_MALFORMED, 0, 0},
        {"<user>", PATH_FORWARD, 0, PARSE_MALFORMED, 0, 0},
        {"<user>", PATH_FORWARD, ADDRESS_LENIENT, PARSE_OK, "user", ""},
        {"<\"a> b\"@c> Z", PATH_FORWARD, 0, PARSE_OK, "\"a> b\"@c", "Z"},
        {"<\"a@b>", PATH_FORWARD, ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0},
        {"", PATH_REVERSE, ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0},
        {"<", PATH_REVERSE, ADDRESS_LENIENT, PARSE_MALFORMED, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct mailbox mailbox;
        struct span rest;
        const struct span text = span_from_string(rows[i].text);
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        const enum parse_result result =
            path_parse(text, rows[i].kind, rows[i].rules, &arena, &mailbox, &rest);
        if (result != rows[i].result)
            fail_msg("%s: result %d, not %d", rows[i].text, result, rows[i].result);
        if (result == PARSE_OK) {
            assert_span_is(rows[i].text, mailbox.text, rows[i].normal);
            assert_span_is(rows[i].text, rest, rows[i].rest);
            assert_int_equal(mailbox_is_null(&mailbox), rows[i].normal[0] == 0);
        }
        /* No prefix does harm, and none without its ">" is a path in brackets. */
        for (size_t length = 0; length < text.length; length++)
            if (path_parse(span_first(text, length), rows[i].kind, rows[i].rules, &arena, &mailbox,
                           &rest) == PARSE_OK &&
                text.bytes[0] == '<' && span_find_byte(span_first(text, length), '>') == length)
                fail_msg("%s: prefix %zu", rows[i].text, length);
        arena_destroy(&arena);
    }
}

static void test_completion(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool at_myorigin, dot_mydomain, percent;
        const char *completed;
    } rows[] = {
        {"user", true, false, false, "user@origin.example"},
        {"user", false, false, false, "user"},
        {"user@host", true, true, false, "user@host.domain.example"},
        {"user@host", true, false, false, "user@host"},
        {"user@host.x", true, true, false, "user@host.x"},
        {"user@host.", true, true, false, "user@host"},
        {"user@[192.0.2.1]", true, true, false, "user@[192.0.2.1]"},
        {"\"a b\"", true, true, false, "\"a b\"@origin.example"},
        {"a%b", true, true, false, "a%b@origin.example"},
        {"a%b", true, true, true, "a@b.domain.example"},
        {"a%b%c.d", true, true, true, "a%b@c.d"},
        {"%b", true, true, true, "%b@origin.example"},
        {"a%b@c.d", true, true, true, "a%b@c.d"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct mailbox mailbox;
        const struct address_completion rules = {
            .myorigin = SPAN_LITERAL("origin.example"),
            .mydomain = SPAN_LITERAL("domain.example"),
            .append_at_myorigin = rows[i].at_myorigin,
            .append_dot_mydomain = rows[i].dot_mydomain,
            .allow_percent_hack = rows[i].percent,
        };
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        assert_int_equal(
            mailbox_parse(span_from_string(rows[i].text), ADDRESS_LENIENT, &arena, &mailbox),
            PARSE_OK);
        assert_true(address_complete(&rules, &mailbox, &arena, &mailbox));
        assert_span_is(rows[i].text, mailbox.text, rows[i].completed);
        arena_destroy(&arena);
    }
}

static void test_extensions(void **state)
{
    (void)state;
    static const struct {
        const char *local_part, *delimiters;
        bool owner_request, is_split;
        const char *user, *extension;
    } rows[] = {
        {"user+ext", "+", true, true, "user", "ext"},
        {"user+a+b", "+", true, true, "user", "a+b"},
        {"user-a+b", "+-", true, true, "user", "a+b"},
        {"user+a-b", "+-", true, true, "user", "a-b"},
        {"user+", "+", true, true, "user", ""},
        {"+ext", "+", true, false, "+ext", ""},
        {"user", "+", true, false, "user", ""},
        {"user+ext", "", true, false, "user+ext", ""},
        {"PostMaster", "m", true, false, "PostMaster", ""},
        {"mailer-daemon", "-", true, false, "mailer-daemon", ""},
        {"double-bounce", "-", true, false, "double-bounce", ""},
        {"owner-list", "-", true, false, "owner-list", ""},
        {"owner-list", "-", false, true, "owner", "list"},
        {"list-request", "-", true, false, "list-request", ""},
        {"list-request", "-", false, true, "list", "request"},
        {"owner-list+x", "+", true, true, "owner-list", "x"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct span user, extension;
        assert_int_equal(address_split_extension(span_from_string(rows[i].local_part),
                                                 span_from_string(rows[i].delimiters),
                                                 rows[i].owner_request, &user, &extension),
                         rows[i].is_split);
        assert_span_is(rows[i].local_part, user, rows[i].user);
        assert_span_is(rows[i].local_part, extension, rows[i].extension);
    }
}

static void test_comparison_and_log(void **state)
{
    (void)state;
    struct arena arena;
    struct mailbox left, right;
    arena_init(&arena, TEST_ARENA_BYTES, 0);
    assert_true(address_domain_equals(SPAN("A.Example."), SPAN("a.example")));
    assert_false(address_domain_equals(SPAN("a.example"), SPAN("b.example")));
    assert_true(address_domain_is_within(SPAN("x.A.example"), SPAN("a.example")));
    assert_true(address_domain_is_within(SPAN("a.example"), SPAN("a.example")));
    assert_false(address_domain_is_within(SPAN("xa.example"), SPAN("a.example")));
    assert_false(address_domain_is_within(SPAN("example"), SPAN("a.example")));
    assert_false(address_domain_is_within(SPAN("a"), SPAN("")));
    assert_true(mailbox_set(&left, SPAN("User"), SPAN("a.example"), &arena));
    assert_true(mailbox_set(&right, SPAN("user"), SPAN("A.EXAMPLE"), &arena));
    assert_false(mailbox_equals(&left, &right));
    assert_span_is("fold all", address_fold(&right, true, &arena), "user@a.example");
    assert_span_is("fold domain", address_fold(&left, false, &arena), "User@a.example");
    assert_true(mailbox_set(&left, SPAN("PostMaster"), SPAN("a"), &arena));
    assert_true(mailbox_set(&right, SPAN("postmaster"), SPAN("A"), &arena));
    assert_true(mailbox_equals(&left, &right));
    assert_false(mailbox_set(&left, SPAN("a\rb"), SPAN("a"), &arena));
    assert_false(mailbox_set(&left, SPAN("a"), SPAN("a b"), &arena));
    arena_destroy(&arena);
}

static void test_ip_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *normal;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.1 ", NULL},
        {"[::1]", NULL},
        {"fe80::1%eth0", NULL},
        {"", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"01.2.3.4", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ip_address address;
        char text[IP_ADDRESS_TEXT_MAX_BYTES];
        const bool good = ip_address_parse(span_from_string(rows[i].text), &address);
        if (good != (rows[i].normal != NULL))
            fail_msg("%s: %d", rows[i].text, good);
        if (good)
            assert_span_is(rows[i].text, ip_address_format(&address, text), rows[i].normal);
    }
    const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7};
    const struct ip_address address = ip_address_from_bytes(IP_FAMILY_6, mapped);
    char text[IP_ADDRESS_TEXT_MAX_BYTES];
    assert_span_is("mapped", ip_address_format(&address, text), "192.0.2.7");
}

static void test_networks(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        enum parse_result result;
        const char *inside, *outside;
        const char *bad_word;
    } rows[] = {
        {"127.0.0.0/8", PARSE_OK, "127.9.9.9", "128.0.0.1", 0},
        {"192.0.2.1", PARSE_OK, "192.0.2.1", "192.0.2.2", 0},
        {"!192.0.2.1 192.0.2.0/24", PARSE_OK, "192.0.2.2", "192.0.2.1", 0},
        {"192.0.2.0/24, !192.0.2.1", PARSE_OK, "192.0.2.1", "192.0.3.1", 0},
        {"[::1]/128 [2001:db8::]/33", PARSE_OK, "2001:db8::1", "2001:db8:8000::1", 0},
        {"[2001:db8::/32]", PARSE_OK, "2001:db8::1", "2001:db9::1", 0},
        {"[::1]", PARSE_OK, "::1", "127.0.0.1", 0},
        {"0.0.0.0/0", PARSE_OK, "1.2.3.4", "::1", 0},
        {"", PARSE_OK, NULL, "127.0.0.1", 0},
        {"10.0.0.0/8 10.0.0.1/8", PARSE_MALFORMED, 0, 0, "10.0.0.1/8"},
        {"10.0.0.0/33", PARSE_MALFORMED, 0, 0, "10.0.0.0/33"},
        {"::1/128", PARSE_MALFORMED, 0, 0, "::1/128"},
        {"[127.0.0.1]", PARSE_MALFORMED, 0, 0, "[127.0.0.1]"},
        {"[::1]128", PARSE_MALFORMED, 0, 0, "[::1]128"},
        {"[::1", PARSE_MALFORMED, 0, 0, "[::1"},
        {"10.0.0.0/", PARSE_MALFORMED, 0, 0, "10.0.0.0/"},
        {"host.example", PARSE_MALFORMED, 0, 0, "host.example"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct ip_network_list list;
        struct span bad_word;
        struct ip_address address;
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        const enum parse_result result =
            ip_network_list_parse(span_from_string(rows[i].list), &arena, &list, &bad_word);
        if (result != rows[i].result)
            fail_msg("%s: %d", rows[i].list, result);
        if (result == PARSE_MALFORMED)
            assert_span_is(rows[i].list, bad_word, rows[i].bad_word);
        if (rows[i].inside) {
            assert_true(ip_address_parse(span_from_string(rows[i].inside), &address));
            if (!ip_network_list_has(&list, &address))
                fail_msg("%s has %s", rows[i].list, rows[i].inside);
        }
        if (rows[i].outside) {
            assert_true(ip_address_parse(span_from_string(rows[i].outside), &address));
            if (ip_network_list_has(&list, &address))
                fail_msg("%s has not %s", rows[i].list, rows[i].outside);
        }
        arena_destroy(&arena);
    }
}

static void test_global(void **state)
{
    (void)state;
    /* Both ends of each network, and their neighbours. */
    static const struct {
        const char *text;
        bool is_global;
    } rows[] = {
        {"0.0.0.0", false},
        {"0.255.255.255", false},
        {"1.0.0.0", true},
        {"9.255.255.255", true},
        {"10.0.0.0", false},
        {"10.255.255.255", false},
        {"11.0.0.0", true},
        {"100.63.255.255", true},
        {"100.64.0.0", false},
        {"100.127.255.255", false},
        {"100.128.0.0", true},
        {"126.255.255.255", true},
        {"127.0.0.1", false},
        {"127.255.255.255", false},
        {"128.0.0.0", true},
        {"169.253.255.255", true},
        {"169.254.169.254", false},
        {"169.255.0.0", true},
        {"172.15.255.255", true},
        {"172.16.0.0", false},
        {"172.31.255.255", false},
        {"172.32.0.0", true},
        {"192.0.0.0", false},
        {"192.0.0.255", false},
        {"192.0.1.0", true},
        {"192.0.2.1", false},
        {"192.0.3.0", true},
        {"192.88.99.1", false},
        {"192.167.255.255", true},
        {"192.168.0.0", false},
        {"192.168.255.255", false},
        {"192.169.0.0", true},
        {"198.17.255.255", true},
        {"198.18.0.0", false},
        {"198.19.255.255", false},
        {"198.20.0.0", true},
        {"198.51.100.7", false},
        {"203.0.113.7", false},
        {"223.255.255.255", true},
        {"224.0.0.1", false},
        {"239.255.255.255", false},
        {"240.0.0.0", false},
        {"255.255.255.255", false},
        {"::", false},
        {"::1", false},
        {"::2", false},
        {"::127.0.0.1", false},
        {"::8.8.8.8", false},
        {"::ffff:8.8.8.8", true},
        {"::ffff:127.0.0.1", false},
        {"::ffff:10.1.2.3", false},
        {"::ffff:0:8.8.8.8", false},
        {"64:ff9b::8.8.8.8", true},
        {"64:ff9b::10.1.2.3", false},
        {"64:ff9b::169.254.169.254", false},
        {"64:ff9b:0:0:0:1:808:808", false},
        {"64:ff9b:1::8.8.8.8", false},
        {"100::1", false},
        {"1fff:ffff::1", false},
        {"2000::1", true},
        {"2001::1", false},
        {"2001:1ff:ffff::1", false},
        {"2001:200::1", true},
        {"2001:db7:ffff::1", true},
        {"2001:db8::1", false},
        {"2001:db9::1", true},
        {"2002:808:808::1", true},
        {"2002:a01:203::1", false},
        {"2002:7f00:1::1", false},
        {"2002:c0a8:101::1", false},
        {"2003::1", true},
        {"2a00:1450:4001::1", true},
        {"3ffe:ffff::1", true},
        {"3fff::1", false},
        {"3fff:fff:ffff::1", false},
        {"3fff:1000::1", true},
        {"4000::1", false},
        {"5f00::1", false},
        {"fc00::1", false},
        {"fdff:ffff::1", false},
        {"fe80::1", false},
        {"febf:ffff::1", false},
        {"fec0::1", false},
        {"ff02::1", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ip_address address;
        assert_true(ip_address_parse(span_from_string(rows[i].text), &address));
        if (ip_address_is_global(&address) != rows[i].is_global)
            fail_msg("%s: %d", rows[i].text, !rows[i].is_global);
    }
    const struct ip_address none = {IP_FAMILY_NONE, {0}};
    assert_false(ip_address_is_global(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailboxes),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_paths),        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_extensions),   cmocka_unit_test(test_comparison_and_log),
        cmocka_unit_test(test_ip_addresses), cmocka_unit_test(test_networks),
        cmocka_unit_test(test_global),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
