/* tests/local/destinations - what stands in aliases, .forward and :include: files. */
#include "../test.h"

#include "../../local/destinations.h"

enum { ARENA_BYTES = 1 << 20, ENTRIES_MAX = 6 };

#define A DESTINATION_ADDRESS
#define C DESTINATION_COMMAND
#define F DESTINATION_FILE
#define I DESTINATION_INCLUDE

struct row {
    const char *text;
    struct {
        const char *text; /* "?": malformed */
        enum destination_kind kind;
        bool is_final;
    } entries[ENTRIES_MAX];
};

static const struct row rows[] = {
    {"", {{NULL, A, false}}},
    {" ,, \n , ", {{NULL, A, false}}},
    {"root", {{"root", A, false}}},
    {"jim, bob@example.org", {{"jim", A, false}, {"bob@example.org", A, false}}},
    {"jim\nbob\r\n", {{"jim", A, false}, {"bob", A, false}}},
    {"# all\njim # not a comment\n#bob", {{"?", A, false}}},
    {"\\jim, \"|/usr/bin/vacation jim\"", {{"jim", A, true}, {"/usr/bin/vacation jim", C, false}}},
    {"|/usr/bin/procmail -a b", {{"/usr/bin/procmail -a b", C, false}}},
    {"\"| cat > \\\"x y\\\"\"", {{"cat > \"x y\"", C, false}}},
    {"|sh -c \"a, b\", jim", {{"sh -c \"a, b\"", C, false}, {"jim", A, false}}},
    {"\"|sh -c 'a, (b)'\"", {{"sh -c 'a, (b)'", C, false}}},
    {"\"|IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #jim\"",
     {{"IFS=' ' && exec /usr/bin/procmail -f- || exit 75 #jim", C, false}}},
    {"/var/mail/archive", {{"/var/mail/archive", F, false}}},
    {"\"/home/jim/a b\"", {{"/home/jim/a b", F, false}}},
    {"/dev/null", {{"/dev/null", F, false}}},
    {"~/mbox, \"~/a b/\", ~jim", {{"~/mbox", F, false}, {"~/a b/", F, false}, {"~jim", A, false}}},
    {"~/x@example.org", {{"~/x@example.org", A, false}}},
    {"/c=us/admd=x/@gateway.example", {{"/c=us/admd=x/@gateway.example", A, false}}},
    {":include:/etc/list", {{"/etc/list", I, false}}},
    {"\":include: /etc/list\", jim", {{"/etc/list", I, false}, {"jim", A, false}}},
    {":INCLUDE:/x", {{"/x", I, false}}},
    {"Jim Bob <jim@example.org>, \"B, C\" <bc@example.org>",
     {{"jim@example.org", A, false}, {"bc@example.org", A, false}}},
    {"jim (the (big) boss, really), bob", {{"jim", A, false}, {"bob", A, false}}},
    {"jim @ example . org", {{"jim@example.org", A, false}}},
    {"\"joe blow\"@example.org", {{"\"joe blow\"@example.org", A, false}}},
    {"\"joe blow\"", {{"\"joe blow\"", A, false}}},
    {"jim bob", {{"?", A, false}}},
    {"jim bob, x", {{"?", A, false}, {"x", A, false}}},
    {"<jim", {{"?", A, false}}},
    {"jim>", {{"?", A, false}}},
    {"<>", {{"?", A, false}}},
    {"|", {{"?", A, false}}},
    {"\"|\"", {{"?", A, false}}},
    {":include:", {{"?", A, false}}},
    {"\\", {{"?", A, false}}},
    {"\"unclosed", {{"\"unclosed", A, false}}},
    {"(only a comment)", {{"?", A, false}}},
    {"jim\001", {{"?", A, false}}},
    {"user+ext, owner-x, x-request",
     {{"user+ext", A, false}, {"owner-x", A, false}, {"x-request", A, false}}},
};

static void every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct span rest = span_from_string(rows[i].text);
        struct destination destination;
        size_t count = 0;
        arena_init(&arena, ARENA_BYTES, 0);
        for (enum parse_result result; (result = destination_next(&rest, count == 0, &arena,
                                                                  &destination)) != PARSE_NEED_MORE;
             count++) {
            assert_true(count < ENTRIES_MAX && rows[i].entries[count].text);
            if (result == PARSE_MALFORMED) {
                assert_string_equal(rows[i].entries[count].text, "?");
                continue;
            }
            assert_int_equal(result, PARSE_OK);
            assert_span_is(rows[i].text, destination.text, rows[i].entries[count].text);
            if (destination.kind != rows[i].entries[count].kind ||
                destination.is_final != rows[i].entries[count].is_final)
                fail_msg("%s: kind %d", rows[i].text, (int)destination.kind);
        }
        if (count < ENTRIES_MAX && rows[i].entries[count].text)
            fail_msg("%s: %zu entries", rows[i].text, count);
        arena_destroy(&arena);
    }
}

/* Every beginning of every text ends, and nothing is read behind it. */
static void cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const size_t length = strlen(rows[i].text);
        for (size_t cut = 0; cut <= length; cut++) {
            struct arena arena;
            arena_init(&arena, ARENA_BYTES, 0);
            struct span rest = arena_copy(&arena, span_of(rows[i].text, cut));
            struct destination destination;
            size_t before = rest.length + 1;
            while (destination_next(&rest, false, &arena, &destination) != PARSE_NEED_MORE) {
                assert_true(rest.length < before);
                before = rest.length;
            }
            assert_int_equal(rest.length, 0);
            arena_destroy(&arena);
        }
    }
}

/* A display name of very many words is read once: whoever writes such a list into a file of his own
 * stalls nobody who reads it. */
static void a_name_of_many_words(void **state)
{
    enum { WORDS = 2 << 20 };
    struct arena arena;
    struct destination destination;
    char *text = test_malloc(2 * WORDS + 16);
    (void)state;
    for (size_t i = 0; i < WORDS; i++)
        memcpy(text + 2 * i, "a ", 2);
    memcpy(text + (size_t)2 * WORDS, "<jim@x.test>", 12);
    arena_init(&arena, 16 << 20, 0);
    struct span rest = span_of(text, 2 * WORDS + 12);
    assert_int_equal(destination_next(&rest, false, &arena, &destination), PARSE_OK);
    assert_span_is("the address", destination.text, "jim@x.test");
    arena_destroy(&arena);
    test_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row),
        cmocka_unit_test(a_name_of_many_words),
        cmocka_unit_test(cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
