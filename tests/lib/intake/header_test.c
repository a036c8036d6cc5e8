/* tests/lib/intake/header - what local clients' headers get, and what all lose. */
#include "../../test.h"

#include "intake/header.h"

static const struct intake_header_rules usual_rules = {
    .completion = {.myorigin = SPAN_LITERAL("host.example"),
                   .mydomain = SPAN_LITERAL("example"),
                   .append_at_myorigin = true,
                   .append_dot_mydomain = true,
                   .allow_percent_hack = true},
    .remote_domain = SPAN_LITERAL(""),
    .dropped_fields = SPAN_LITERAL("bcc, content-length, resent-bcc, return-path"),
    .undisclosed_recipients_header = SPAN_LITERAL(""),
    .server_name = SPAN_LITERAL("host.example"),
};

static const struct intake_header_facts usual_facts = {
    .is_local = true,
    .queue_id = SPAN_LITERAL("4Qk7"),
    .reverse_path = SPAN_LITERAL("a@host.example"),
    .full_name = SPAN_LITERAL(""),
    .unix_time_s = 1790000000,
    .zone_name = SPAN_LITERAL("UTC"),
};

#define DATE "Date: Mon, 21 Sep 2026 14:13:20 +0000 (UTC)\r\n"
#define ID "Message-Id: <20260921141320.4Qk7@host.example>\r\n"
#define FROM "From: a@host.example\r\n"

static void check(const char *name, const struct intake_header_rules *rules,
                  const struct intake_header_facts *facts, const char *before, const char *after)
{
    struct buffer output;
    struct arena arena;
    buffer_init(&output, NULL, 1 << 16);
    arena_init(&arena, 1 << 16, 0);
    intake_header_append(rules, facts, span_from_string(before), &arena, &output);
    assert_true(buffer_ok(&output));
    assert_span_is(name, buffer_span(&output), after);
    if (intake_header_is_final(rules, facts, span_from_string(before)))
        assert_string_equal(before, after);
    arena_destroy(&arena);
    buffer_release(&output);
}

static void test_local(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *before;
        const char *after;
    } rows[] = {
        {"nothing there", "", ID DATE FROM},
        {"all there", "DATE: x\r\nfrom: a@b.c\r\nMessage-ID: <y@z>\r\n",
         "DATE: x\r\nfrom: a@b.c\r\nMessage-ID: <y@z>\r\n"},
        {"addresses", "To: root, Jo <jo@mx>,\r\n k@l.m, p%q.r\r\nSubject: root\r\n",
         "To: root@host.example, Jo <jo@mx.example>,\r\n k@l.m, p@q.r\r\nSubject: root\r\n" ID DATE
             FROM},
        {"not what is no address", "Reply-To: Jo Doe, \"\\\"\r\n",
         "Reply-To: Jo Doe, \"\\\"\r\n" ID DATE FROM},
        {"a literal and a quoted local part", "Cc: \"a b\"@[192.0.2.1], \"c d\"\r\n",
         "Cc: \"a b\"@[192.0.2.1], \"c d\"@host.example\r\n" ID DATE FROM},
        {"sent again", "Resent-To: b@c.d\r\n" DATE FROM,
         "Resent-To: b@c.d\r\n" DATE FROM
         "Resent-Message-Id: <20260921141320.4Qk7@host.example>\r\nResent-" DATE "Resent-" FROM},
        {"blind copies", "Bcc: x@y.z\r\nTo: b@c.d\r\nreturn-path: <q>\r\n",
         "To: b@c.d\r\n" ID DATE FROM},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        check(rows[i].name, &usual_rules, &usual_facts, rows[i].before, rows[i].after);
}

static void test_remote(void **state)
{
    (void)state;
    struct intake_header_facts facts = usual_facts;
    struct intake_header_rules rules = usual_rules;
    facts.is_local = false;
    check("left alone", &rules, &facts, "To: root\r\n", "To: root\r\n");
    check("nothing", &rules, &facts, "", "");
    check("blind copies", &rules, &facts, "Bcc: root\r\nX: y\r\n", "X: y\r\n");
    rules.always_adds_missing = true;
    check("always_add_missing_headers", &rules, &facts, "To: root\r\n",
          "To: root\r\n" ID DATE FROM);
    rules.remote_domain = SPAN("domain.invalid");
    check("remote_header_rewrite_domain", &rules, &facts, "To: root, a@b, c@d.e\r\n" FROM,
          "To: root@domain.invalid, a@b.domain.invalid, c@d.e\r\n" FROM ID DATE);
}

static void test_from(void **state)
{
    (void)state;
    static const struct {
        const char *reverse_path;
        const char *full_name;
        const char *from;
    } rows[] = {
        {"", "", "MAILER-DAEMON@host.example"},
        {"root", "", "root@host.example"},
        {"a@b.c", "Jo Doe", "Jo Doe <a@b.c>"},
        {"a@b.c", "Jo \"J\" Doe, Esq.", "\"Jo \\\"J\\\" Doe, Esq.\" <a@b.c>"},
        {"a@b.c", "a\r\nX: b", "\"a  X: b\" <a@b.c>"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct intake_header_facts facts = usual_facts;
        char expected[256];
        facts.reverse_path = span_from_string(rows[i].reverse_path);
        facts.full_name = span_from_string(rows[i].full_name);
        (void)snprintf(expected, sizeof(expected), ID DATE "From: %s\r\n", rows[i].from);
        check(rows[i].from, &usual_rules, &facts, "", expected);
    }
}

static void test_undisclosed(void **state)
{
    (void)state;
    struct intake_header_rules rules = usual_rules;
    rules.undisclosed_recipients_header = SPAN("To: undisclosed-recipients:;");
    check("missing", &rules, &usual_facts, "", ID DATE FROM "To: undisclosed-recipients:;\r\n");
    check("there", &rules, &usual_facts, "Cc: x@y.z\r\n", "Cc: x@y.z\r\n" ID DATE FROM);
}

static bool replace(void *context, enum smtp_address_field kind, struct span text,
                    struct arena *arena, struct span *replacement)
{
    (void)context;
    (void)kind;
    (void)arena;
    if (!span_equals(text, SPAN("root@host.example")))
        return false;
    *replacement = SPAN("jo@doe.example");
    return true;
}

static void test_replace(void **state)
{
    (void)state;
    struct intake_header_facts facts = usual_facts;
    facts.replace = replace;
    check("after completion", &usual_rules, &facts, "To: (x) root , b\r\n",
          "To: (x) jo@doe.example , b@host.example\r\n" ID DATE FROM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local),   cmocka_unit_test(test_remote),
        cmocka_unit_test(test_from),    cmocka_unit_test(test_undisclosed),
        cmocka_unit_test(test_replace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
