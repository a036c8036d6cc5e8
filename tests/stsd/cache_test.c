/* tests/stsd/cache - what counts of a policy and for how long; lines of the file. */
#include "../../stsd/cache.h"

#include "../test.h"

#include <stdlib.h>

enum { NOW = 1000000, CHECK = 60, REFRESH = 86400, NEGATIVE = 300, MAX_AGE = 604800 };

static const struct cache_times times = {CHECK, REFRESH, NEGATIVE};
static const uint8_t seed[16];

#define POLICY "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 604800\n"

static struct mtasts_policy parse(const char *text)
{
    struct mtasts_policy policy;
    assert_int_equal(mtasts_policy_parse(span_from_string(text), &policy), PARSE_OK);
    return policy;
}

static struct cache_entry *with_policy(struct cache *cache, const char *domain, const char *id)
{
    const struct mtasts_policy policy = parse(POLICY);
    struct cache_entry *entry = cache_get(cache, span_from_string(domain));
    assert_non_null(entry);
    assert_true(cache_set_policy(cache, entry, span_from_string(id), &policy, NOW));
    return entry;
}

static void test_life_of_a_policy(void **state)
{
    (void)state;
    struct cache cache;
    cache_init(&cache, &times, seed);
    struct cache_entry *entry = cache_get(&cache, SPAN("Example.COM"));
    assert_ptr_equal(entry, cache_get(&cache, SPAN("example.com")));
    assert_true(span_is_empty(cache_policy(entry, NOW)));
    assert_true(cache_is_check_due(&cache, entry, NOW));
    assert_true(cache_is_fetch_due(&cache, entry, SPAN("1"), NOW));

    assert_ptr_equal(entry, with_policy(&cache, "example.com", "1"));
    entry->checked_s = entry->asked_s = NOW;
    assert_span_is("policy", cache_policy(entry, NOW), POLICY);
    assert_false(cache_is_check_due(&cache, entry, NOW + CHECK - 1));
    assert_true(cache_is_check_due(&cache, entry, NOW + CHECK));
    assert_true(cache_is_check_due(&cache, entry, NOW - 1)); /* of a clock that went back */
    assert_false(cache_is_fetch_due(&cache, entry, SPAN("1"), NOW + REFRESH - 1));
    assert_true(cache_is_fetch_due(&cache, entry, SPAN("2"), NOW));
    assert_true(cache_is_fetch_due(&cache, entry, SPAN("1"), NOW + REFRESH));
    assert_false(cache_is_refresh_due(&cache, entry, NOW + REFRESH - 1));
    assert_true(cache_is_refresh_due(&cache, entry, NOW + REFRESH));

    assert_span_is("a clock that went back", cache_policy(entry, NOW - 100), POLICY);
    assert_span_is("last second", cache_policy(entry, NOW + MAX_AGE - 1), POLICY);
    assert_true(span_is_empty(cache_policy(entry, NOW + MAX_AGE)));
    assert_false(cache_is_refresh_due(&cache, entry, NOW + MAX_AGE));
    cache_expire(&cache, NOW + MAX_AGE);
    assert_int_equal(cache.entries.count, 0);
    assert_int_equal(cache.size_bytes, 0);
    cache_destroy(&cache);
}

/* RFC 8461 section 3.3: a failed fetch is not repeated for some minutes, unless the id changes; and
 * takes nothing away. */
/* A clock that was years ahead, and is set right: a policy ends all the same, and what failed is
 * fetched again. */
static void test_a_clock_that_was_ahead(void **state)
{
    (void)state;
    enum { RIGHT = NOW - 100 * MAX_AGE };
    struct sts_record record;
    struct cache cache, again;
    cache_init(&cache, &times, seed);
    cache_init(&again, &times, seed);
    struct cache_entry *entry = with_policy(&cache, "example.com", "1");
    cache_record(entry, &record);
    cache_restore(&again, &record, RIGHT);
    cache_set_failure(entry, SPAN("2"), TLSRPT_STS_POLICY_FETCH_ERROR, SPAN("x"), NOW);
    cache_expire(&cache, RIGHT);
    assert_span_is("kept", cache_policy(entry, RIGHT), POLICY);
    assert_true(cache_is_fetch_due(&cache, entry, SPAN("2"), RIGHT + NEGATIVE));
    assert_true(cache_is_fetch_due(&cache, entry, SPAN("1"), RIGHT + REFRESH));
    assert_true(span_is_empty(cache_policy(entry, RIGHT + MAX_AGE)));
    entry = cache_get(&again, SPAN("example.com"));
    assert_span_is("kept over a restart", cache_policy(entry, RIGHT), POLICY);
    assert_true(span_is_empty(cache_policy(entry, RIGHT + MAX_AGE)));
    cache_destroy(&cache);
    cache_destroy(&again);
}

