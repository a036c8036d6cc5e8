/* tests/lib/address - addresses found in header fields and table values. */
#include "../../test.h"

#include <stdio.h>

#include "address/scan.h"

/* "local|domain local|domain", a domain of "-" where there is no "@". */
static void list(const char *text, enum address_scan_style style, char *out, size_t size)
{
    struct address_found found;
    struct arena arena;
    size_t position = 0;
    size_t length = 0;

    arena_init(&arena, 1 << 20, 0);
    out[0] = '\0';
    while (address_scan_next(span_from_string(text), style, &position, &arena, &found) ==
           PARSE_OK) {
        assert_true(found.begin < found.end && found.end <= position && position <= strlen(text));
        length += (size_t)snprintf(out + length, size - length, "%s%.*s|%.*s", length ? " " : "",
                                   SPAN_PRINTF(found.local_part),
                                   found.has_at ? (int)found.domain.length : 1,
                                   found.has_at ? (const char *)found.domain.bytes : "-");
    }
    arena_destroy(&arena);
}

static const struct {
    const char *text, *expected;
} headers[] = {
    {"a@b.example", "a|b.example"},
    {" a@b , c@d ", "a|b c|d"},
    {"Alice <a@b>, \"Bob, B.\" <c@d>", "a|b c|d"},
    {"a @ b . example", "a|b.example"},
    {"a(x)@(y(z))b", "a|b"},
    {"\"a b\"@c", "a b|c"},
    {"\"a@b\"@c", "a@b|c"},
    {"a\\ b@c", "a b|c"},
    {"a@[192.0.2.1]", "a|[192.0.2.1]"},
    {"<@x,@y:a@b>", "a|b"},
    {"<@x>", "|x"},
    {"friends: a@b, c@d; e@f", "a|b c|d e|f"},
    {"undisclosed-recipients:;", ""},
    {"alice", "alice|-"},
    {"Alice Smith", ""},
    {"Alice Smith, bob", "bob|-"},
    {"<alice>", "alice|-"},
    {"<>", ""},
    {"a@b\r\n <c@d>", "c|d"},
    {"a@b,\r\n\tc@d", "a|b c|d"},
    {"a!b%c@d", "a!b%c|d"},
    {"a@b@c", "a@b|c"},
    {"\"open", "open|-"},
    {"(open a@b", ""},
    {"a@[open", "a|[open"},
    {"<a@b", "a|b"},
    {"", ""},
    {",;:,", ""},
    {"a@b>", "a|b"},
};

static const struct {
    const char *text, *expected;
} values[] = {
    {"alice bob", "alice|- bob|-"},
    {"alice, bob@c  dave", "alice|- bob|c dave|-"},
    {"@other.example", "|other.example"},
    {"Alice Smith <a@b>, c", "a|b c|-"},
    {"\"foo bar\"@example.com,x", "foo bar|example.com x|-"},
    {"|cmd", "|cmd|-"},
};

static void test_headers(void **state)
{
    char out[1024];
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        list(headers[i].text, ADDRESS_SCAN_HEADER, out, sizeof(out));
        if (strcmp(out, headers[i].expected) != 0)
            fail_msg("%s: got \"%s\"", headers[i].text, out);
    }
}

static void test_values(void **state)
{
    char out[1024];
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        list(values[i].text, ADDRESS_SCAN_VALUE, out, sizeof(out));
        if (strcmp(out, values[i].expected) != 0)
            fail_msg("%s: got \"%s\"", values[i].text, out);
    }
}

/* Where an address stands is what a rewriter replaces. */
static void test_places(void **state)
{
    const struct span text = SPAN("Al <a@b>, \"c d\" @e (x), f");
    static const char *const expected[] = {"a@b", "\"c d\" @e", "f"};
    struct address_found found;
    struct arena arena;
    size_t position = 0;

    (void)state;
    arena_init(&arena, 1 << 16, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        assert_int_equal(address_scan_next(text, ADDRESS_SCAN_HEADER, &position, &arena, &found),
                         PARSE_OK);
        assert_span_is("place", span_between(text, found.begin, found.end), expected[i]);
    }
    assert_int_equal(address_scan_next(text, ADDRESS_SCAN_HEADER, &position, &arena, &found),
                     PARSE_NEED_MORE);
    arena_destroy(&arena);
}

/* Cut anywhere, what is left is still gone through to its end. */
static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++)
        for (size_t length = 0; length <= strlen(headers[i].text); length++) {
            char text[128], out[1024];
            (void)snprintf(text, sizeof(text), "%.*s", (int)length, headers[i].text);
            list(text, ADDRESS_SCAN_HEADER, out, sizeof(out));
            list(text, ADDRESS_SCAN_VALUE, out, sizeof(out));
        }
}

static void test_memory(void **state)
{
    struct address_found found;
    struct arena arena;
    size_t position = 0;

    (void)state;
    arena_init(&arena, 8, 0);
    assert_int_equal(address_scan_next(SPAN("somebody@example.org"), ADDRESS_SCAN_HEADER, &position,
                                       &arena, &found),
                     PARSE_TOO_LONG);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers), cmocka_unit_test(test_values),
        cmocka_unit_test(test_places),  cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
