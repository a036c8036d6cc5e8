/* tests/lib/tls/policy - levels, and entries of tables of policies. */
#include "../../test.h"

#include "tls/policy.h"

enum { ARENA_BYTES = 1 << 20 };

#define NONE NULL

static const struct {
    const char *text;
    enum tls_level level;
    const char *protocols, *ciphers, *exclusions, *matches, *anchors, *server_name;
} good[] = {
    {"none", TLS_LEVEL_NONE, NONE, NONE, NONE, NONE, NONE, NONE},
    {" MAY ", TLS_LEVEL_MAY, NONE, NONE, NONE, NONE, NONE, NONE},
    {"encrypt protocols=TLSv1.2:TLSv1.3 ciphers=high", TLS_LEVEL_ENCRYPT, "TLSv1.2 TLSv1.3", "high",
     NONE, NONE, NONE, NONE},
    {"encrypt, protocols=>=TLSv1.2, exclude=aNULL:RC4 exclude=MD5", TLS_LEVEL_ENCRYPT, ">=TLSv1.2",
     NONE, "aNULL RC4 MD5", NONE, NONE, NONE},
    {"dane", TLS_LEVEL_DANE, NONE, NONE, NONE, NONE, NONE, NONE},
    {"dane-only connection_reuse=no enable_rpk=yes", TLS_LEVEL_DANE_ONLY, NONE, NONE, NONE, NONE,
     NONE, NONE},
    {"fingerprint match=AA:BB|CC:DD match=EE", TLS_LEVEL_FINGERPRINT, NONE, NONE, NONE,
     "AA:BB CC:DD EE", NONE, NONE},
    {"verify match=hostname:.example.com", TLS_LEVEL_VERIFY, NONE, NONE, NONE,
     "hostname .example.com", NONE, NONE},
    {"secure\tmatch=a servername=b tafile=/c tafile=/d", TLS_LEVEL_SECURE, NONE, NONE, NONE, "a",
     "/c /d", "b"},
};

static const struct {
    const char *text;
    const char *problem;
} bad[] = {
    {"", "no level in \"\""},
    {"maybe", "unknown level \"maybe\""},
    {"half-dane", "unknown level \"half-dane\""},
    {"secure match", "no attribute=value: \"match\""},
    {"secure match=", "no value for attribute \"match\""},
    {"secure colour=red", "unknown attribute \"colour\""},
    {"may match=a", "attribute \"match\" has no meaning at level \"may\""},
    {"dane tafile=/a", "attribute \"tafile\" has no meaning at level \"dane\""},
    {"may connection_reuse=perhaps", "neither yes nor no: \"perhaps\""},
};

static void assert_list(const char *text, struct span actual, const char *expected)
{
    if (!expected) {
        if (actual.bytes)
            fail_msg("%s: there is \"%.*s\"", text, SPAN_PRINTF(actual));
        return;
    }
    if (!actual.bytes)
        fail_msg("%s: there is no \"%s\"", text, expected);
    assert_span_is(text, actual, expected);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        char problem[TLS_POLICY_PROBLEM_BYTES];
        struct tls_policy policy;
        struct arena arena;
        arena_init(&arena, ARENA_BYTES, 0);
        if (tls_policy_parse(span_from_string(good[i].text), &arena, &policy, problem) != PARSE_OK)
            fail_msg("%s: %s", good[i].text, problem);
        assert_int_equal(policy.level, good[i].level);
        assert_list(good[i].text, policy.protocols, good[i].protocols);
        assert_list(good[i].text, policy.ciphers, good[i].ciphers);
        assert_list(good[i].text, policy.exclusions, good[i].exclusions);
        assert_list(good[i].text, policy.matches, good[i].matches);
        assert_list(good[i].text, policy.anchor_files, good[i].anchors);
        assert_list(good[i].text, policy.server_name, good[i].server_name);
        arena_destroy(&arena);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char problem[TLS_POLICY_PROBLEM_BYTES];
        struct tls_policy policy;
        struct arena arena;
        arena_init(&arena, ARENA_BYTES, 0);
        if (tls_policy_parse(span_from_string(bad[i].text), &arena, &policy, problem) == PARSE_OK)
            fail_msg("%s: is taken", bad[i].text);
        assert_string_equal(problem, bad[i].problem);
        arena_destroy(&arena);
    }
}

/* Any beginning of an entry is read without harm. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        for (size_t length = 0; good[i].text[length]; length++) {
            char problem[TLS_POLICY_PROBLEM_BYTES];
            struct tls_policy policy;
            struct arena arena;
            arena_init(&arena, ARENA_BYTES, 0);
            const enum parse_result result =
                tls_policy_parse(span_of(good[i].text, length), &arena, &policy, problem);
            assert_true((result == PARSE_OK) == (problem[0] == '\0'));
            arena_destroy(&arena);
        }
}

static void test_levels(void **state)
{
    (void)state;
    static const enum tls_level levels[] = {
        TLS_LEVEL_NONE, TLS_LEVEL_MAY,       TLS_LEVEL_ENCRYPT, TLS_LEVEL_FINGERPRINT,
        TLS_LEVEL_DANE, TLS_LEVEL_DANE_ONLY, TLS_LEVEL_VERIFY,  TLS_LEVEL_SECURE};
    static const struct {
        const char *word;
        enum tls_level level;
    } sites[] = {{"none", TLS_LEVEL_NONE},
                 {"MAY", TLS_LEVEL_MAY},
                 {"Must", TLS_LEVEL_VERIFY},
                 {"MUST_NOPEERMATCH", TLS_LEVEL_ENCRYPT}};
    enum tls_level level;
    for (size_t i = 0; i < ARRAY_LENGTH(levels); i++) {
        assert_true(tls_level_from_name(span_from_string(tls_level_name(levels[i])), &level));
        assert_int_equal(level, levels[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(sites); i++) {
        assert_true(tls_policy_from_site(span_from_string(sites[i].word), &level));
        assert_int_equal(level, sites[i].level);
    }
    assert_false(tls_policy_from_site(SPAN("encrypt"), &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests_name("tls/policy", tests, NULL, NULL);
}
