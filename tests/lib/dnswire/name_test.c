/* tests/lib/dnswire/name - names in text, on the wire, of addresses, of mail hosts; queries. */
#include "../../test.h"

#include <stdlib.h>

#include "base/base64.h"
#include "dnswire/query.h"

#define LABEL_63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *text;
        enum parse_result result;
        const char *back;
    } rows[] = {
        {"plain", "mx.example.org", PARSE_OK, "mx.example.org"},
        {"final dot", "mx.example.org.", PARSE_OK, "mx.example.org"},
        {"case", "MX.Example.ORG", PARSE_OK, "mx.example.org"},
        {"root", ".", PARSE_OK, "."},
        {"one label", "localhost", PARSE_OK, "localhost"},
        {"service", "_25._tcp.mx.example", PARSE_OK, "_25._tcp.mx.example"},
        {"escaped dot", "a\\.b.example", PARSE_OK, "a\\.b.example"},
        {"escaped number", "a\\046b\\000\\255.example", PARSE_OK, "a\\.b\\000\\255.example"},
        {"space", "a b", PARSE_OK, "a\\032b"},
        {"longest label", LABEL_63 ".x", PARSE_OK, LABEL_63 ".x"},
        {"longest name",
         LABEL_63 "." LABEL_63 "." LABEL_63 ".abcdefghijabcdefghijabcdefghij"
                  "abcdefghijabcdefghijabcdefghija",
         PARSE_OK,
         LABEL_63 "." LABEL_63 "." LABEL_63 ".abcdefghijabcdefghijabcdefghij"
                  "abcdefghijabcdefghijabcdefghija"},
        {"empty", "", PARSE_MALFORMED, NULL},
        {"leading dot", ".example", PARSE_MALFORMED, NULL},
        {"two dots", "a..b", PARSE_MALFORMED, NULL},
        {"dots alone", "..", PARSE_MALFORMED, NULL},
        {"unfinished escape", "a\\", PARSE_MALFORMED, NULL},
        {"short number", "a\\04", PARSE_MALFORMED, NULL},
        {"large number", "a\\256", PARSE_MALFORMED, NULL},
        {"odd number", "a\\0x4", PARSE_MALFORMED, NULL},
        {"not ASCII",
         "b\xc3\xbc"
         "cher.example",
         PARSE_MALFORMED, NULL},
        {"escaped not ASCII", "b\\\xc3", PARSE_MALFORMED, NULL},
        {"long label", LABEL_63 "d.x", PARSE_TOO_LONG, NULL},
        {"long name",
         LABEL_63 "." LABEL_63 "." LABEL_63 ".abcdefghijabcdefghijabcdefghij"
                  "abcdefghijabcdefghijabcdefghijab",
         PARSE_TOO_LONG, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dns_name name;
        uint8_t back[DNS_NAME_TEXT_MAX_BYTES];
        if (dns_name_from_text(span_from_string(rows[i].text), &name) != rows[i].result)
            fail_msg("%s: another result", rows[i].name);
        if (rows[i].result == PARSE_OK)
            assert_span_is(rows[i].name, span_of(back, dns_name_format(&name, back)), rows[i].back);
    }
}

/* Names in messages; the header is 12 bytes of zero, a name starts at offset. */
static void test_wire(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *hex; /* from byte 12 on */
        size_t offset;
        const char *text; /* NULL: malformed */
        size_t end;
    } rows[] = {
        {"plain", "0161016200", 12, "a.b", 17},
        {"root", "00", 12, ".", 13},
        {"case", "014100", 12, "a", 15},
        {"pointer", "0161016200c00e", 17, "b", 19},
        {"label and pointer", "01610162000163c00c", 17, "c.a.b", 21},
        {"pointer to pointer", "016100c00c0162c00f", 17, "b.a", 21},
        {"pointer to itself", "c00c", 12, NULL, 0},
        {"loop of a label", "0161c00c", 12, NULL, 0},
        {"forward pointer", "c00e016100", 12, NULL, 0},
        {"pointer into itself", "0161c00d", 12, NULL, 0},
        {"two that alternate", "c00ec00c", 14, NULL, 0},
        {"pointer into the header", "c000", 12, NULL, 0},
        {"kind 01", "4161", 12, NULL, 0},
        {"kind 10", "8161", 12, NULL, 0},
        {"label cut off", "0561", 12, NULL, 0},
        {"no root", "0161", 12, NULL, 0},
        {"pointer cut off", "c0", 12, NULL, 0},
        {"nothing", "", 12, NULL, 0},
        {"past the end", "00", 99, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer message;
        struct dns_name name;
        uint8_t text[DNS_NAME_TEXT_MAX_BYTES];
        size_t end = 0;
        buffer_init(&message, NULL, 1024);
        buffer_append(&message, "\0\0\0\0\0\0\0\0\0\0\0", 12);
        assert_int_equal(hex_decode(span_from_string(rows[i].hex), &message), PARSE_OK);
        const enum parse_result result =
            dns_name_parse(buffer_span(&message), rows[i].offset, &name, &end);
        if ((result == PARSE_OK) != (rows[i].text != NULL) || end != rows[i].end)
            fail_msg("%s: result %d, end %zu", rows[i].name, (int)result, end);
        if (rows[i].text)
            assert_span_is(rows[i].name, span_of(text, dns_name_format(&name, text)), rows[i].text);
        buffer_release(&message);
    }
}

