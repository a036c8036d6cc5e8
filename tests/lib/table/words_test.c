/* tests/lib/table/words - lists of words with tables among them. */
#include "../../test.h"

#include "table/words.h"

struct row {
    const char *list;
    const char *word;
    bool is_listed;
    const char *failed; /* NULL: none */
};

static const struct row rows[] = {
    {"", "GET", false, NULL},
    {"CONNECT GET POST", "GET", true, NULL},
    {"CONNECT, GET, POST", "post", true, NULL},
    {"CONNECT GET POST", "GE", false, NULL},
    {"CONNECT GET POST", "", false, NULL},
    {"CONNECT regexp:{{/^[^A-Z]/ Bogus}}", "CONNECT", true, NULL},
    {"CONNECT regexp:{{/^[^A-Z]/ Bogus}}", "\xc3\xa9", true, NULL},
    {"CONNECT regexp:{{/^[^A-Z]/ Bogus}}", ".", true, NULL},
    {"CONNECT regexp:{{/^[^A-Z]/ Bogus}}", "xyzzy", false, NULL},
    {"inline:{get=x}, inline:{{post=x}}", "GET", true, NULL},
    {"inline:{get=x}, inline:{{post=x}}", "POST", true, NULL},
    {"inline:{get=x}, inline:{{post=x}}", "PUT", false, NULL},
    {"!GET static:all", "GET", false, NULL},
    {"!GET static:all", "POST", true, NULL},
    {"! GET static:all", "GET", false, NULL},
    {"!inline:{get=x} static:all", "GET", false, NULL},
    {"!!GET", "GET", true, NULL},
    {"fail:x", "GET", false, "fail:x"},
    {"GET fail:x", "get", true, NULL},
    {"inline:{post=x} fail:x GET", "GET", false, "fail:x"},
    {"!fail:x", "GET", false, "fail:x"},
    {"!fail:x GET", "GET", false, "fail:x"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct table_words list;
        struct conf_error error;
        struct span failed;
        if (!table_words_open("setting", span_from_string(rows[i].list), &list, &error))
            fail_msg("%s: %s", rows[i].list, error.text);
        if (table_words_have(&list, span_from_string(rows[i].word), &failed) != rows[i].is_listed ||
            !span_equals(failed, span_from_string(rows[i].failed ? rows[i].failed : "")))
            fail_msg("%s: %s", rows[i].list, rows[i].word);
        table_words_close(&list);
    }
}

static void test_mistakes(void **state)
{
    struct table_words list;
    struct conf_error error;
    (void)state;
    assert_false(table_words_open("setting", SPAN("GET nonsense:x"), &list, &error));
    assert_non_null(strstr(error.text, "setting: nonsense:x: "));
    assert_false(table_words_open("setting", SPAN("GET texthash:/does/not/exist"), &list, &error));
    assert_non_null(strstr(error.text, "cannot be read"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
