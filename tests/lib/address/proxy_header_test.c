/* tests/lib/address/proxy_header - PROXY protocol headers of both versions, whole and by the byte.
 */
#include "../../test.h"

#include "address/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define INET4 "\xc0\x00\x02\x07\xcb\x00\x71\x01\x10\x00\x00\x19"
#define INET6                                                                                      \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x10\x00" \
    "\x00\x19"

struct row {
    const char *name;
    struct span input; /* "Q" follows where it is good */
    enum parse_result result;
    const char *client; /* NULL: local */
    const char *server;
};

static const struct row rows[] = {
    {"v1", SPAN_LITERAL("PROXY TCP4 192.0.2.7 203.0.113.1 4096 25\r\nQ"), PARSE_OK, "192.0.2.7",
     "203.0.113.1"},
    {"v1 IPv6", SPAN_LITERAL("PROXY TCP6 2001:db8::7 2001:db8::1 4096 25\r\nQ"), PARSE_OK,
     "2001:db8::7", "2001:db8::1"},
    {"v1 mapped", SPAN_LITERAL("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:203.0.113.1 4096 25\r\nQ"),
     PARSE_OK, "192.0.2.7", "203.0.113.1"},
    {"v1 unknown", SPAN_LITERAL("PROXY UNKNOWN\r\nQ"), PARSE_OK, NULL, NULL},
    {"v1 unknown with words", SPAN_LITERAL("PROXY UNKNOWN a b c d e f g h\r\nQ"), PARSE_OK, NULL,
     NULL},
    {"v1 longest",
     SPAN_LITERAL("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 "
                  "-----------------------------------------------\r\nQ"),
     PARSE_OK, NULL, NULL},
    {"v1 too long",
     SPAN_LITERAL("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 "
                  "------------------------------------------------\r\n"),
     PARSE_TOO_LONG, NULL, NULL},
    {"v1 bare LF", SPAN_LITERAL("PROXY UNKNOWN\n"), PARSE_MALFORMED, NULL, NULL},
    {"v1 case", SPAN_LITERAL("proxy UNKNOWN\r\n"), PARSE_MALFORMED, NULL, NULL},
    {"v1 families", SPAN_LITERAL("PROXY TCP4 2001:db8::7 203.0.113.1 4096 25\r\n"), PARSE_MALFORMED,
     NULL, NULL},
    {"v1 a port too large", SPAN_LITERAL("PROXY TCP4 192.0.2.7 203.0.113.1 65536 25\r\n"),
     PARSE_MALFORMED, NULL, NULL},
    {"v1 a port with a zero", SPAN_LITERAL("PROXY TCP4 192.0.2.7 203.0.113.1 04096 25\r\n"),
     PARSE_MALFORMED, NULL, NULL},
    {"v1 too few", SPAN_LITERAL("PROXY TCP4 192.0.2.7 203.0.113.1 4096\r\n"), PARSE_MALFORMED, NULL,
     NULL},
    {"v1 too many", SPAN_LITERAL("PROXY TCP4 192.0.2.7 203.0.113.1 4096 25 1\r\n"), PARSE_MALFORMED,
     NULL, NULL},
    {"v1 two spaces", SPAN_LITERAL("PROXY TCP4  192.0.2.7 203.0.113.1 4096 25\r\n"),
     PARSE_MALFORMED, NULL, NULL},
    {"no header", SPAN_LITERAL("EHLO client.example\r\n"), PARSE_MALFORMED, NULL, NULL},
    {"v2", SPAN_LITERAL(SIGNATURE "\x21\x11\x00\x0c" INET4 "Q"), PARSE_OK, "192.0.2.7",
     "203.0.113.1"},
    {"v2 IPv6", SPAN_LITERAL(SIGNATURE "\x21\x21\x00\x24" INET6 "Q"), PARSE_OK, "2001:db8::7",
     "2001:db8::1"},
    {"v2 extensions",
     SPAN_LITERAL(SIGNATURE "\x21\x11\x00\x14" INET4 "\x04\x00\x00\x02\x00\x02hiQ"), PARSE_OK,
     "192.0.2.7", "203.0.113.1"},
    {"v2 checksum",
     SPAN_LITERAL(SIGNATURE "\x21\x11\x00\x13" INET4 "\x03\x00\x04\x72\x91\x6c\x3e"
                            "Q"),
     PARSE_OK, "192.0.2.7", "203.0.113.1"},
    {"v2 wrong checksum",
     SPAN_LITERAL(SIGNATURE "\x21\x11\x00\x13" INET4 "\x03\x00\x04\x72\x91\x6c\x3f"),
     PARSE_MALFORMED, NULL, NULL},
    {"v2 short checksum", SPAN_LITERAL(SIGNATURE "\x21\x11\x00\x11" INET4 "\x03\x00\x02\x01\x02"),
     PARSE_MALFORMED, NULL, NULL},
    {"v2 half an extension", SPAN_LITERAL(SIGNATURE "\x21\x11\x00\x0e" INET4 "\x04\x00"),
     PARSE_MALFORMED, NULL, NULL},
    {"v2 an extension too long", SPAN_LITERAL(SIGNATURE "\x21\x11\x00\x10" INET4 "\x04\x00\x02x"),
     PARSE_MALFORMED, NULL, NULL},
    {"v2 local", SPAN_LITERAL(SIGNATURE "\x20\x00\x00\x00Q"), PARSE_OK, NULL, NULL},
    {"v2 local with anything", SPAN_LITERAL(SIGNATURE "\x20\xff\x00\x03xyzQ"), PARSE_OK, NULL,
     NULL},
    {"v2 unspecified", SPAN_LITERAL(SIGNATURE "\x21\x00\x00\x02xyQ"), PARSE_OK, NULL, NULL},
    {"v2 datagrams", SPAN_LITERAL(SIGNATURE "\x21\x12\x00\x0c" INET4 "Q"), PARSE_OK, NULL, NULL},
    {"v2 addresses too short", SPAN_LITERAL(SIGNATURE "\x21\x21\x00\x0c" INET4), PARSE_MALFORMED,
     NULL, NULL},
    {"v2 version", SPAN_LITERAL(SIGNATURE "\x11\x11\x00\x0c" INET4), PARSE_MALFORMED, NULL, NULL},
    {"v2 command", SPAN_LITERAL(SIGNATURE "\x22\x11\x00\x0c" INET4), PARSE_MALFORMED, NULL, NULL},
    {"v2 family", SPAN_LITERAL(SIGNATURE "\x21\x41\x00\x0c" INET4), PARSE_MALFORMED, NULL, NULL},
    {"v2 too long", SPAN_LITERAL(SIGNATURE "\x21\x11\xff\xff" INET4), PARSE_TOO_LONG, NULL, NULL},
};

