/* tests/lib/address/host_list - clients by network and by name. */
#include "../../test.h"

#include "address/host_list.h"

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *address;
        const char *name;
        bool has;
    } rows[] = {
        {"", "192.0.2.1", "a.example", false},
        {"192.0.2.0/24", "192.0.2.1", "", true},
        {"192.0.2.0/24", "192.0.3.1", "", false},
        {"!192.0.2.1, 192.0.2.0/24", "192.0.2.1", "", false},
        {"!192.0.2.1, 192.0.2.0/24", "192.0.2.2", "", true},
        {"[2001:db8::]/32", "2001:db8::7", "", true},
        {"a.example", "192.0.2.1", "A.example", true},
        {"a.example", "192.0.2.1", "b.a.example", false},
        {".example", "192.0.2.1", "a.example", true},
        {".example", "192.0.2.1", "example", false},
        {".example", "192.0.2.1", "", false},
        {"!b.example .example", "192.0.2.1", "b.example", false},
        {"permit_sasl_authenticated 192.0.2.1", "192.0.2.1", "", true},
        {"!", "192.0.2.1", "", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct host_list list;
        struct ip_address address;
        arena_init(&arena, 1 << 14, 0);
        assert_true(ip_address_parse(span_from_string(rows[i].address), &address));
        assert_true(host_list_parse(span_from_string(rows[i].list), &arena, &list));
        if (host_list_has(&list, &address, span_from_string(rows[i].name)) != rows[i].has)
            fail_msg("row %zu: \"%s\"", i, rows[i].list);
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
