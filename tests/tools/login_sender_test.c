/* tests/tools/login_sender - which senders a user's mail may have. */
#include "../test.h"

#include "tools/login_sender.h"

static bool matches(const char *patterns, const char *sender)
{
    struct arena arena;
    arena_init(&arena, 1 << 16, 0);
    const bool result = login_sender_matches(span_from_string(patterns), span_from_string(sender),
                                             SPAN("+-"), SPAN("<>"), &arena);
    arena_destroy(&arena);
    return result;
}

static void test_matches(void **state)
{
    (void)state;
    static const struct {
        const char *patterns, *sender;
        bool is_match;
    } rows[] = {
        {"*", "anybody@any.where", true},
        {"*", "", true},
        {"a, *", "a..b", true},
        {"ann", "ann", true},
        {"ann", "ann@here.test", false},
        {"ann@here.test", "ann", false},
        {"ann bob@here.test", "Bob@HERE.test", true},
        {"ann,bob@here.test", "bob@there.test", false},
        {"bob@here.test", "bob+x@here.test", true},
        {"bob@here.test", "bob-x+y@here.test", true},
        {"bob@here.test", "bob+x%there.test@here.test", true},
        {"bob+x@here.test", "bob+x@here.test", true},
        {"bob+x@here.test", "bob@here.test", false},
        {"ann", "ann+x", true},
        {"ann", "ann+x%there.test", false},
        {"ann", "\"ann+x%there.test\"", false},
        {"ann", "ann%there.test", false},
        {"@here.test", "anybody@here.test", true},
        {"@here.test", "anybody@sub.here.test", false},
        {"@here.test", "anybody", false},
        {"@", "anybody", false},
        {"@here.test", "x@evil.test@here.test", false},
        {"@here.test", "x@evil.test (@here.test", false},
        {"x@evil.test@here.test", "x@evil.test@here.test", false},
        {"\"ann\"@here.test", "ann@here.test", false},
        {"ann@here.test", "\"ann\"@here.test", true},
        {"<>", "", true},
        {"<>", "<>", false},
        {"ann", "", false},
        {"", "", false},
        {"", "ann", false},
        {"+", "+x", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (matches(rows[i].patterns, rows[i].sender) != rows[i].is_match)
            fail_msg("\"%s\" by \"%s\"", rows[i].sender, rows[i].patterns);
}

static void test_tables(void **state)
{
    (void)state;
    static const char maps[] = "inline:{ {ann=ann@here.test, <>} }, static:odd";
    struct arena arena;
    struct span patterns;
    arena_init(&arena, 1 << 20, 0);
    assert_int_equal(login_sender_find(SPAN(" static:* "), SPAN("x"), &arena, &patterns),
                     LOGIN_SENDER_FOUND);
    assert_span_is("all", patterns, "*");
    assert_int_equal(login_sender_find(span_from_string(maps), SPAN("ann"), &arena, &patterns),
                     LOGIN_SENDER_FOUND);
    assert_span_is("ann", patterns, "ann@here.test, <>");
    assert_int_equal(login_sender_find(SPAN("inline:{a=b}"), SPAN("x"), &arena, &patterns),
                     LOGIN_SENDER_NONE);
    assert_int_equal(login_sender_find(SPAN(""), SPAN("x"), &arena, &patterns), LOGIN_SENDER_NONE);
    assert_int_equal(login_sender_find(SPAN("fail:x"), SPAN("x"), &arena, &patterns),
                     LOGIN_SENDER_ERROR);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
