/* tests/smtp/hosts_file - names in hosts(5). */
#include "../test.h"

#include "../../smtp/hosts_file.h"
#include "base/buffer.h"

static const char file[] = "# comment\n"
                           "127.0.0.1\tlocalhost\n"
                           "192.0.2.1 mx.example.org mx # mx2.example.org\n"
                           "\n"
                           "2001:db8::1   mx.example.org.\r\n"
                           "not-an-address mx.example.org\n"
                           "192.0.2.300 mx.example.org\n"
                           "192.0.2.2 MX";

static const struct {
    const char *name;
    size_t count;
    const char *first;
} rows[] = {
    {"localhost", 1, "127.0.0.1"}, {"mx.example.org", 2, "192.0.2.1"},  {"mx", 2, "192.0.2.1"},
    {"mx2.example.org", 0, NULL},  {"mx.example.org.", 2, "192.0.2.1"}, {"", 0, NULL},
    {"192.0.2.1", 0, NULL},
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ip_address addresses[HOSTS_FILE_ADDRESSES_MAX];
        char text[IP_ADDRESS_TEXT_MAX_BYTES];
        const size_t count = hosts_file_lookup(span_of(file, sizeof(file) - 1),
                                               span_from_string(rows[i].name), addresses);
        assert_int_equal(count, rows[i].count);
        if (count > 0)
            assert_span_is(rows[i].name, ip_address_format(&addresses[0], text), rows[i].first);
    }
}

static void test_many(void **state)
{
    (void)state;
    struct ip_address addresses[HOSTS_FILE_ADDRESSES_MAX];
    struct buffer lines;
    buffer_init(&lines, NULL, 65536);
    for (unsigned i = 0; i < 100; i++)
        buffer_append_format(&lines, "192.0.2.%u many\n", i);
    assert_int_equal(hosts_file_lookup(buffer_span(&lines), SPAN("many"), addresses),
                     HOSTS_FILE_ADDRESSES_MAX);
    buffer_release(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
