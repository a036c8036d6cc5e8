/* tests/lib/mtasts - records and policies of MTA-STS, whole and cut off at every byte. */
#include "../../test.h"

#include <stdlib.h>

#include "mtasts/policy.h"
#include "mtasts/record.h"

#define ID_32 "abcdefghijklmnopqrstuvwxyz012345"

static const struct record_row {
    const char *name;
    const char *text;
    const char *id; /* NULL: malformed */
} record_rows[] = {
    {"RFC 8461 section 3.1", "v=STSv1; id=20160831085700Z;", "20160831085700Z"},
    {"no end", "v=STSv1;id=1", "1"},
    {"blanks", "v=STSv1 \t;\tid=1 \t; ", "1"},
    {"extension", "v=STSv1; a.b-c_d=1:2; id=7", "7"},
    {"the first id", "v=STSv1; id=1; id=2", "1"},
    {"longest id", "v=STSv1; id=" ID_32, ID_32},
    {"id too long", "v=STSv1; id=" ID_32 "6", NULL},
    {"later id malformed", "v=STSv1; id=1; id=-", NULL},
    {"no id", "v=STSv1;", NULL},
    {"nothing but a version", "v=STSv1", NULL},
    {"other version", "v=STSv2; id=1", NULL},
    {"case of the version", "V=STSv1; id=1", NULL},
    {"case of the id", "v=STSv1; ID=1", NULL},
    {"blank first", " v=STSv1; id=1", NULL},
    {"blank within", "v=STSv1; id =1", NULL},
    {"hyphen in the id", "v=STSv1; id=1-2", NULL},
    {"empty field", "v=STSv1;; id=1", NULL},
    {"two ends", "v=STSv1; id=1;;", NULL},
    {"no value", "v=STSv1; id=", NULL},
    {"extension without a value", "v=STSv1; id=1; x=", NULL},
    {"extension without a name", "v=STSv1; id=1; =x", NULL},
    {"equals in a value", "v=STSv1; id=1; x=a=b", NULL},
    {"blank in a value", "v=STSv1; id=1; x=a b", NULL},
    {"not ASCII", "v=STSv1; id=1; x=\303\274", NULL},
    {"empty", "", NULL},
};

static void test_record(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(record_rows); i++) {
        const struct record_row *row = &record_rows[i];
        struct span id = span_empty();
        const enum parse_result result = mtasts_record_parse(span_from_string(row->text), &id);
        if (row->id && result == PARSE_OK)
            assert_span_is(row->name, id, row->id);
        else if (row->id || result != PARSE_MALFORMED)
            fail_msg("%s: result %d", row->name, (int)result);
    }
}

/* Each beginning of a record is in memory of just its size; what is taken is a part of it. */
static void test_record_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(record_rows); i++) {
        const struct span whole = span_from_string(record_rows[i].text);
        for (size_t length = 0; length <= whole.length; length++) {
            uint8_t *copy = malloc(length ? length : 1);
            struct span id;
            assert_non_null(copy);
            memcpy(copy, whole.bytes, length);
            if (mtasts_record_parse(span_of(copy, length), &id) == PARSE_OK)
                assert_true(id.bytes >= copy && id.bytes + id.length <= copy + length);
            free(copy);
        }
    }
}

static void test_choose(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *texts[3];
        const char *id;
    } rows[] = {
        {"one", {"v=STSv1; id=1"}, "1"},
        {"beside others", {"v=spf1 -all", "v=STSv1; id=1", "v=STSv2; id=2"}, "1"},
        {"two", {"v=STSv1; id=1", "v=STSv1; id=1"}, NULL},
        {"a blank before the delimiter", {"v=STSv1 ; id=1"}, NULL},
        {"malformed", {"v=STSv1; id"}, NULL},
        {"none of ours", {"hello"}, NULL},
        {"none", {NULL}, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct span texts[3], id;
        size_t count = 0;
        for (; count < ARRAY_LENGTH(texts) && rows[i].texts[count]; count++)
            texts[count] = span_from_string(rows[i].texts[count]);
        const enum parse_result result = mtasts_record_choose(texts, count, &id);
        if (rows[i].id && result == PARSE_OK)
            assert_span_is(rows[i].name, id, rows[i].id);
        else if (rows[i].id || result != PARSE_MALFORMED)
            fail_msg("%s: result %d", rows[i].name, (int)result);
    }
}

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 1\n"

