/* tests/lib/tlsrpt - records that ask for TLS reports, whole and cut off at every byte; names. */
#include "../../test.h"

#include <stdlib.h>

#include "tlsrpt/record.h"
#include "tlsrpt/result.h"

static const struct row {
    const char *name;
    const char *text;
    const char *uris; /* each with a bar behind it; NULL: malformed */
} rows[] = {
    {"RFC 8460 section 3.1.1", "v=TLSRPTv1;rua=mailto:reports@example.com",
     "mailto:reports@example.com|"},
    {"RFC 8460 section 3.1.2", "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
     "https://reporting.example.com/v1/tlsrpt|"},
    {"two", "v=TLSRPTv1; rua=mailto:a@b.example , https://c.example/?x=1;",
     "mailto:a@b.example|https://c.example/?x=1|"},
    {"extension", "v=TLSRPTv1; x-1=abc; rua=mailto:a@b.example", "mailto:a@b.example|"},
    {"the first rua", "v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example",
     "mailto:a@b.example|"},
    {"no rua", "v=TLSRPTv1; x=y", NULL},
    {"empty rua", "v=TLSRPTv1; rua=", NULL},
    {"nothing but a version", "v=TLSRPTv1;", NULL},
    {"no delimiter", "v=TLSRPTv1", NULL},
    {"other version", "v=TLSRPTv2; rua=mailto:a@b.example", NULL},
    {"case", "v=tlsrptv1; rua=mailto:a@b.example", NULL},
    {"no scheme", "v=TLSRPTv1; rua=a@b.example", NULL},
    {"exclamation mark", "v=TLSRPTv1; rua=mailto:a@b.example!10m", NULL},
    {"blank in a URI", "v=TLSRPTv1; rua=mailto:a @b.example", NULL},
    {"comma at the end", "v=TLSRPTv1; rua=mailto:a@b.example,", NULL},
    {"two commas", "v=TLSRPTv1; rua=mailto:a@b.example,,mailto:c@d.example", NULL},
    {"line break", "v=TLSRPTv1; rua=mailto:a@b.example\r\n", NULL},
    {"empty field", "v=TLSRPTv1;; rua=mailto:a@b.example", NULL},
    {"empty", "", NULL},
};

static void join(struct span uris, struct buffer *out)
{
    struct span uri;
    while (tlsrpt_record_next_uri(&uris, &uri)) {
        buffer_append_span(out, uri);
        buffer_append_byte(out, '|');
    }
}

static void test_record(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct span uris;
        struct buffer joined;
        const enum parse_result result = tlsrpt_record_parse(span_from_string(rows[i].text), &uris);
        if ((result == PARSE_OK) != (rows[i].uris != NULL))
            fail_msg("%s: result %d", rows[i].name, (int)result);
        if (result != PARSE_OK)
            continue;
        buffer_init(&joined, NULL, 4096);
        join(uris, &joined);
        assert_span_is(rows[i].name, buffer_span(&joined), rows[i].uris);
        buffer_release(&joined);
    }
}

static void test_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct span whole = span_from_string(rows[i].text);
        for (size_t length = 0; length <= whole.length; length++) {
            uint8_t *copy = malloc(length ? length : 1);
            struct span uris;
            assert_non_null(copy);
            memcpy(copy, whole.bytes, length);
            if (tlsrpt_record_parse(span_of(copy, length), &uris) == PARSE_OK)
                assert_true(uris.bytes >= copy && uris.bytes + uris.length <= copy + length);
            free(copy);
        }
    }
}

static void test_choose(void **state)
{
    (void)state;
    const struct span ours = SPAN("v=TLSRPTv1; rua=mailto:a@b.example");
    const struct span one[] = {SPAN("v=spf1 -all"), ours}, two[] = {ours, ours};
    struct span uris;
    assert_int_equal(tlsrpt_record_choose(one, 2, &uris), PARSE_OK);
    assert_span_is("uris", uris, "mailto:a@b.example");
    assert_int_equal(tlsrpt_record_choose(two, 2, &uris), PARSE_MALFORMED);
    assert_int_equal(tlsrpt_record_choose(one, 1, &uris), PARSE_MALFORMED);
}

static void test_mailto(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        const char *address; /* NULL: none */
    } cases[] = {
        {"mailto:reports@example.com", "reports@example.com"},
        {"MAILTO:reports@example.com?subject=x", "reports@example.com"},
        {"mailto:a%2Bb@example.com", "a+b@example.com"},
        {"mailto:%22a%20b%22@example.com", "\"a b\"@example.com"},
        {"mailto:a%0d%0ab@example.com", NULL},
        {"mailto:a%2@example.com", NULL},
        {"mailto:a%", NULL},
        {"mailto:a,b@example.com", NULL},
        {"mailto:a@[192.0.2.1]", NULL},
        {"mailto:nobody", NULL},
        {"mailto:", NULL},
        {"https://example.com/", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct arena arena;
        struct span address;
        arena_init(&arena, 65536, 0);
        const enum parse_result result =
            tlsrpt_mailto_parse(span_from_string(cases[i].uri), &arena, &address);
        if ((result == PARSE_OK) != (cases[i].address != NULL))
            fail_msg("%s: result %d", cases[i].uri, (int)result);
        if (result == PARSE_OK)
            assert_span_is(cases[i].uri, address, cases[i].address);
        arena_destroy(&arena);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < TLSRPT_RESULT_COUNT; i++) {
        enum tlsrpt_result found = TLSRPT_RESULT_COUNT;
        assert_true(tlsrpt_result_from_name(
            span_from_string(tlsrpt_result_name((enum tlsrpt_result)i)), &found));
        assert_int_equal(found, i);
    }
    for (int i = 0; i < TLSRPT_POLICY_TYPE_COUNT; i++) {
        enum tlsrpt_policy_type found = TLSRPT_POLICY_TYPE_COUNT;
        assert_true(tlsrpt_policy_type_from_name(
            span_from_string(tlsrpt_policy_type_name((enum tlsrpt_policy_type)i)), &found));
        assert_int_equal(found, i);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record), cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_choose), cmocka_unit_test(test_mailto), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
