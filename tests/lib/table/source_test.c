/* tests/lib/table - the text of tables, whole and byte by byte. */
#include "../../test.h"

#include "table/source.h"

struct source_case {
    const char *name;
    const char *input; /* a "~" stands for a NUL */
    /* per logical line: line number, problem letter, key, value */
    const char *expected;
};

static const struct source_case cases[] = {
    {"empty file", "", ""},
    {"one line", "key value\n", "1 . [key] [value]\n"},
    {"no final newline", "key value", "1 . [key] [value]\n"},
    {"tabs and trailing space", "key\t \tvalue with spaces \t\n",
     "1 . [key] [value with spaces]\n"},
    {"carriage returns", "a b\r\nc d\r\n", "1 . [a] [b]\n2 . [c] [d]\n"},
    {"continuation", "key one\n  two\n\tthree\nnext x\n",
     "1 . [key] [one  two\tthree]\n4 . [next] [x]\n"},
    {"continuation brings the value", "key\n value\n", "1 . [key] [value]\n"},
    {"comments and empty lines", "# c\n\n  \n  # d\na b\n", "5 . [a] [b]\n"},
    {"comments inside a logical line", "a b\n# c\n\n   # d\n  more\nx y\n",
     "1 . [a] [b  more]\n6 . [x] [y]\n"},
    {"hash sign later in a line", "a b # c\na#b c\n", "1 . [a] [b # c]\n2 . [a#b] [c]\n"},
    {"leading space", "  lead x\n  y\nfoo b\n", "1 s [] [lead x  y]\n3 . [foo] [b]\n"},
    {"no value", "key\nother v\n", "1 v [key] []\n2 . [other] [v]\n"},
    {"alias format", "key: value\n", "1 a [key:] [value]\n"},
    {"quoted key", "\"aa bb\" cc\n", "1 . [\"aa bb\"] [cc]\n"},
    {"quotes inside a key", "\"aa bb\"@x cc\n", "1 . [\"aa bb\"@x] [cc]\n"},
    {"unbalanced", "\"dd ee ff\nx y\n", "1 q [\"dd ee ff] []\n2 . [x] [y]\n"},
    {"escaped space", "gg\\ hh ii\n", "1 . [gg\\ hh] [ii]\n"},
    {"escaped quote", "\"gg\\\"hh\" ii\n", "1 . [\"gg\\\"hh\"] [ii]\n"},
    {"backslash at the end", "zz y\\\n", "1 . [zz] [y\\]\n"},
    {"backslash at the end of the key", "zz\\\n", "1 v [zz\\] []\n"},
    {"quotes in the value", "k \"v w\n", "1 . [k] [\"v w]\n"},
    {"two ats", "mm@nn@oo pp\n@oo pp\n", "1 . [mm@nn@oo] [pp]\n2 . [@oo] [pp]\n"},
    {"a byte of zero", "a~b c\nd e\n", "1 0 [a~b] [c]\n2 . [d] [e]\n"},
    {"UTF-8", "\xc3\xa9 v\n", "1 . [\xc3\xa9] [v]\n"},
    {"no UTF-8", "x\xff y\nz \xff\n", "1 8 [x\xff] [y]\n2 8 [z] [\xff]\n"},
};

/* Takes everything the source has so far and writes it into text. */
static void drain(struct table_source *source, struct buffer *window, bool is_last,
                  struct buffer *text)
{
    static const char letters[] = {
        [TABLE_SOURCE_FINE] = '.',          [TABLE_SOURCE_LOOKS_LIKE_ALIAS] = 'a',
        [TABLE_SOURCE_NO_VALUE] = 'v',      [TABLE_SOURCE_UNBALANCED_QUOTE] = 'q',
        [TABLE_SOURCE_LEADING_SPACE] = 's', [TABLE_SOURCE_HAS_NUL] = '0',
        [TABLE_SOURCE_NOT_UTF8] = '8',      [TABLE_SOURCE_TOO_LONG] = 'l'};
    enum parse_result result;

    do {
        struct table_source_entry entry;
        size_t consumed;
        result = table_source_next(source, buffer_span(window), is_last, &entry, &consumed);
        assert_true(consumed <= window->length);
        assert_int_not_equal(result, PARSE_TOO_LONG);
        if (result == PARSE_OK)
            buffer_append_format(text, "%zu %c [%.*s] [%.*s]\n", entry.line_number,
                                 letters[entry.problem], SPAN_PRINTF(entry.key),
                                 SPAN_PRINTF(entry.value));
        buffer_consume(window, consumed);
    } while (result == PARSE_OK);
}

