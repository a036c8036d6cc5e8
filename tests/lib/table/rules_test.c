/* tests/lib/table - cidr:, regexp: and pcre: tables, and tables made of tables.
 * TESTDATA names the folder that holds postfix-surface; without it those cases are left out. */
#include "../../test.h"

#include <stdlib.h>
#include <unistd.h>

#include "system/file.h"
#include "table/pattern.h"
#include "table/table.h"

static char warnings[8192];

static void keep_warning(void *context, struct span text)
{
    (void)context;
    const size_t used = strlen(warnings);
    (void)snprintf(warnings + used, sizeof(warnings) - used, "%.*s\n", SPAN_PRINTF(text));
}

static struct table *must_open(const char *name, unsigned flags)
{
    const struct table_options options = {.flags = flags, .warn = keep_warning};
    struct buffer error;

    buffer_init(&error, NULL, 2000);
    struct table *table = table_open(span_from_string(name), &options, &error);
    if (!table)
        fail_msg("%s: %.*s", name, SPAN_PRINTF(buffer_span(&error)));
    buffer_release(&error);
    return table;
}

/* The value, or "-" not found, "!" error, "~" would block */
static void ask(struct table *table, struct span key, struct buffer *value)
{
    static const char *const marks[] = {[TABLE_FOUND] = "",
                                        [TABLE_NOT_FOUND] = "-",
                                        [TABLE_ERROR] = "!",
                                        [TABLE_WOULD_BLOCK] = "~"};
    buffer_append_string(value, marks[table_lookup(table, key, value)]);
}

struct lookup_case {
    const char *table;
    const char *key;
    const char *expected;
};

