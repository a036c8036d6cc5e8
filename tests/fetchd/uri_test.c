/* tests/fetchd/uri - https URIs, whole and cut off at every byte. */
#include "../../fetchd/uri.h"

#include "../test.h"

#include <stdlib.h>

static const struct row {
    const char *name;
    const char *text;
    const char *host; /* NULL: malformed */
    unsigned port;
    const char *path;
} rows[] = {
    {"plain", "https://mta-sts.example.com/.well-known/mta-sts.txt", "mta-sts.example.com", 443,
     "/.well-known/mta-sts.txt"},
    {"case of the scheme", "HTTPS://a.example/", "a.example", 443, "/"},
    {"no path", "https://a.example", "a.example", 443, ""},
    {"query alone", "https://a.example?x=1", "a.example", 443, "?x=1"},
    {"port", "https://a.example:8443/v1", "a.example", 8443, "/v1"},
    {"fragment", "https://a.example/v1#top", "a.example", 443, "/v1"},
    {"escapes", "https://a.example/%7Ex%2c?y=%00", "a.example", 443, "/%7Ex%2c?y=%00"},
    {"at and colon in the path", "https://a.example/x@y:z", "a.example", 443, "/x@y:z"},
    {"not https", "http://a.example/", NULL, 0, NULL},
    {"other scheme", "file:///etc/passwd", NULL, 0, NULL},
    {"no slashes", "https:a.example", NULL, 0, NULL},
    {"user", "https://me@a.example/", NULL, 0, NULL},
    {"user and password", "https://me:secret@a.example/", NULL, 0, NULL},
    {"no host", "https:///x", NULL, 0, NULL},
    {"no dot", "https://localhost/", NULL, 0, NULL},
    {"dot last", "https://localhost./", NULL, 0, NULL},
    {"IPv4 address", "https://192.0.2.1/", NULL, 0, NULL},
    {"short IPv4 address", "https://127.1/", NULL, 0, NULL},
    {"hexadecimal address", "https://a.0x7f000001/", NULL, 0, NULL},
    {"IPv6 address", "https://[2001:db8::1]/", NULL, 0, NULL},
    {"port zero", "https://a.example:0/", NULL, 0, NULL},
    {"port too large", "https://a.example:65536/", NULL, 0, NULL},
    {"port empty", "https://a.example:/", NULL, 0, NULL},
    {"two ports", "https://a.example:1:2/", NULL, 0, NULL},
    {"blank", "https://a.example/a b", NULL, 0, NULL},
    {"line break", "https://a.example/\r\nHost: b", NULL, 0, NULL},
    {"escape cut off", "https://a.example/%4", NULL, 0, NULL},
    {"escape of nothing", "https://a.example/%zz", NULL, 0, NULL},
    {"backslash", "https://a.example\\@b.example/", NULL, 0, NULL},
    {"U-label", "https://b\303\274cher.example/", NULL, 0, NULL},
    {"empty", "", NULL, 0, NULL},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct row *row = &rows[i];
        struct uri uri;
        const enum parse_result result = uri_parse(span_from_string(row->text), true, &uri);
        if ((result == PARSE_OK) != (row->host != NULL))
            fail_msg("%s: result %d", row->name, (int)result);
        if (result != PARSE_OK)
            continue;
        assert_span_is(row->name, uri.host, row->host);
        assert_span_is(row->name, uri.path, row->path);
        assert_int_equal(uri.port, row->port);
    }
}

static void test_neighbour(void **state)
{
    (void)state;
    struct uri uri;
    assert_int_equal(uri_parse(SPAN("https://login:8443/introspect"), false, &uri), PARSE_OK);
    assert_span_is("host", uri.host, "login");
    assert_int_equal(uri.port, 8443);
}

static void test_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct span whole = span_from_string(rows[i].text);
        for (size_t length = 0; length <= whole.length; length++) {
            uint8_t *copy = malloc(length ? length : 1);
            struct uri uri;
            assert_non_null(copy);
            memcpy(copy, whole.bytes, length);
            if (uri_parse(span_of(copy, length), true, &uri) == PARSE_OK)
                assert_true(uri.host.bytes >= copy && uri.path.length <= length);
            free(copy);
        }
    }
}

static void test_too_long(void **state)
{
    (void)state;
    static char text[URI_MAX_BYTES + 2] = "https://a.example/";
    struct uri uri;
    for (size_t i = strlen(text); i <= URI_MAX_BYTES; i++)
        text[i] = 'x';
    assert_int_equal(uri_parse(span_of(text, URI_MAX_BYTES), true, &uri), PARSE_OK);
    assert_int_equal(uri_parse(span_of(text, URI_MAX_BYTES + 1), true, &uri), PARSE_TOO_LONG);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_neighbour),
        cmocka_unit_test(test_cut_off), cmocka_unit_test(test_too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
