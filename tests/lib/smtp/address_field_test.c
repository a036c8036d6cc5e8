/* tests/lib/smtp/address_field - addresses found in header fields, and replaced in place. */
#include "../../test.h"

#include "smtp/address_field.h"

enum { FOUND_MAX_BYTES = 4096 };

/* All addresses of a value, a bar between them. */
static void find_all(struct span value, struct buffer *found)
{
    struct arena arena;
    struct smtp_field_address address;
    size_t at = 0, before = 0;
    arena_init(&arena, 1 << 16, 0);
    while (smtp_address_field_next(value, &at, &arena, &address)) {
        assert_true(address.begin < address.end);
        assert_true(before <= address.begin);
        assert_true(address.end <= at);
        before = address.end;
        if (found->length)
            buffer_append_byte(found, '|');
        buffer_append_span(found, address.text);
    }
    assert_int_equal(at, value.length);
    arena_destroy(&arena);
}

struct row {
    const char *value;
    const char *found;
};

static void check_rows(const struct row *rows, size_t count,
                       void (*find)(struct span value, struct buffer *found))
{
    for (size_t i = 0; i < count; i++) {
        struct buffer found;
        buffer_init(&found, NULL, FOUND_MAX_BYTES);
        find(span_from_string(rows[i].value), &found);
        assert_span_is(rows[i].value, buffer_span(&found), rows[i].found);
        buffer_release(&found);
    }
}

/* Cut anywhere, the scanner stays inside and comes to an end. */
static void check_prefixes(struct span value, void (*find)(struct span value, struct buffer *found))
{
    for (size_t length = 0; length <= value.length; length++) {
        struct buffer found;
        buffer_init(&found, NULL, FOUND_MAX_BYTES);
        find(span_first(value, length), &found);
        assert_true(buffer_ok(&found));
        buffer_release(&found);
    }
}

static void test_found(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {" a@b.c", "a@b.c"},
        {" a", "a"},
        {" a, b@c, d", "a|b@c|d"},
        {" a.b.c@d.e", "a.b.c@d.e"},
        {" John Doe <jd@e.f>", "jd@e.f"},
        {" John Doe", ""},
        {" \"Doe, John\" <jd@e>, x", "jd@e|x"},
        {" =?utf-8?Q?J=C3=B6?= <j@e>", "j@e"},
        {" j@e (John, (the) Doe)", "j@e"},
        {" (x)j(y)@(z)e.(w)f(v)", "j@e.f"},
        {" j . k @ e\r\n\t. f", "j.k@e.f"},
        {" \"a b\"@c", "\"a b\"@c"},
        {" \"a\\\"b\"@c", "\"a\\\"b\"@c"},
        {" a@[192.0.2.1]", "a@[192.0.2.1]"},
        {" <@r.s,@t.u:a@b>", "a@b"},
        {" <>", ""},
        {" undisclosed-recipients:;", ""},
        {" friends: a, b@c;, d", "a|b@c|d"},
        {" friends:;", ""},
        {" one: a; two: b <c>;", "a|c"},
        {" a@b@c", ""},
        {" a..b@c, d", "d"},
        {" .a@b, d", "d"},
        {" a.@b", ""},
        {" @b", ""},
        {" a@", ""},
        {" <a@b", ""},
        {" a@b> , c", "c"},
        {" <a@b> <c@d>, e", "e"},
        {" \"never closed <a@b>", "\"never closed <a@b>"},
        {" (never closed a@b", ""},
        {" a@b,,, ;c", "a@b|c"},
        {" J. Doe <j@e>", "j@e"},
        {" \xc3\xa4@\xc3\xb6.de", "\xc3\xa4@\xc3\xb6.de"},
    };
    check_rows(rows, ARRAY_LENGTH(rows), find_all);
}

static void test_every_prefix(void **state)
{
    (void)state;
    check_prefixes(SPAN(" \"D, \\\"J\" (a (b) \\) c) <@r:j . k@[::1]>, g: x@y;, \xc3\xa4 <z"),
                   find_all);
}

static bool add_domain(void *context, enum smtp_address_field kind, struct span text,
                       struct arena *arena, struct span *replacement)
{
    (void)context;
    if (span_find_byte(text, '@') < text.length)
        return false;
    *replacement = arena_format(arena, "%.*s@%s", SPAN_PRINTF(text),
                                kind == SMTP_ADDRESS_FIELD_SENDER ? "s" : "r");
    return replacement->bytes != NULL;
}

static void test_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *before;
        const char *after;
    } rows[] = {
        {"To", "To: a, B (c) <d>,\r\n\te@f\r\n", "To: a@r, B (c) <d@r>,\r\n\te@f\r\n"},
        {"from", "from:a\r\n", "from:a@s\r\n"},
        {"From", "From : x.y\r\n", "From : x.y@s\r\n"},
        {"Subject", "Subject: a\r\n", "Subject: a\r\n"},
        {"To", "To:\r\n", "To:\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer output;
        buffer_init(&output, NULL, FOUND_MAX_BYTES);
        const bool has_changed =
            smtp_address_field_rewrite(span_from_string(rows[i].name),
                                       span_from_string(rows[i].before), add_domain, NULL, &output);
        assert_span_is(rows[i].before, buffer_span(&output), rows[i].after);
        assert_int_equal(has_changed, strcmp(rows[i].before, rows[i].after) != 0);
        buffer_release(&output);
    }
}