static const struct lookup_case lookups[] = {
    /* networks */
    {"cidr:{{192.0.2.0/24 a}}", "192.0.2.255", "a"},
    {"cidr:{{192.0.2.0/24 a}}", "192.0.3.0", "-"},
    {"cidr:{{192.0.2.0/24 a}}", "192.0.2.1/24", "-"},
    {"cidr:{{192.0.2.0/24 a}}", "name.example", "-"},
    {"cidr:{{192.0.2.0/24 a}}", "", "-"},
    {"cidr:{{192.0.2.7 a}}", "192.0.2.7", "a"},
    {"cidr:{{192.0.2.7 a}}", "192.0.2.6", "-"},
    {"cidr:{{0.0.0.0/0 a}}", "203.0.113.9", "a"},
    {"cidr:{{0.0.0.0/0 a}}", "::1", "-"},
    {"cidr:{{10.128.0.0/9 a}}", "10.127.255.255", "-"},
    {"cidr:{{10.128.0.0/9 a}}", "10.255.0.1", "a"},
    {"cidr:{{2001:db8::/33 a}}", "2001:DB8:7fff::1", "a"},
    {"cidr:{{2001:db8::/33 a}}", "2001:db8:8000::1", "-"},
    {"cidr:{{[2001:db8::]/32 a}}", "2001:db8::1", "a"},
    {"cidr:{{[2001:db8::/32] a}}", "2001:db8::1", "a"},
    {"cidr:{{[2001:db8::1] a b  c}}", "2001:db8:0::1", "a b  c"},
    {"cidr:{{::/0 a}}", "::ffff:192.0.2.1", "a"},
    {"cidr:{{!10.0.0.0/8 a}}", "11.0.0.1", "a"},
    {"cidr:{{!10.0.0.0/8 a}}", "10.0.0.1", "-"},
    /* an address of the other family is neither inside nor outside */
    {"cidr:{{!10.0.0.0/8 a}}", "2001:db8::1", "-"},
    {"cidr:{{!2001:db8::/32 a}}", "192.0.2.1", "-"},
    {"cidr:{{!10.0.0.0/8 a} {::/0 b}}", "::ffff:10.0.0.1", "b"},
    {"cidr:{{if 10.0.0.0/8 x} {::/0 a} {endif}}", "2001:db8::1", "a"},
    {"cidr:{{if 10.0.0.0/8} {::/0 a} {endif x} {::/0 b}}", "2001:db8::1", "-"},
    {"cidr:{{if !10.0.0.0/8} {::/0 a} {endif} {::/0 b}}", "2001:db8::1", "b"},
    {"cidr:{{!!10.0.0.0/8 a}}", "10.0.0.1", "a"},
    {"cidr:{{if 10.0.0.0/8} {10.1.0.0/16 a} {endif} {0.0.0.0/0 b}}", "10.1.9.9", "a"},
    {"cidr:{{if 10.0.0.0/8} {10.1.0.0/16 a} {endif} {0.0.0.0/0 b}}", "10.2.0.0", "b"},
    {"cidr:{{if 10.0.0.0/8} {0.0.0.0/0 a} {ENDIF} {0.0.0.0/0 b}}", "11.1.0.0", "b"},
    {"cidr:{{IF !10.0.0.0/8} {0.0.0.0/0 a} {endif} {0.0.0.0/0 b}}", "11.1.0.0", "a"},
    {"cidr:{{if 10.0.0.0/8} {if 10.1.0.0/16} {0.0.0.0/0 a} {endif} {0.0.0.0/0 b} {endif}}",
     "10.2.0.0", "b"},
    {"cidr:{{if 10.0.0.0/8} {0.0.0.0/0 a}}", "11.0.0.0", "-"},
    {"cidr:{{1.2.3.4 $1}}", "1.2.3.4", "$1"},
    /* both dialects of regular expressions: the name begins with a star */
    {"*:{{/foo/ a}}", "a FOO b", "a"},
    {"*:{{/foo/i a}}", "a FOO b", "-"},
    {"*:{{/foo/ii a}}", "a FOO b", "a"},
    {"*:{{%/foo/% a}}", "x/foo/y", "a"},
    {"*:{{/a\\/b/ a}}", "xa/by", "a"},
    {"*:{{!/foo/ a}}", "bar", "a"},
    {"*:{{!/foo/ a}}", "foo", "-"},
    {"*:{{/^(.*)@(.*)$/ $2:$1}}", "Some.Body@Example.org", "Example.org:Some.Body"},
    {"*:{{/^(.*)@(.*)$/ ${2}x$(1)x$$1}}", "a@b", "bxax$1"},
    {"*:{{/(a)|(b)/ [$1][$2]}}", "b", "[][b]"},
    {"*:{{/./ a}}", "", "-"},
    {"*:{{/^$/ a}}", "", "a"},
    {"*:{{/a/ first} {/b/ second}}", "ba", "first"},
    {"*:{{if /a/} {/b/ a} {endif} {/./ b}}", "ab", "a"},
    {"*:{{if /a/} {/b/ a} {endif} {/./ b}}", "xb", "b"},
    {"*:{{if !/a/} {/b/ a} {endif} {/./ b}}", "xb", "a"},
    {"*:{{!/foo/ $$5}}", "bar", "$5"},
    {"*:{{iffy/}}", "bar", "-"},
    /* what only one has */
    {"regexp:{{/a/!/b/ a}}", "a", "a"},
    {"regexp:{{/a/!/b/ a}}", "ab", "-"},
    {"regexp:{{/(a|b)*(c)\\2/ $2}}", "abcc", "c"},
    {"regexp:{{/^(a{1,2})$/x $1}}", "a", "-"},
    {"regexp:{{/^b/ a}}", "a\nb", "-"},
    {"regexp:{{/^b/m a}}", "a\nb", "a"},
    {"pcre:{{/^b/ a}}", "a\nb", "-"},
    {"pcre:{{/^b/m a}}", "a\nb", "a"},
    {"pcre:{{/a.b/ a}}", "a\nb", "a"},
    {"pcre:{{/a.b/s a}}", "a\nb", "-"},
    {"pcre:{{/a b/x a}}", "ab", "a"},
    {"pcre:{{/b/A a}}", "ab", "-"},
    {"pcre:{{/a$/ a}}", "a\n", "a"},
    {"pcre:{{/a$/E a}}", "a\n", "-"},
    {"pcre:{{/(a+)/U $1}}", "aaa", "a"},
    {"pcre:{{/(a+)/X $1}}", "aaa", "aaa"},
    {"pcre:{{/(?<=x)(\\d+)(?!z)/ $1}}", "x12y", "12"},
    {"pcre:{{/^.$/ a}}", "\xc3\xa9", "a"},
    {"pcre:{{!/x/ a}}", "\xff", "-"},
    {"pcre:{{/a\\K(b)/ [$1]}}", "ab", "[b]"},
    {"pcre:{{/^(a+)+$/ a} {/./ b}}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "!"},
    /* tables of tables */
    {"unionmap:{inline:{foo=1} inline:{{foo=2 3} bar=4}}", "Foo", "1,2 3"},
    {"unionmap:{inline:{foo=1} inline:{{foo=2 3} bar=4}}", "bar", "4"},
    {"unionmap:{inline:{foo=1}, inline:{bar=4}}", "baz", "-"},
    {"unionmap:{inline:{foo=1} fail:x}", "foo", "!"},
    {"unionmap:{regexp:{{/^X/ 1}}, inline:{xy=2}}", "Xy", "1,2"},
    {"pipemap:{inline:{foo=Bar} inline:{bar=baz} static:x}", "FOO", "x"},
    {"pipemap:{inline:{foo=Bar} inline:{bar=baz}}", "FOO", "baz"},
    {"pipemap:{inline:{foo=bar} inline:{foo=baz}}", "foo", "-"},
    {"pipemap:{inline:{foo=bar} fail:x}", "foo", "!"},
    {"pipemap:{inline:{foo=bar} fail:x}", "bar", "-"},
    {"pipemap:{unionmap:{static:a static:b} inline:{{a,b=c}}}", "foo", "c"},
    {"randmap:{a}", "foo", "a"},
    {"randmap:{{a b}}", "foo", "a b"},
    {"proxy:unionmap:{proxy:static:a}", "foo", "a"},
};

static void check_lookup(const char *name, const char *key, const char *expected)
{
    struct table *table = must_open(name, TABLE_MAY_BLOCK);
    struct buffer value;

    buffer_init(&value, NULL, 1000);
    ask(table, span_from_string(key), &value);
    if (!span_equals(buffer_span(&value), span_from_string(expected)))
        print_message("%s: %.*s\n", name, SPAN_PRINTF(table_error(table)));
    assert_span_is(name, buffer_span(&value), expected);
    buffer_release(&value);
    table_close(&table);
}

static void test_lookups(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lookups); i++) {
        static const char *const dialects[] = {"regexp", "pcre"};
        if (lookups[i].table[0] != '*') {
            check_lookup(lookups[i].table, lookups[i].key, lookups[i].expected);
            continue;
        }
        for (size_t k = 0; k < ARRAY_LENGTH(dialects); k++) {
            char name[512];
            (void)snprintf(name, sizeof(name), "%s%s", dialects[k], lookups[i].table + 1);
            check_lookup(name, lookups[i].key, lookups[i].expected);
        }
    }
}