static const struct policy_row {
    const char *name;
    const char *text;
    enum parse_result result;
    const char *written; /* as mtasts_policy_append() has it */
} policy_rows[] = {
    {"RFC 8461 section 3.2",
     "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n"
     "mx: backupmx.example.com\r\nmax_age: 604800\r\n",
     PARSE_OK,
     "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n"
     "mx: backupmx.example.com\nmax_age: 604800\n"},
    {"any order, no last end", "mx:a.example\nmax_age:0\nmode:testing\nversion:STSv1", PARSE_OK,
     "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 0\n"},
    {"none needs no host", "version: STSv1\nmode: none\nmax_age: 86400\n", PARSE_OK,
     "version: STSv1\nmode: none\nmax_age: 86400\n"},
    {"blanks", "version: \tSTSv1 \nmode: none \t\r\nmax_age: 5\t\r\n", PARSE_OK,
     "version: STSv1\nmode: none\nmax_age: 5\n"},
    {"lines without anything", "\n" HEAD "\r\n \nmx: a.example\n\n", PARSE_OK,
     "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\n"},
    {"extension", HEAD "x_1: \303\274\303\266 and more\nmx: a.example\n", PARSE_OK,
     "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\n"},
    {"the first of repeated ones", HEAD "mode: none\nmax_age: 2\nversion: STSv2\nmx: a.example\n",
     PARSE_OK, "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\n"},
    {"an age that is too long", "version: STSv1\nmode: none\nmax_age: 9999999999\n", PARSE_OK,
     "version: STSv1\nmode: none\nmax_age: 31557600\n"},
    {"eleven digits", "version: STSv1\nmode: none\nmax_age: 00000000001\n", PARSE_MALFORMED, NULL},
    {"negative age", "version: STSv1\nmode: none\nmax_age: -1\n", PARSE_MALFORMED, NULL},
    {"no age", "version: STSv1\nmode: none\n", PARSE_MALFORMED, NULL},
    {"no mode", "version: STSv1\nmax_age: 1\nmx: a.example\n", PARSE_MALFORMED, NULL},
    {"no version", "mode: enforce\nmax_age: 1\nmx: a.example\n", PARSE_MALFORMED, NULL},
    {"no host", HEAD, PARSE_MALFORMED, NULL},
    {"other version", "version: STSv2\nmode: none\nmax_age: 1\n", PARSE_MALFORMED, NULL},
    {"other mode", "version: STSv1\nmode: Enforce\nmax_age: 1\nmx: a\n", PARSE_MALFORMED, NULL},
    {"case of a name", "Version: STSv1\nmode: none\nmax_age: 1\n", PARSE_MALFORMED, NULL},
    {"asterisk alone", HEAD "mx: *\n", PARSE_MALFORMED, NULL},
    {"asterisk within", HEAD "mx: mx*.example\n", PARSE_MALFORMED, NULL},
    {"two asterisks", HEAD "mx: *.*.example\n", PARSE_MALFORMED, NULL},
    {"dot first", HEAD "mx: .example\n", PARSE_MALFORMED, NULL},
    {"dot last", HEAD "mx: a.example.\n", PARSE_MALFORMED, NULL},
    {"address", HEAD "mx: [192.0.2.1]\n", PARSE_MALFORMED, NULL},
    {"U-label", HEAD "mx: b\303\274cher.example\n", PARSE_MALFORMED, NULL},
    {"no value", HEAD "mx:\n", PARSE_MALFORMED, NULL},
    {"no colon", HEAD "mx a.example\n", PARSE_MALFORMED, NULL},
    {"blank before the colon", HEAD "mx : a.example\n", PARSE_MALFORMED, NULL},
    {"folded", HEAD "mx:\n a.example\n", PARSE_MALFORMED, NULL},
    {"bare CR", HEAD "mx: a.example\rmx: b.example\n", PARSE_MALFORMED, NULL},
    {"HTML", "<!DOCTYPE html>\n<html>", PARSE_MALFORMED, NULL},
    {"empty", "", PARSE_MALFORMED, NULL},
};

