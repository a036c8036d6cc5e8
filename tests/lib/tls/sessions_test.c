/* tests/lib/tls/sessions - which TLS sessions are kept, and how many. */
#include "../../test.h"

#include "tls/sessions.h"

enum { LIFETIME_MS = 1000 };

static struct tls_sessions sessions;

static int set_up(void **state)
{
    static const uint8_t seed[16];
    (void)state;
    tls_sessions_init(&sessions, seed, LIFETIME_MS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_sessions_destroy(&sessions);
    return 0;
}

static void put(uint32_t number, size_t size_bytes)
{
    uint8_t key[TLS_SESSIONS_KEY_BYTES] = {0};
    SSL_SESSION *session = SSL_SESSION_new();
    assert_non_null(session);
    memcpy(key, &number, sizeof(number));
    assert_int_equal(SSL_SESSION_set1_id(session, key, 8), 1); /* may be resumed */
    tls_sessions_put(&sessions, key, session, size_bytes, 0);
}

static bool has(uint32_t number, int64_t now_ms)
{
    uint8_t key[TLS_SESSIONS_KEY_BYTES] = {0};
    memcpy(key, &number, sizeof(number));
    SSL_SESSION *session = tls_sessions_take(&sessions, key, now_ms);
    SSL_SESSION_free(session);
    return session != NULL;
}

static uint32_t kept_of(uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        kept += has(i, 0);
    return kept;
}

static void test_kept_for_a_time(void **state)
{
    (void)state;
    put(1, 100);
    assert_true(has(1, LIFETIME_MS - 1));
    assert_false(has(2, 0));
    assert_false(has(1, LIFETIME_MS));
    assert_int_equal(sessions.bytes, 0);
}

static void test_bounded_in_number(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3 * TLS_SESSIONS_MAX; i++) {
        put(i, 100);
        assert_true(has(0, 0)); /* in use */
    }
    assert_int_equal(kept_of(3 * TLS_SESSIONS_MAX), TLS_SESSIONS_MAX);
}

static void test_bounded_in_bytes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TLS_SESSIONS_MAX; i++) {
        put(i, TLS_SESSION_MAX_BYTES);
        assert_true(sessions.bytes <= TLS_SESSIONS_MAX_BYTES);
    }
    assert_int_equal(kept_of(TLS_SESSIONS_MAX), TLS_SESSIONS_MAX_BYTES / TLS_SESSION_MAX_BYTES);
    put(TLS_SESSIONS_MAX - 1, 100); /* in place of a large one */
    assert_true(sessions.bytes <= TLS_SESSIONS_MAX_BYTES - TLS_SESSION_MAX_BYTES + 100);
}

static void test_too_large(void **state)
{
    (void)state;
    put(1, 100);
    put(2, TLS_SESSION_MAX_BYTES + 1);
    assert_true(has(1, 0));
    assert_false(has(2, 0));
    put(1, TLS_SESSION_MAX_BYTES + 1);
    assert_false(has(1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept_for_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounded_in_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounded_in_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