static void test_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *warning; /* behind "TYPE map NAME, line 1: " */
    } rows[] = {
        {"cidr:{{192.0.2.1/24 a}}", "non-null host address bits in \"192.0.2.1/24\", perhaps you "
                                    "should use \"192.0.2.0/24\" instead: skipping this rule"},
        {"cidr:{{300.1.1.1 a}}", "bad address pattern: \"300.1.1.1\": skipping this rule"},
        {"cidr:{{1.2.3/24 a}}", "bad network value in \"1.2.3/24\": skipping this rule"},
        {"cidr:{{1.2.3.4/33 a}}", "bad mask length in \"1.2.3.4/33\": skipping this rule"},
        {"cidr:{{[::1 a}}", "missing ']' character in \"[::1\": skipping this rule"},
        {"cidr:{{[::1]x a}}", "garbage after ']' in \"[::1]x\": skipping this rule"},
        {"cidr:{{1.2.3.4}}", "no lookup result: skipping this rule"},
        {"cidr:{{!}}", "no address pattern: skipping this rule"},
        {"cidr:{{if}}", "no address pattern: skipping this rule"},
        {"cidr:{{endif}}", "ignoring ENDIF without matching IF"},
        {"cidr:{{if 10.0.0.0/8}}", "IF has no matching ENDIF"},
        {"regexp:{{/foo/q a}}", "unknown regexp option \"q\": skipping this rule"},
        {"pcre:{{/foo/q a}}", "unknown regexp option \"q\": skipping this rule"},
        {"pcre:{{/foo}}", "no closing regexp delimiter \"/\": skipping this rule"},
        {"pcre:{{/foo\\}}", "no closing regexp delimiter \"/\": skipping this rule"},
        {"pcre:{{!}}", "no regexp: skipping this rule"},
        {"pcre:{{/(/ a}}", "error in regex at offset 1: missing closing parenthesis"},
        {"regexp:{{/(/ a}}", "Unmatched ( or \\("},
        {"pcre:{{/a/ $1}}", "out of range replacement index \"1\": skipping this rule"},
        {"pcre:{{/(a)/ $0}}", "out of range replacement index \"0\": skipping this rule"},
        {"pcre:{{/(a)/ $x}}", "non-numeric replacement index \"x\": skipping this rule"},
        {"pcre:{{/(a)/ $}}", "bad replacement syntax: skipping this rule"},
        {"pcre:{{/(a)/ $(1}}", "bad replacement syntax: skipping this rule"},
        {"pcre:{{!/(a)/ $1}}",
         "$number found in negative match replacement text: skipping this rule"},
        {"pcre:{{/a/}}", "no replacement text: using empty string"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char expected[512];
        const size_t type = span_find_byte(span_from_string(rows[i].name), ':');
        warnings[0] = '\0';
        struct table *table = must_open(rows[i].name, TABLE_MAY_BLOCK);
        assert_int_equal(table_prepare(table), TABLE_FOUND);
        (void)snprintf(expected, sizeof(expected), "%.*s map %s, line 1: %s\n", (int)type,
                       rows[i].name, rows[i].name, rows[i].warning);
        assert_string_equal(warnings, expected);
        table_close(&table);
    }
}

