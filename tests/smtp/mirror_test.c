/* tests/smtp/mirror - every setting of smtp has one of lmtp, and its value arrives. */
#include "../test.h"

#include "../../smtp/mirror.h"

static void test_mirror(void **state)
{
    (void)state;
    struct arena arena;
    struct conf_lmtp *from;
    struct conf_smtp *settings;
    arena_init(&arena, 8 << 20, 0);
    from = arena_alloc(&arena, sizeof(*from));
    settings = arena_alloc(&arena, sizeof(*settings));
    assert_true(from && settings);
    from->lmtp_lhlo_name = SPAN("store.test");
    from->lmtp_lhlo_timeout_ms = 7000;
    from->lmtp_discard_lhlo_keywords = SPAN("dsn");
    from->lmtp_client_limit = 12;
    from->lmtp_skip_5xx_greeting = true;
    from->myhostname = SPAN("here.test");
    assert_true(mirror_settings(from, settings));
    assert_span_is("name", settings->smtp_helo_name, "store.test");
    assert_int_equal(settings->smtp_helo_timeout_ms, 7000);
    assert_span_is("keywords", settings->smtp_discard_ehlo_keywords, "dsn");
    assert_int_equal(settings->smtp_client_limit, 12);
    assert_true(settings->smtp_skip_5xx_greeting);
    assert_false(settings->smtp_skip_quit_response);
    assert_span_is("shared", settings->myhostname, "here.test");
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mirror)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