static void test_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(policy_rows); i++) {
        const struct policy_row *row = &policy_rows[i];
        struct mtasts_policy policy, again;
        struct buffer text;
        const enum parse_result result = mtasts_policy_parse(span_from_string(row->text), &policy);
        if (result != row->result)
            fail_msg("%s: result %d", row->name, (int)result);
        if (result != PARSE_OK)
            continue;
        buffer_init(&text, NULL, MTASTS_POLICY_MAX_BYTES);
        mtasts_policy_append(&policy, &text);
        assert_true(buffer_ok(&text));
        assert_span_is(row->name, buffer_span(&text), row->written);
        assert_int_equal(mtasts_policy_parse(buffer_span(&text), &again), PARSE_OK);
        assert_int_equal(policy.pattern_count, again.pattern_count);
        buffer_release(&text);
    }
}

static void test_policy_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(policy_rows); i++) {
        const struct span whole = span_from_string(policy_rows[i].text);
        for (size_t length = 0; length <= whole.length; length++) {
            struct mtasts_policy policy;
            uint8_t *copy = malloc(length ? length : 1);
            assert_non_null(copy);
            memcpy(copy, whole.bytes, length);
            if (mtasts_policy_parse(span_of(copy, length), &policy) == PARSE_OK)
                assert_true(mtasts_policy_matches(&policy, SPAN("nobody.invalid")) ==
                            (policy.mode == MTASTS_NONE));
            free(copy);
        }
    }
}

/* 64 KiB are read; of hosts there may be as many as a message between processes holds. */
static void test_policy_limits(void **state)
{
    (void)state;
    static const char line[] = "mx: mail.example.com\n";
    struct mtasts_policy policy;
    struct buffer text;
    buffer_init(&text, NULL, 2 * MTASTS_BODY_MAX_BYTES);
    buffer_append_string(&text, HEAD);
    while (text.length + sizeof(line) - 1 + 64 < MTASTS_POLICY_MAX_BYTES)
        buffer_append_string(&text, line);
    assert_int_equal(mtasts_policy_parse(buffer_span(&text), &policy), PARSE_OK);
    const size_t length = text.length;
    while (text.length < MTASTS_BODY_MAX_BYTES - 1)
        buffer_append_byte(&text, ' ');
    buffer_append_byte(&text, '\n');
    assert_int_equal(mtasts_policy_parse(buffer_span(&text), &policy), PARSE_OK);
    buffer_append_byte(&text, '\n');
    assert_int_equal(mtasts_policy_parse(buffer_span(&text), &policy), PARSE_TOO_LONG);
    text.length = length;
    for (int i = 0; i < 8; i++)
        buffer_append_string(&text, line);
    assert_true(buffer_ok(&text));
    assert_int_equal(mtasts_policy_parse(buffer_span(&text), &policy), PARSE_TOO_LONG);
    buffer_release(&text);
}

static void test_matches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *host;
        bool matches;
    } rows[] = {
        {"mail.example.com", "mail.example.com", true},
        {"mail.example.com", "MAIL.Example.Com.", true},
        {"Mail.example.com", "mail.example.com", true},
        {"mail.example.com", "a.mail.example.com", false},
        {"mail.example.com", "example.com", false},
        {"*.example.com", "mail.example.com", true},
        {"*.example.com", "mail.EXAMPLE.com.", true},
        {"*.example.com", "example.com", false},
        {"*.example.com", "foo.bar.example.com", false},
        {"*.example.com", ".example.com", false},
        {"*.example.com", "mail.example.org", false},
        {"*.example.com", "", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct mtasts_policy policy;
        struct buffer text;
        buffer_init(&text, NULL, 1024);
        buffer_append_format(&text, HEAD "mx: other.example\nmx: %s\n", rows[i].pattern);
        assert_int_equal(mtasts_policy_parse(buffer_span(&text), &policy), PARSE_OK);
        if (mtasts_policy_matches(&policy, span_from_string(rows[i].host)) != rows[i].matches)
            fail_msg("%s and %s", rows[i].pattern, rows[i].host);
        buffer_release(&text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),         cmocka_unit_test(test_record_cut_off),
        cmocka_unit_test(test_choose),         cmocka_unit_test(test_policy),
        cmocka_unit_test(test_policy_cut_off), cmocka_unit_test(test_policy_limits),
        cmocka_unit_test(test_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