static void test_names_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *error;
    } rows[] = {
        {"regexp:{/a/ b}", "no '{' at the start of \"/a/\"; need \"regexp:{{rule}...}\""},
        {"cidr:{", "missing '}' of \"cidr:{\"; need \"cidr:{{rule}...}\""},
        {"unionmap:{}", "bad syntax: \"unionmap:{}\"; need \"unionmap:{type:name...}\""},
        {"unionmap:x", "bad syntax: \"unionmap:x\"; need \"unionmap:{type:name...}\""},
        {"pipemap:{foo}", "open dictionary: expecting \"type:name\" form instead of \"foo\""},
        {"pipemap:{zork:x}", "unsupported dictionary type: zork"},
        {"randmap:{}", "bad syntax: \"randmap:{}\"; need \"randmap:{value...}\""},
        {"unionmap:{unionmap:{unionmap:{unionmap:{unionmap:{unionmap:{unionmap:{unionmap:{unionmap:"
         "{unionmap:{static:a}}}}}}}}}}",
         "tables inside tables, more than 8 deep"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer error;
        buffer_init(&error, NULL, 1000);
        assert_null(table_open(span_from_string(rows[i].name), NULL, &error));
        assert_span_is(rows[i].name, buffer_span(&error), rows[i].error);
        buffer_release(&error);
    }
}

static void test_who_may_wait(void **state)
{
    (void)state;
    static const struct lookup_case rows[] = {
        {"regexp:{{/a/ b}}", "a", "~"},
        {"pcre:{{/a/ b}}", "a", "~"},
        {"cidr:{{1.2.3.4 b}}", "1.2.3.4", "b"},
        {"unionmap:{static:a pcre:{{/a/ b}}}", "a", "~"},
        {"pipemap:{inline:{a=b} regexp:{{/a/ b}}}", "x", "-"},
        {"pipemap:{inline:{a=b} regexp:{{/a/ b}}}", "a", "~"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct table *table = must_open(rows[i].table, 0);
        struct buffer value;
        buffer_init(&value, NULL, 100);
        ask(table, span_from_string(rows[i].key), &value);
        assert_span_is(rows[i].table, buffer_span(&value), rows[i].expected);
        buffer_release(&value);
        table_close(&table);
    }
}

static void test_randmap_gives_every_value(void **state)
{
    (void)state;
    struct table *table = must_open("randmap:{a, b c}", 0);
    unsigned seen = 0;

    for (int i = 0; i < 1000 && seen != 7; i++) {
        struct buffer value;
        buffer_init(&value, NULL, 100);
        ask(table, SPAN("x"), &value);
        assert_int_equal(value.length, 1);
        seen |= 1U << (value.bytes[0] - 'a');
        buffer_release(&value);
    }
    assert_int_equal(seen, 7);
    table_close(&table);
}

static void write_file(const char *path, const char *text)
{
    char temporary[300];
    (void)snprintf(temporary, sizeof(temporary), "%s.new", path);
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path), 0);
}

static void test_files_are_read_again(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *texts[2];
    } rows[] = {{"cidr", {"# c\n10.0.0.0/8\n  one\n", "10.0.0.0/8 two\n"}},
                {"regexp", {"/^10/ one\n", "/^10/ two\n"}},
                {"pcre", {"/^10/\n\tone\n", "if /1/\n/^10/ two\nendif\n"}}};
    char path[] = "/tmp/posthouse-rules-XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    file_close(descriptor);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        static const char *const expected[] = {"!", "one", "two", "!"};
        char name[100];
        (void)snprintf(name, sizeof(name), "%s:%s", rows[i].type, path);
        (void)unlink(path);
        struct table *table = must_open(name, TABLE_MAY_BLOCK);
        assert_span_is("file", table_file(table), path);
        for (size_t turn = 0; turn < 4; turn++) {
            struct buffer value;
            if (turn == 1 || turn == 2)
                write_file(path, rows[i].texts[turn - 1]);
            else
                (void)unlink(path);
            buffer_init(&value, NULL, 100);
            ask(table, SPAN("10.1.2.3"), &value);
            assert_span_is(name, buffer_span(&value), expected[turn]);
            buffer_release(&value);
        }
        table_close(&table);
    }
}

