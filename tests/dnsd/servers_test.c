/* tests/dnsd/servers - resolvers from a setting and from resolv.conf. */
#include "../test.h"

#include <arpa/inet.h>

#include "../../dnsd/servers.h"

static void assert_servers(const char *name, const struct dns_servers *servers,
                           const char *expected)
{
    char text[1024] = "";
    size_t length = 0;
    for (size_t i = 0; i < servers->count; i++) {
        char address[INET6_ADDRSTRLEN];
        const struct dns_server *server = &servers->list[i];
        assert_non_null(inet_ntop(server->address_length == 4 ? AF_INET : AF_INET6, server->address,
                                  address, sizeof(address)));
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s#%u", i ? " " : "",
                                   address, (unsigned)server->port);
    }
    if (strcmp(text, expected) != 0)
        fail_msg("%s: got %s, expected %s", name, text, expected);
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum parse_result result;
        const char *servers; /* or the problem */
    } rows[] = {
        {"", PARSE_OK, ""},
        {" , ", PARSE_OK, ""},
        {"192.0.2.1", PARSE_OK, "192.0.2.1#53"},
        {"192.0.2.1:5353, ::1", PARSE_OK, "192.0.2.1#5353 ::1#53"},
        {"[::1]:54\t[2001:db8::1] [127.0.0.1]:55", PARSE_OK, "::1#54 2001:db8::1#53 127.0.0.1#55"},
        {"::1 resolver.example", PARSE_MALFORMED, "resolver.example"},
        {"192.0.2.1:", PARSE_MALFORMED, "192.0.2.1:"},
        {"192.0.2.1:0", PARSE_MALFORMED, "192.0.2.1:0"},
        {"192.0.2.1:65536", PARSE_MALFORMED, "192.0.2.1:65536"},
        {"192.0.2.256", PARSE_MALFORMED, "192.0.2.256"},
        {"[::1", PARSE_MALFORMED, "[::1"},
        {"[::1]53", PARSE_MALFORMED, "[::1]53"},
        {"[]", PARSE_MALFORMED, "[]"},
        {":53", PARSE_MALFORMED, ":53"},
        {"1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9", PARSE_TOO_LONG,
         "1.1.1.9"},
        {"1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1", PARSE_MALFORMED,
         "1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dns_servers servers = dns_servers_none(2000, 3);
        struct span problem = span_empty();
        if (dns_servers_from_list(span_from_string(rows[i].text), &servers, &problem) !=
            rows[i].result)
            fail_msg("%s: another result", rows[i].text);
        if (rows[i].result == PARSE_OK)
            assert_servers(rows[i].text, &servers, rows[i].servers);
        else
            assert_span_is(rows[i].text, problem, rows[i].servers);
    }
}

static void test_resolv_conf(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        const char *servers;
        unsigned timeout_ms;
        unsigned attempts;
        bool is_rotating;
    } rows[] = {
        {"empty", "", "127.0.0.1#53", 2000, 3, false},
        {"usual", "# by hand\nsearch example.org\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 \n",
         "192.0.2.1#53 2001:db8::1#53", 2000, 3, false},
        {"options", "options timeout:1 rotate attempts:2 ndots:4\nnameserver ::1", "::1#53", 1000,
         2, true},
        {"out of range", "options timeout:99 attempts:99\r\nnameserver 10.0.0.1\r\n", "10.0.0.1#53",
         30000, 5, false},
        {"zero", "options timeout:0 attempts:0 timeout: timeout:x\n", "127.0.0.1#53", 2000, 3,
         false},
        {"not an address",
         "nameserver fe80::1%eth0\nnameserver\nnameserver host\nnameserver "
         "10.0.0.1 10.0.0.2\n",
         "10.0.0.1#53", 2000, 3, false},
        {"too many",
         "nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n"
         "nameserver 1.1.1.5\nnameserver 1.1.1.6\nnameserver 1.1.1.7\nnameserver 1.1.1.8\n"
         "nameserver 1.1.1.9\n",
         "1.1.1.1#53 1.1.1.2#53 1.1.1.3#53 1.1.1.4#53 1.1.1.5#53 1.1.1.6#53 1.1.1.7#53 1.1.1.8#53",
         2000, 3, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dns_servers servers = dns_servers_none(2000, 3);
        dns_servers_from_resolv_conf(span_from_string(rows[i].text), &servers);
        assert_servers(rows[i].name, &servers, rows[i].servers);
        if (servers.timeout_ms != rows[i].timeout_ms || servers.attempts != rows[i].attempts ||
            servers.is_rotating != rows[i].is_rotating)
            fail_msg("%s: options", rows[i].name);
    }
}

/* Read from a file, but from one that an operator or DHCP client wrote: any prefix will do. */
static void test_resolv_conf_by_prefix(void **state)
{
    (void)state;
    const struct span text = SPAN("options timeout:1 attempts:2\nnameserver 192.0.2.1\nname");
    for (size_t length = 0; length <= text.length; length++) {
        struct dns_servers servers = dns_servers_none(2000, 3);
        dns_servers_from_resolv_conf(span_first(text, length), &servers);
        assert_int_equal(servers.count, 1);
    }
}

static void test_trust(void **state)
{
    (void)state;
    static const struct {
        const char *servers;
        const char *wish;
        bool has_option, is_trusted;
    } rows[] = {
        {"127.0.0.1", "auto", false, true},
        {"127.0.0.53:5353 ::1", "auto", false, true},
        {"127.0.0.1 192.0.2.1", "auto", false, false},
        {"2001:db8::1", "auto", false, false},
        {"192.0.2.1", "auto", true, true},
        {"192.0.2.1", "yes", false, true},
        {"127.0.0.1", "no", true, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dns_servers servers = dns_servers_none(1, 1);
        struct span problem;
        assert_int_equal(
            dns_servers_from_list(span_from_string(rows[i].servers), &servers, &problem), PARSE_OK);
        if (rows[i].has_option)
            dns_servers_from_resolv_conf(SPAN("options edns0 trust-ad\n"), &servers);
        dns_servers_decide_trust(span_from_string(rows[i].wish), &servers);
        if (servers.is_trusted != rows[i].is_trusted)
            fail_msg("%s, %s", rows[i].servers, rows[i].wish);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_resolv_conf),
        cmocka_unit_test(test_resolv_conf_by_prefix),
        cmocka_unit_test(test_trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