/* A name as long as a message can hold by pointers is refused, not written past its array. */
static void test_wire_too_long(void **state)
{
    (void)state;
    struct buffer message;
    struct dns_name name;
    size_t end;
    buffer_init(&message, NULL, 4096);
    buffer_append(&message, "\0\0\0\0\0\0\0\0\0\0\0", 12);
    /* a, then b.a, then c.b.a ...: the 127th name has 255 bytes, the 128th would have 257. */
    buffer_append(&message, "\001a", 3);
    size_t start = 12;
    for (size_t i = 2; i <= 128; i++) {
        const size_t next = message.length;
        buffer_append(&message, "\001b", 2);
        buffer_append_uint16(&message, (uint16_t)(0xc000 | start));
        start = next;
        const enum parse_result expected = i <= 127 ? PARSE_OK : PARSE_MALFORMED;
        if (dns_name_parse(buffer_span(&message), start, &name, &end) != expected)
            fail_msg("name of %zu labels", i);
    }
    buffer_release(&message);
}

static void test_addresses(void **state)
{
    (void)state;
    static const uint8_t ipv4[] = {192, 0, 20, 107};
    static const uint8_t ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x1f};
    struct dns_name name;
    uint8_t text[DNS_NAME_TEXT_MAX_BYTES];
    assert_true(dns_name_from_address(span_of(ipv4, 4), &name));
    assert_span_is("IPv4", span_of(text, dns_name_format(&name, text)),
                   "107.20.0.192.in-addr.arpa");
    assert_true(dns_name_from_address(span_of(ipv6, 16), &name));
    assert_span_is("IPv6", span_of(text, dns_name_format(&name, text)),
                   "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    assert_false(dns_name_from_address(span_of(ipv6, 5), &name));
    assert_false(dns_name_from_address(span_empty(), &name));
}

static void test_mail_hosts(void **state)
{
    (void)state;
    static const char *const good[] = {"mx.example.org", "localhost",   "a-b.c",
                                       "3com.example",   "x_y.example", "1.2.example",
                                       LABEL_63 ".x",    "a--b"};
    static const char *const bad[] = {"",     ".",         "a.",           ".a",        "a..b",
                                      "-a.b", "a-.b",      "a.-b",         "a.b-",      "1.2.3.4",
                                      "42",   "a b",       "a\\.b",        "a/b",       "*.a",
                                      "a:b",  "[1.2.3.4]", LABEL_63 "d.x", "\xc3\xa4.x"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        if (!dns_name_is_mail_host(span_from_string(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (dns_name_is_mail_host(span_from_string(bad[i])))
            fail_msg("accepted: %s", bad[i]);
}

static void test_queries(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t type;
        unsigned flags;
        const char *hex;
    } rows[] = {
        {"plain", DNS_TYPE_MX, DNS_QUERY_WITHOUT_EDNS,
         "abcd01000001000000000000"
         "016107657861 6d706c6500000f0001"},
        {"EDNS", DNS_TYPE_A, 0,
         "abcd01000001000000000001"
         "016107657861 6d706c650000010001"
         "0000 2904d0000000000000"},
        {"AD and DO", DNS_TYPE_TLSA, DNS_QUERY_AUTHENTIC_DATA | DNS_QUERY_DNSSEC_OK,
         "abcd01200001000000000001"
         "016107657861 6d706c650000340001"
         "0000 2904d0000080000000"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dns_question question = {.type = rows[i].type};
        struct buffer message, expected;
        struct span rest = span_from_string(rows[i].hex), word;
        assert_int_equal(dns_name_from_text(SPAN("A.example"), &question.name), PARSE_OK);
        buffer_init(&message, NULL, DNS_QUERY_MAX_BYTES);
        buffer_init(&expected, NULL, DNS_QUERY_MAX_BYTES);
        while (span_next_word(&rest, " ", &word))
            assert_int_equal(hex_decode(word, &expected), PARSE_OK);
        dns_query_encode(0xabcd, &question, rows[i].flags, &message);
        assert_true(buffer_ok(&message));
        if (!span_equals(buffer_span(&message), buffer_span(&expected)))
            fail_msg("%s: another message", rows[i].name);
        buffer_release(&message);
        buffer_release(&expected);
    }
    assert_string_equal(dns_type_name(DNS_TYPE_AAAA), "AAAA");
    assert_string_equal(dns_type_name(999), "TYPE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),          cmocka_unit_test(test_wire),
        cmocka_unit_test(test_wire_too_long), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_mail_hosts),    cmocka_unit_test(test_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