static struct span run(struct span input, size_t step, struct arena *arena)
{
    struct table_source source;
    struct buffer window;
    struct buffer *text = arena_alloc(arena, sizeof(*text));

    assert_non_null(text);
    buffer_init(text, arena, 65536);
    buffer_init(&window, NULL, 4 * 1024 * 1024);
    table_source_init(&source, NULL, true);
    for (size_t i = 0; i < input.length; i += step) {
        buffer_append_span(&window, span_between(input, i, i + step));
        drain(&source, &window, false, text);
    }
    drain(&source, &window, true, text);
    assert_int_equal(window.length, 0);
    table_source_release(&source);
    buffer_release(&window);
    assert_true(buffer_ok(text));
    return buffer_span(text);
}

static struct span with_nul(struct arena *arena, const char *text, size_t *length)
{
    char *copy = arena_string(arena, span_from_string(text));
    assert_non_null(copy);
    *length = strlen(copy);
    for (size_t i = 0; i < *length; i++)
        if (copy[i] == '~')
            copy[i] = '\0';
    return span_of(copy, *length);
}

static void test_cases_whole_and_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct arena arena;
        size_t length;

        arena_init(&arena, 1 << 20, 0);
        const struct span input = with_nul(&arena, cases[i].input, &length);
        for (size_t step = 1; step <= length + 1; step++) {
            const struct span actual = run(input, step, &arena);
            /* %.*s stops at a NUL, so compare up to it with "~" cases */
            if (strchr(cases[i].input, '~'))
                assert_true(span_starts_with(actual, SPAN("1 0 [a")));
            else
                assert_span_is(cases[i].name, actual, cases[i].expected);
        }
        arena_destroy(&arena);
    }
}

static void test_long_lines_are_ignored_with_a_warning(void **state)
{
    (void)state;
    const size_t size = TABLE_SOURCE_LINE_MAX_BYTES + 100;
    struct arena arena;
    struct buffer input;

    arena_init(&arena, 32 << 20, 0);
    buffer_init(&input, &arena, 4 * size);
    buffer_append_string(&input, "a b\n");
    uint8_t *room = buffer_reserve(&input, size);
    assert_non_null(room);
    memset(room, 'x', size);
    buffer_extend(&input, size);
    buffer_append_string(&input, "\n  tail\nc d\n");
    assert_span_is("whole", run(buffer_span(&input), input.length, &arena),
                   "1 . [a] [b]\n2 l [] [tail]\n4 . [c] [d]\n");
    assert_span_is("in pieces", run(buffer_span(&input), 100000, &arena),
                   "1 . [a] [b]\n2 l [] [tail]\n4 . [c] [d]\n");
    arena_destroy(&arena);
}

static void test_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        const char *expected;
    } rows[] = {
        {"a b", ""},
        {"xxx: yyy", "f, line 1: record is in \"key: value\" format; is this an alias file?"},
        {"xxx", "f, line 1: expected format: key whitespace value -- ignoring this line"},
        {"\"the answer is 42",
         "f, line 1: unbalanced '\"' in '\"the answer is 42' -- ignoring this line"},
        {"x\xff y", "f, line 1: non-UTF-8 input 'x? y' -- ignoring this line"},
        {" x y", "f, line 1: logical line must not start with whitespace: ' x y' -- ignoring this "
                 "line"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct table_source source;
        struct table_source_entry entry;
        struct buffer text;
        struct buffer window;

        buffer_init(&text, NULL, 1000);
        buffer_init(&window, NULL, 1000);
        size_t consumed;
        table_source_init(&source, NULL, true);
        const struct span input = span_from_string(rows[i].input);
        assert_int_equal(table_source_next(&source, input, true, &entry, &consumed), PARSE_OK);
        table_source_warning(&entry, "f", &text);
        assert_span_is(rows[i].input, buffer_span(&text), rows[i].expected);
        table_source_release(&source);
        buffer_release(&text);
        buffer_release(&window);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases_whole_and_in_pieces),
        cmocka_unit_test(test_long_lines_are_ignored_with_a_warning),
        cmocka_unit_test(test_warnings),
    };
    return cmocka_run_group_tests_name("table/source", tests, NULL, NULL);
}