/* Every beginning of a pattern and of a result is taken or refused, and says what is wrong. */
static void test_patterns_cut_off_anywhere(void **state)
{
    (void)state;
    const struct span text = SPAN("! !/a\\/(b)[/]/imx!$1 ${2}$(3)$$");
    for (size_t length = 0; length <= text.length; length++) {
        struct span rest = span_first(text, length);
        struct pattern pattern;
        uint8_t delimiter;
        size_t highest;
        bool has_dollar;
        struct span name;
        const char *problem = pattern_take(&rest, true, &pattern, &delimiter);
        assert_int_equal(problem == NULL, length >= 12);
        if (!problem)
            assert_span_is("expression", pattern.expression, "a\\/(b)[");
        assert_true(pattern_result_check(span_after(span_first(text, length), 18), 9, &highest,
                                         &has_dollar, &name) <= PATTERN_RESULT_OUT_OF_RANGE);
    }
}

/* ---- Postfix's own cases: "get KEY" lines, and what each answers ---- */

static struct span read_whole(struct arena *arena, const char *name)
{
    const char *folder = getenv("TESTDATA");
    char path[600];
    struct buffer text;
    uint8_t *room;

    (void)snprintf(path, sizeof(path), "%s/postfix-surface/util/%s",
                   folder ? folder : "/nonexistent", name);
    FILE *file = fopen(path, "r");
    if (!file)
        return (struct span){NULL, 0};
    buffer_init(&text, arena, 1 << 20);
    room = buffer_reserve(&text, 65536);
    assert_non_null(room);
    buffer_extend(&text, fread(room, 1, 65536, file));
    assert_int_equal(fclose(file), 0);
    return buffer_span(&text);
}

static void run_postfix_case(const char *type, struct arena *arena)
{
    char name[600];
    struct buffer said;
    struct span line;

    (void)snprintf(name, sizeof(name), "dict_%s.ref", type);
    struct span reference = read_whole(arena, name);
    (void)snprintf(name, sizeof(name), "dict_%s.in", type);
    struct span input = read_whole(arena, name);
    if (!reference.bytes || !input.bytes) {
        print_message("TESTDATA has no dict_%s\n", type);
        return;
    }
    (void)snprintf(name, sizeof(name), "%s:%s/postfix-surface/util/dict_%s.map", type,
                   getenv("TESTDATA"), type);
    struct table *table = must_open(name, TABLE_MAY_BLOCK);
    buffer_init(&said, arena, 65536);
    while (input.length) {
        (void)span_split_once(input, '\n', &line, &input);
        const struct span key = span_after(line, 4);
        struct buffer value;
        buffer_init(&value, NULL, 1000);
        buffer_append_format(&said, "> %.*s\n", SPAN_PRINTF(line));
        if (table_lookup(table, key, &value) == TABLE_FOUND)
            buffer_append_format(&said, "%.*s=%.*s\n", SPAN_PRINTF(key),
                                 SPAN_PRINTF(buffer_span(&value)));
        else
            buffer_append_format(&said, "%.*s: not found\n", SPAN_PRINTF(key));
        buffer_release(&value);
    }
    table_close(&table);
    while (reference.length && reference.bytes[0] != '>')
        (void)span_split_once(reference, '\n', &line, &reference); /* the warnings */
    assert_int_equal(reference.length, said.length);
    assert_memory_equal(reference.bytes, said.bytes, said.length);
}

static void test_postfix_cases(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 8 << 20, 0);
    run_postfix_case("regexp", &arena);
    run_postfix_case("pcre", &arena);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_names_that_are_none),
        cmocka_unit_test(test_who_may_wait),
        cmocka_unit_test(test_randmap_gives_every_value),
        cmocka_unit_test(test_files_are_read_again),
        cmocka_unit_test(test_patterns_cut_off_anywhere),
        cmocka_unit_test(test_postfix_cases),
    };
    return cmocka_run_group_tests_name("table/rules", tests, NULL, NULL);
}
