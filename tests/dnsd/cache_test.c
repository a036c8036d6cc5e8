/* tests/dnsd/cache - answers live as long as they may, and the cache stays within its limits. */
#include "../test.h"

#include "../../dnsd/cache.h"

static const uint8_t seed[16] = "cache test seed";

enum { FOUND_MAX_S = 86400, ABSENT_MAX_S = 3600 };

static struct dns_cache_limits limits(size_t size_bytes)
{
    return (struct dns_cache_limits){size_bytes, FOUND_MAX_S, ABSENT_MAX_S};
}

static struct dns_question ask(const char *name, uint16_t type)
{
    struct dns_question question = {.type = type};
    assert_int_equal(dns_name_from_text(span_from_string(name), &question.name), PARSE_OK);
    return question;
}

static void test_lifetimes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum dns_status status;
        enum dns_failure failure;
        uint32_t ttl_s;
        uint32_t lifetime_s;
    } rows[] = {
        {"found", DNS_FOUND, DNS_FAILURE_NONE, 60, 60},
        {"found for a week", DNS_FOUND, DNS_FAILURE_NONE, 604800, FOUND_MAX_S},
        {"found for now", DNS_FOUND, DNS_FAILURE_NONE, 0, 0},
        {"no data", DNS_NO_DATA, DNS_FAILURE_NONE, 60, 60},
        {"no name for a day", DNS_NO_SUCH_NAME, DNS_FAILURE_NONE, 86400, ABSENT_MAX_S},
        {"no name without SOA", DNS_NO_SUCH_NAME, DNS_FAILURE_NONE, 0, 0},
        {"server failure", DNS_TEMPORARY, DNS_FAILURE_SERVER, 0, DNS_CACHE_TEMPORARY_S},
        {"timeout", DNS_TEMPORARY, DNS_FAILURE_TIMEOUT, 0, DNS_CACHE_TEMPORARY_S},
        {"our own shortage", DNS_TEMPORARY, DNS_FAILURE_RESOURCES, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dns_cache cache;
        dns_cache_init(&cache, seed, limits(10000));
        const struct dns_question question = ask("a.example", DNS_TYPE_MX);
        const struct dns_answer answer = {.status = rows[i].status,
                                          .failure = rows[i].failure,
                                          .ttl_s = rows[i].ttl_s,
                                          .canonical_name = SPAN("c.example")};
        const int64_t now_ms = 5000;
        dns_cache_store(&cache, &question, &answer, SPAN("records"), now_ms);
        const struct dns_cache_entry *entry = dns_cache_find(&cache, &question, now_ms);
        if ((entry != NULL) != (rows[i].lifetime_s > 0))
            fail_msg("%s: remembered or not", rows[i].name);
        if (entry) {
            assert_int_equal(dns_cache_ttl_s(entry, now_ms), rows[i].lifetime_s);
            assert_int_equal(entry->status, rows[i].status);
            assert_int_equal(entry->failure, rows[i].failure);
            assert_span_is(rows[i].name, entry->records, "records");
            assert_span_is(rows[i].name, entry->canonical_name, "c.example");
            const int64_t last_ms = now_ms + (int64_t)rows[i].lifetime_s * 1000;
            assert_non_null(dns_cache_find(&cache, &question, last_ms - 1));
            if (dns_cache_find(&cache, &question, last_ms))
                fail_msg("%s: remembered too long", rows[i].name);
        }
        assert_int_equal(cache.size_bytes, 0);
        dns_cache_destroy(&cache);
    }
}

static void test_questions_are_told_apart(void **state)
{
    (void)state;
    struct dns_cache cache;
    dns_cache_init(&cache, seed, limits(10000));
    const struct dns_question mx = ask("a.example", DNS_TYPE_MX);
    const struct dns_question a = ask("a.example", DNS_TYPE_A);
    const struct dns_question other = ask("b.example", DNS_TYPE_MX);
    const struct dns_question same = ask("A.EXAMPLE.", DNS_TYPE_MX);
    const struct dns_answer answer = {.status = DNS_FOUND, .ttl_s = 10, .is_authenticated = true};
    dns_cache_store(&cache, &mx, &answer, SPAN("1"), 0);
    assert_null(dns_cache_find(&cache, &a, 0));
    assert_null(dns_cache_find(&cache, &other, 0));
    assert_non_null(dns_cache_find(&cache, &same, 0));
    assert_true(dns_cache_find(&cache, &same, 0)->is_authenticated);
    dns_cache_store(&cache, &same, &answer, SPAN("2"), 0);
    assert_span_is("replaced", dns_cache_find(&cache, &mx, 0)->records, "2");
    assert_int_equal(cache.by_use.count, 1);
    dns_cache_destroy(&cache);
}

static void test_limits(void **state)
{
    (void)state;
    static uint8_t large[4000];
    struct dns_cache cache;
    const struct dns_answer answer = {.status = DNS_FOUND, .ttl_s = 10};
    dns_cache_init(&cache, seed, limits(9000));
    const struct dns_question a = ask("a", DNS_TYPE_A), b = ask("b", DNS_TYPE_A),
                              c = ask("c", DNS_TYPE_A);
    dns_cache_store(&cache, &a, &answer, span_of(large, sizeof(large)), 0);
    dns_cache_store(&cache, &b, &answer, span_of(large, sizeof(large)), 0);
    assert_non_null(dns_cache_find(&cache, &a, 0)); /* now b is the longest unused */
    dns_cache_store(&cache, &c, &answer, span_of(large, sizeof(large)), 0);
    assert_true(cache.size_bytes <= 9000);
    assert_non_null(dns_cache_find(&cache, &a, 0));
    assert_null(dns_cache_find(&cache, &b, 0));
    assert_non_null(dns_cache_find(&cache, &c, 0));
    /* What does not fit at all is not remembered and harms nobody. */
    dns_cache_destroy(&cache);
    dns_cache_init(&cache, seed, limits(1000));
    dns_cache_store(&cache, &a, &answer, span_of(large, sizeof(large)), 0);
    assert_null(dns_cache_find(&cache, &a, 0));
    dns_cache_destroy(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_questions_are_told_apart),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
