/* tests/authd/relay_cache - passwords that a server has refused not long ago. */
#include "../test.h"

#include <stdlib.h>

#include "../../authd/relay_cache.h"

static const struct relay_cache_question question = {SPAN_LITERAL("mail.example.com"),
                                                     SPAN_LITERAL("user"), SPAN_LITERAL("secret")};

static struct relay_cache *make(int64_t lifetime_ms)
{
    struct relay_cache *cache = malloc(sizeof(*cache));
    assert_non_null(cache);
    relay_cache_init(cache, lifetime_ms);
    return cache;
}

static void test_what_is_refused(void **state)
{
    (void)state;
    const struct relay_cache_question others[] = {
        {SPAN("mx.example.com"), SPAN("user"), SPAN("secret")},
        {SPAN("mail.example.com"), SPAN("user2"), SPAN("secret")},
        {SPAN("mail.example.com"), SPAN("user"), SPAN("another")},
        {SPAN("mail.example.comu"), SPAN("ser"), SPAN("secret")},
        {SPAN(""), SPAN(""), SPAN("")},
    };
    struct relay_cache *cache = make(1000);
    struct span text;

    assert_false(relay_cache_find(cache, &question, 5000, &text));
    relay_cache_add(cache, &question, SPAN("535 5.7.8 no"), 5000);
    assert_true(relay_cache_find(cache, &question, 5000, &text));
    assert_span_is("text", text, "535 5.7.8 no");
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_false(relay_cache_find(cache, &others[i], 5000, &text));
    assert_true(relay_cache_find(cache, &question, 5999, &text));
    assert_false(relay_cache_find(cache, &question, 6000, &text));
    free(cache);
}

static void test_not_wanted(void **state)
{
    (void)state;
    struct relay_cache *cache = make(0);
    struct span text;
    relay_cache_add(cache, &question, SPAN("535 no"), 5000);
    assert_false(relay_cache_find(cache, &question, 5000, &text));
    free(cache);
}

/* The oldest go first, and a reply is kept up to its limit. */
static void test_bounds(void **state)
{
    (void)state;
    static const uint8_t long_text[2 * RELAY_CACHE_TEXT_BYTES] = {'5'};
    struct relay_cache *cache = make(1000000);
    struct span text;

    relay_cache_add(cache, &question, span_of(long_text, sizeof(long_text)), 1);
    assert_true(relay_cache_find(cache, &question, 2, &text));
    assert_int_equal(text.length, RELAY_CACHE_TEXT_BYTES);
    for (int64_t i = 0; i < RELAY_CACHE_ENTRIES; i++) {
        const struct relay_cache_question other = {span_of(&i, sizeof(i)), SPAN("u"), SPAN("p")};
        relay_cache_add(cache, &other, SPAN("535 no"), 10 + i);
        assert_true(relay_cache_find(cache, &other, 10 + i, &text));
    }
    assert_false(relay_cache_find(cache, &question, 1000, &text));
    free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_not_wanted),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests_name("authd/relay_cache", tests, NULL, NULL);
}
