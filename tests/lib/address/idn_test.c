/* tests/lib/address/idn - U-labels and A-labels. */
#include "../../test.h"

#include "address/idn.h"

static void test_to_ascii(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        enum parse_result result;
        const char *ascii;
    } rows[] = {
        {"example.org", PARSE_OK, "example.org"},
        {"Example.ORG", PARSE_OK, "Example.ORG"},
        {"a_b.example", PARSE_OK, "a_b.example"},
        {"[192.0.2.1]", PARSE_OK, "[192.0.2.1]"},
        {"b\xc3\xbc"
         "cher.example",
         PARSE_OK, "xn--bcher-kva.example"},
        {"B\xc3\x9c"
         "CHER.example",
         PARSE_OK, "xn--bcher-kva.example"},
        /* u and a combining diaeresis */
        {"bu\xcc\x88"
         "cher.example",
         PARSE_OK, "xn--bcher-kva.example"},
        /* RFC 5891: sharp s is a letter of its own */
        {"stra\xc3\x9f"
         "e.example",
         PARSE_OK, "xn--strae-oqa.example"},
        /* the full stop of other scripts separates labels, too: UTS 46 section 2.3 */
        {"\xe4\xbe\x8b\xe3\x80\x82\xe6\xb5\x8b\xe8\xaf\x95", PARSE_OK, "xn--fsq.xn--0zwm56d"},
        /* no letters: RFC 5892 */
        {"\xe2\x98\x83.example", PARSE_MALFORMED, NULL},
        {"-\xc3\xbc.example", PARSE_MALFORMED, NULL},
        {"\xcc\x88u.example", PARSE_MALFORMED, NULL},
        {"\xc3\xbc..example", PARSE_MALFORMED, NULL},
        {"\xff.example", PARSE_MALFORMED, NULL},
        {"a\xe2\x80\xae"
         "b.example",
         PARSE_MALFORMED, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct span ascii = span_empty();
        arena_init(&arena, 1 << 16, 0);
        const enum parse_result result =
            address_domain_to_ascii(span_from_string(rows[i].domain), &arena, &ascii);
        if (result != rows[i].result)
            fail_msg("%s: %d \"%.*s\"", rows[i].domain, (int)result, SPAN_PRINTF(ascii));
        if (rows[i].ascii)
            assert_span_is(rows[i].domain, ascii, rows[i].ascii);
        arena_destroy(&arena);
    }
}

static void test_limits(void **state)
{
    (void)state;
    char label[70];
    struct arena arena;
    struct span ascii;
    memset(label, 'a', sizeof(label));
    memcpy(label, "\xc3\xbc", 2);
    arena_init(&arena, 1 << 16, 0);
    assert_int_equal(address_domain_to_ascii(span_of(label, sizeof(label)), &arena, &ascii),
                     PARSE_TOO_LONG);
    arena_destroy(&arena);
    arena_init(&arena, 4, 0);
    assert_int_equal(address_domain_to_ascii(SPAN("\xc3\xbc.example"), &arena, &ascii),
                     PARSE_TOO_LONG);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_ascii),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
