/* tests/lib/table - the lines of aliases(5). */
#include "../../test.h"

#include "table/alias_source.h"

static const struct {
    const char *line;
    enum alias_problem problem;
    const char *name;
    const char *value;
} rows[] = {
    {"postmaster: root", ALIAS_FINE, "postmaster", "root"},
    {"Root:\tjoe, jane@example.org\t more", ALIAS_FINE, "Root", "joe, jane@example.org more"},
    {"a:b", ALIAS_FINE, "a", "b"},
    {"owner-list : x , y", ALIAS_FINE, "owner-list", "x, y"},
    {"\"quoted  name\": |\"/bin/prog  arg\"", ALIAS_FINE, "quoted  name", "|\"/bin/prog  arg\""},
    {"\"a:b\": c", ALIAS_FINE, "a:b", "c"},
    {"\"a\\\"b\": q", ALIAS_FINE, "a\"b", "q"},
    {"\\esc\\:x: y", ALIAS_FINE, "esc:x", "y"},
    {"foo  bar: x", ALIAS_FINE, "foo bar", "x"},
    {"list: :include:/etc/list", ALIAS_FINE, "list", ":include:/etc/list"},
    {"l: \"a\\\"  b\"  c", ALIAS_FINE, "l", "\"a\\\"  b\" c"},
    {"\"x@y\": z", ALIAS_FINE, "x@y", "z"},
    {"plain", ALIAS_NO_PAIR, NULL, NULL},
    {"empty:", ALIAS_NO_PAIR, NULL, NULL},
    {"empty: \t", ALIAS_NO_PAIR, NULL, NULL},
    {":x", ALIAS_NO_PAIR, NULL, NULL},
    {"", ALIAS_NO_PAIR, NULL, NULL},
    {"un\"balanced: x", ALIAS_NO_PAIR, NULL, NULL},
    {"a@b: c", ALIAS_NOT_LOCAL, NULL, NULL},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer name, value;
        buffer_init(&name, NULL, 1000);
        buffer_init(&value, NULL, 1000);
        assert_int_equal(alias_source_split(span_from_string(rows[i].line), &name, &value),
                         rows[i].problem);
        if (rows[i].problem == ALIAS_FINE) {
            assert_span_is(rows[i].line, buffer_span(&name), rows[i].name);
            assert_span_is(rows[i].line, buffer_span(&value), rows[i].value);
        }
        buffer_release(&name);
        buffer_release(&value);
    }
}

static void test_bounds_and_beginnings(void **state)
{
    (void)state;
    const struct span line = SPAN("\"some name\"\\x : a, \"b c\"  d");
    for (size_t length = 0; length <= line.length; length++)
        for (size_t limit = 1; limit < 20; limit += 6) {
            struct buffer name, value;
            buffer_init(&name, NULL, limit);
            buffer_init(&value, NULL, limit);
            const enum alias_problem problem =
                alias_source_split(span_first(line, length), &name, &value);
            assert_true(name.length <= limit && value.length <= limit);
            assert_int_equal(problem == ALIAS_TOO_LONG, !buffer_ok(&name) || !buffer_ok(&value));
            buffer_release(&name);
            buffer_release(&value);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bounds_and_beginnings),
    };
    return cmocka_run_group_tests_name("table/alias_source", tests, NULL, NULL);
}