/* All entries of a list, a bar between them, a question mark before what is no address. */
static void list_with(struct span value, bool takes_odd_names, struct buffer *found)
{
    struct arena arena;
    struct smtp_address_list list;
    struct smtp_address_entry entry;
    size_t before = 0;
    arena_init(&arena, 1 << 16, 0);
    smtp_address_list_init(&list, value);
    list.takes_odd_names = takes_odd_names;
    while (smtp_address_list_next(&list, &arena, &entry)) {
        assert_true(before < list.at);
        assert_true(entry.text.length > 0);
        before = list.at;
        buffer_append_string(found, found->length ? "|" : "");
        buffer_append_string(found, entry.is_address ? "" : "?");
        buffer_append_span(found, entry.text);
    }
    assert_int_equal(list.at, value.length);
    arena_destroy(&arena);
}

static void list_all(struct span value, struct buffer *found)
{
    list_with(value, false, found);
}

static void list_all_and_names(struct span value, struct buffer *found)
{
    list_with(value, true, found);
}

static void test_lists(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {" ,;, ", ""},
        {"you", "you"},
        {" you, two@here.test ", "you|two@here.test"},
        {"you two", "you|two"},
        {"you@a two@b\r\n\tthree", "you@a|two@b|three"},
        {"a b@c d", "a|b@c|d"},
        {"you (x) two(z)", "you|two"},
        {"you @ here . test two", "you@here.test|two"},
        {"Ann B. Smith <ann@b>", "ann@b"},
        {"Ann <a@b>, two", "a@b|two"},
        {"<you> two", "you|two"},
        {"two <you>", "you"},
        {"you<two@b>three <four>", "two@b|four"},
        {"\"B, C\" <two>, \"q r\"@s", "two|\"q r\"@s"},
        {"group: you, two;, three", "you|two|three"},
        {"undisclosed-recipients:;", ""},
        {"g:you;two", "you|two"},
        {"@, two", "?@|two"},
        {"you@@b, two", "?you@@b|two"},
        {"you@b@c", "?you@b@c"},
        {"a..b c", "?a..b|c"},
        {"@b", "?@b"},
        {"a@", "?a@"},
        {"a@b>, c", "?a@b>|c"},
        {"<>", "?<>"},
        {"<a b>, c", "?<a b>|c"},
        {"<you@b, two", "?<you@b|two"},
        {"<<a>>, b", "?<<a>|?>|b"},
        {"<@r.s,@t.u:a@b>, c", "a@b|c"},
        {"(never closed a", ""},
        {"\"never closed <a@b>", "\"never closed <a@b>"},
        {"-x, --", "-x|--"},
    };
    check_rows(rows, ARRAY_LENGTH(rows), list_all);
}

/* To many programs, "boss@b: you@b" is from boss@b. */
static void test_odd_names(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a@b: c@d", "a@b|c@d"},
        {"a@b:;", "a@b"},
        {"a@b :(x) <c@d>, e", "a@b|c@d|e"},
        {"a@b <c@d>", "a@b|c@d"},
        {"a@b<c@d><e@f>", "a@b|c@d|e@f"},
        {"Ann @ b <c@d>", "Ann@b|c@d"},
        {"@b <c@d>", "?@b|c@d"},
        {"a@b <c@d", "?a@b <c@d"},
        {"<a@b>: <c@d>", "a@b|c@d"},
        {"a@b@c: d", "?a@b@c|d"},
        {"g: a@b: c", "a@b|c"},
        {"Ann <a@b>, \"b@c\": \"d@e\" (f@g) <h@i>;", "a@b|h@i"},
    };
    check_rows(rows, ARRAY_LENGTH(rows), list_all_and_names);
    check_prefixes(SPAN(" \"D, \\\"J\" @ (b) <@r:j . k@[::1]> l @m, g@: x@y <z;, o@<, <"),
                   list_all_and_names);
}

static void test_every_prefix_of_a_list(void **state)
{
    (void)state;
    check_prefixes(
        SPAN(" \"D, \\\"J\" (a (b) \\) c) <@r:j . k@[::1]> l m, g: x@y z;, \xc3\xa4 <z, <"),
        list_all);
}

/* Brackets that nothing closes cost no more than other bytes. */
static void test_a_long_list(void **state)
{
    (void)state;
    enum { LENGTH = 1 << 20 };
    static uint8_t bytes[LENGTH];
    static const uint8_t kinds[] = {'<', 'a', ',', '(', '"', ':', '@'};
    for (size_t kind = 0; kind < 2 * ARRAY_LENGTH(kinds); kind++) {
        struct arena arena;
        struct smtp_address_list list;
        struct smtp_address_entry entry;
        for (size_t i = 0; i < LENGTH; i++)
            bytes[i] = i % 2 ? ' ' : kinds[kind / 2];
        arena_init(&arena, 16 << 20, 0);
        smtp_address_list_init(&list, span_of(bytes, LENGTH));
        list.takes_odd_names = kind % 2 == 1;
        while (smtp_address_list_next(&list, &arena, &entry))
            ;
        assert_int_equal(list.at, LENGTH);
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),       cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_replaced),    cmocka_unit_test(test_lists),
        cmocka_unit_test(test_odd_names),   cmocka_unit_test(test_every_prefix_of_a_list),
        cmocka_unit_test(test_a_long_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
