/* tests/smtp/wire - addresses in MAIL and RCPT. */
#include "../test.h"

#include "../../smtp/wire.h"

static const struct {
    const char *address;
    bool has_smtputf8, does_not_quote;
    const char *text; /* NULL: needs SMTPUTF8 */
} rows[] = {
    {"", false, false, ""},
    {"a@b.test", false, false, "a@b.test"},
    {"\"a b\"@b.test", false, false, "\"a b\"@b.test"},
    {"\"a.b\"@b.test", false, false, "a.b@b.test"},
    {"\"a..b\"@b.test", false, true, "a..b@b.test"},
    {"\"a b\"@b.test", false, true, "\"a b\"@b.test"},
    {"\"a>b\"@b.test", false, true, "\"a>b\"@b.test"},
    {"postmaster", false, false, "postmaster"},
    {"a@b\xc3\xbc"
     "cher.test",
     false, false, "a@xn--bcher-kva.test"},
    {"a@b\xc3\xbc"
     "cher.test",
     true, false,
     "a@b\xc3\xbc"
     "cher.test"},
    {"\xc3\xa4@b.test", false, false, NULL},
    {"\xc3\xa4@b.test", true, false, "\xc3\xa4@b.test"},
    {"\xc3\xa4@b\xc3\xbc"
     "cher.test",
     false, false, NULL},
    {"a@[192.0.2.1]", false, false, "a@[192.0.2.1]"},
    {"a@b@c", false, false, "a@b@c"},
    {"a@\xff.test", false, false, NULL},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct span text;
        const struct wire_rules rules = {rows[i].has_smtputf8, !rows[i].does_not_quote};
        arena_init(&arena, 65536, 0);
        const bool can_go = wire_address(span_from_string(rows[i].address), &rules, &arena, &text);
        if (can_go != (rows[i].text != NULL))
            fail_msg("row %zu: %s", i, can_go ? "goes" : "does not go");
        if (can_go)
            assert_span_is(rows[i].address, text, rows[i].text);
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