static void assert_address(const char *name, const struct ip_address *address, const char *expected)
{
    char text[IP_ADDRESS_TEXT_MAX_BYTES];
    assert_span_is(name, ip_address_format(address, text), expected);
}

static void check(const struct row *row, size_t step)
{
    enum parse_result result = PARSE_NEED_MORE;
    struct proxy_header header = {.is_local = false};
    size_t consumed = 0;
    for (size_t length = 0; length < row->input.length && result == PARSE_NEED_MORE;) {
        length = length + step < row->input.length ? length + step : row->input.length;
        result = proxy_header_parse(span_first(row->input, length), &header, &consumed);
    }
    if (result != row->result)
        fail_msg("%s in steps of %zu: %d", row->name, step, (int)result);
    if (result != PARSE_OK)
        return;
    if (consumed != row->input.length - 1 || header.is_local != !row->client)
        fail_msg("%s in steps of %zu: %zu bytes", row->name, step, consumed);
    if (header.is_local)
        return;
    assert_address(row->name, &header.client, row->client);
    assert_address(row->name, &header.server, row->server);
    assert_int_equal(header.client_port, 4096);
    assert_int_equal(header.server_port, 25);
}

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (size_t step = 1; step <= rows[i].input.length; step++)
            check(&rows[i], step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_headers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