static void test_failure(void **state)
{
    (void)state;
    struct cache cache;
    cache_init(&cache, &times, seed);
    struct cache_entry *entry = with_policy(&cache, "example.com", "1");
    cache_set_failure(entry, SPAN("2"), TLSRPT_STS_POLICY_FETCH_ERROR, SPAN("HTTP status 404"),
                      NOW);
    assert_span_is("policy", cache_policy(entry, NOW), POLICY);
    assert_int_equal(entry->failure, TLSRPT_STS_POLICY_FETCH_ERROR);
    assert_string_equal(entry->reason, "HTTP status 404");
    assert_false(cache_is_fetch_due(&cache, entry, SPAN("2"), NOW + NEGATIVE - 1));
    assert_true(cache_is_fetch_due(&cache, entry, SPAN("2"), NOW + NEGATIVE));
    assert_true(cache_is_fetch_due(&cache, entry, SPAN("3"), NOW));
    cache_expire(&cache, NOW);
    assert_int_equal(cache.entries.count, 1);
    (void)with_policy(&cache, "example.com", "3");
    assert_int_equal(entry->failure, TLSRPT_SUCCESS);
    assert_string_equal(entry->reason, "");
    cache_destroy(&cache);
}

/* Domains without a policy never push out those with one. */
static void test_room(void **state)
{
    (void)state;
    struct cache cache;
    char name[64];
    cache_init(&cache, &times, seed);
    cache.entries_max = 10;
    (void)with_policy(&cache, "kept.example", "1");
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "d%d.example", i);
        assert_non_null(cache_get(&cache, span_from_string(name)));
        assert_true(cache.entries.count <= 10);
    }
    assert_non_null(map_find(&cache.entries, SPAN("kept.example")));
    struct cache_entry *busy = cache_get(&cache, SPAN("busy.example"));
    busy->is_busy = true;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "p%d.example", i);
        (void)with_policy(&cache, name, "1");
    }
    assert_null(map_find(&cache.entries, SPAN("kept.example")));
    assert_non_null(map_find(&cache.entries, SPAN("busy.example")));
    cache_destroy(&cache);
}

static void test_restored(void **state)
{
    (void)state;
    struct cache cache, again;
    struct sts_record record;
    struct buffer line, text;
    cache_init(&cache, &times, seed);
    cache_init(&again, &times, seed);
    struct cache_entry *entry = with_policy(&cache, "example.com", "20160831085700Z");
    entry->asked_s = NOW + 5;
    buffer_init(&line, NULL, 4096);
    buffer_init(&text, NULL, MTASTS_POLICY_MAX_BYTES);
    cache_record(entry, &record);
    sts_record_append(&record, &line);
    assert_span_is("line", buffer_span(&line),
                   "example.com\t20160831085700Z\t1000000\t1000005\tversion: STSv1;mode: enforce;"
                   "mx: mail.example.com;max_age: 604800;\n");
    const struct span whole = span_first(buffer_span(&line), line.length - 1);
    assert_int_equal(sts_record_parse(whole, &text, &record), PARSE_OK);
    cache_restore(&again, &record, NOW + MAX_AGE);
    assert_int_equal(again.entries.count, 0);
    cache_restore(&again, &record, NOW + 10);
    entry = cache_get(&again, SPAN("example.com"));
    assert_span_is("policy", cache_policy(entry, NOW + 10), POLICY);
    assert_string_equal(entry->id, "20160831085700Z");
    assert_int_equal(entry->asked_s, NOW + 5);
    assert_true(cache_is_check_due(&again, entry, NOW + 10));
    for (size_t length = 0; length < whole.length; length++) {
        uint8_t *copy = malloc(length ? length : 1);
        assert_non_null(copy);
        memcpy(copy, whole.bytes, length);
        if (sts_record_parse(span_of(copy, length), &text, &record) == PARSE_OK)
            assert_true(span_starts_with(record.policy, SPAN("version: STSv1\nmode: enforce\n")));
        free(copy);
    }
    buffer_release(&line);
    buffer_release(&text);
    cache_destroy(&cache);
    cache_destroy(&again);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "example.com",
        "exa mple\t1\t1\t1\tversion: STSv1;mode: none;max_age: 1;",
        "example.com\t\t1\t1\tversion: STSv1;mode: none;max_age: 1;",
        "example.com\t1-2\t1\t1\tversion: STSv1;mode: none;max_age: 1;",
        "example.com\t1\t-1\t1\tversion: STSv1;mode: none;max_age: 1;",
        "example.com\t1\t1\t99999999999\tversion: STSv1;mode: none;max_age: 1;",
        "example.com\t1\t1\t1\tversion: STSv1;mode: none;",
        "example.com\t1\t1\t1\t",
    };
    struct buffer text;
    buffer_init(&text, NULL, MTASTS_POLICY_MAX_BYTES);
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct sts_record record;
        if (sts_record_parse(span_from_string(lines[i]), &text, &record) == PARSE_OK)
            fail_msg("accepted: %s", lines[i]);
    }
    buffer_release(&text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_policy), cmocka_unit_test(test_a_clock_that_was_ahead),
        cmocka_unit_test(test_failure),          cmocka_unit_test(test_room),
        cmocka_unit_test(test_restored),         cmocka_unit_test(test_bad_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
