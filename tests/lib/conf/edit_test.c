/* tests/lib/conf/edit_test - changed files, printed services, names that nothing uses. */
#include "../../test.h"

#include "conf/edit.h"
#include "conf/instance.h"
#include "conf/print.h"
#include "conf/usage.h"

enum { TEST_TEXT_MAX_BYTES = 64 * 1024, TEST_ARENA_BYTES = 64 * 1024 * 1024 };

/* ---- edit ---- */

struct edit_case {
    const char *name;
    enum conf_edit_file file;
    enum conf_edit_action action;
    const char *entry; /* a name, or "name type" */
    const char *line;  /* SET */
    const char *before;
    const char *after;
};

static const struct edit_case edit_cases[] = {
    {"set", CONF_EDIT_MAIN, CONF_EDIT_SET, "b", "b = 3", "a = 1\nb = 2\nc = 3\n",
     "a = 1\nb = 3\nc = 3\n"},
    {"set without spaces", CONF_EDIT_MAIN, CONF_EDIT_SET, "b", "b = 3", "b=2\n", "b = 3\n"},
    {"set adds", CONF_EDIT_MAIN, CONF_EDIT_SET, "b", "b = 3", "a = 1\n", "a = 1\nb = 3\n"},
    {"set in an empty file", CONF_EDIT_MAIN, CONF_EDIT_SET, "b", "b = 3", "", "b = 3\n"},
    {"last line unfinished", CONF_EDIT_MAIN, CONF_EDIT_SET, "b", "b = 3", "a = 1",
     "a = 1\nb = 3\n"},
    {"continued", CONF_EDIT_MAIN, CONF_EDIT_SET, "a", "a = 9",
     "a = 1\n  2\n# why\n\n\t3\nb = 1\n  2\n", "a = 9\n# why\n\nb = 1\n  2\n"},
    {"comment is no entry", CONF_EDIT_MAIN, CONF_EDIT_SET, "a", "a = 9", "#a = 1\n",
     "#a = 1\na = 9\n"},
    {"longer name", CONF_EDIT_MAIN, CONF_EDIT_SET, "a", "a = 9", "ab = 1\n", "ab = 1\na = 9\n"},
    {"all of a name", CONF_EDIT_MAIN, CONF_EDIT_SET, "a", "a = 9", "a = 1\nb = 1\na = 2\n",
     "a = 9\nb = 1\na = 9\n"},
    {"remove", CONF_EDIT_MAIN, CONF_EDIT_REMOVE, "a", NULL, "# x\na = 1\n 2\nb = 1\n",
     "# x\nb = 1\n"},
    {"remove what is not there", CONF_EDIT_MAIN, CONF_EDIT_REMOVE, "x", NULL, "a = 1\n", "a = 1\n"},
    {"comment out", CONF_EDIT_MAIN, CONF_EDIT_COMMENT, "a", NULL, "a = 1\n# x\n 2\nb = 1\n",
     "#a = 1\n# x\n# 2\nb = 1\n"},
    {"wrong lines stay", CONF_EDIT_MAIN, CONF_EDIT_SET, "a", "a = 2", "nonsense\n  more\na = 1\n",
     "nonsense\n  more\na = 2\n"},
    {"starts with space", CONF_EDIT_MAIN, CONF_EDIT_REMOVE, "a", NULL, "  a = 1\nb = 1\n",
     "  a = 1\nb = 1\n"},
    {"service", CONF_EDIT_MASTER, CONF_EDIT_SET, "smtp inet", "smtp inet new",
     "smtp unix - x\n  -o a=b\nsmtp  inet n x\n  -o a=b\n",
     "smtp unix - x\n  -o a=b\nsmtp inet new\n"},
    {"any type", CONF_EDIT_MASTER, CONF_EDIT_REMOVE, "smtp *", NULL,
     "smtp unix - x\n  -o a=b\nsmtp inet n x\nqmgr unix\n", "qmgr unix\n"},
    {"any service", CONF_EDIT_MASTER, CONF_EDIT_COMMENT, "* inet", NULL,
     "a unix - x\nsmtp inet n x\n  y\n", "a unix - x\n#smtp inet n x\n#  y\n"},
};

static void apply(const struct edit_case *row, struct span text, struct buffer *output)
{
    struct conf_edit edit = {.action = row->action, .line = span_from_string(row->line)};
    struct span rest = span_from_string(row->entry);
    assert_true(span_next_word(&rest, " ", &edit.name));
    if (!span_next_word(&rest, " ", &edit.type))
        edit.type = span_empty();
    conf_edit_text(text, row->file, &edit, 1, output);
}

static void test_edit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(edit_cases); i++) {
        struct buffer output, again;
        buffer_init(&output, NULL, TEST_TEXT_MAX_BYTES);
        buffer_init(&again, NULL, TEST_TEXT_MAX_BYTES);
        apply(&edit_cases[i], span_from_string(edit_cases[i].before), &output);
        assert_span_is(edit_cases[i].name, buffer_span(&output), edit_cases[i].after);
        /* a second time changes nothing */
        apply(&edit_cases[i], buffer_span(&output), &again);
        assert_span_is(edit_cases[i].name, buffer_span(&again), edit_cases[i].after);
        buffer_release(&again);
        buffer_release(&output);
    }
}

static void test_last_edit_of_a_name_counts(void **state)
{
    (void)state;
    struct conf_edit edits[] = {{.name = SPAN("a"), .line = SPAN("a = 1")},
                                {.name = SPAN("b"), .line = SPAN("b = 1")},
                                {.name = SPAN("a"), .line = SPAN("a = 2")},
                                {.name = SPAN("b"), .line = SPAN("b = 2")}};
    struct buffer output;
    buffer_init(&output, NULL, TEST_TEXT_MAX_BYTES);
    conf_edit_text(SPAN("a = 0\n"), CONF_EDIT_MAIN, edits, ARRAY_LENGTH(edits), &output);
    assert_span_is("text", buffer_span(&output), "a = 2\nb = 2\n");
    assert_int_equal(edits[2].match_count, 1);
    assert_int_equal(edits[3].match_count, 0);
    buffer_release(&output);
}

/* ---- print ---- */

static const char printed_services[] =
    "smtp inet n - y - - smtpd -o a=b -v -o { c = d e } -of=g #D\n"
    "averylongservicename unix - - n - - smtp a b c d e f g h i j k l m\n"
    "p unix - n n - - pipe flags=DR { a b } {} {{x}} -o no\n";

static const char printed_plain[] =
    "smtp       inet  n       -       y       -       -       smtpd -o a=b -v -o {c=d e} -o f=g "
    "#D\n"
    "averylongservicename unix - -    n       -       -       smtp a b c d e f g h i j k l m\n"
    "p          unix  -       n       n       -       -       pipe flags=DR {a b} {} {{x}} -o no\n";

static const char printed_folded[] =
    "smtp       inet  n       -       y       -       -       smtpd\n"
    "    -o a=b\n    -v\n    -o {c=d e}\n    -o f=g #D\n"
    "averylongservicename unix - -    n       -       -       smtp a b c d e f g h i\n"
    "    j k l m\n"
    "p          unix  -       n       n       -       -       pipe flags=DR {a b} {}\n"
    "    {{x}} -o no\n";

static void print_all(const char *text, unsigned flags, struct buffer *output)
{
    struct arena arena;
    struct conf_notices notices;
    struct conf_master master;
    arena_init(&arena, TEST_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    assert_true(
        conf_master_parse(span_from_string(text), SPAN("master.cf"), &arena, &master, &notices));
    for (size_t i = 0; i < master.service_count; i++)
        conf_print_service(&master.services[i], flags, NULL, output);
    arena_destroy(&arena);
}

static void test_print_service(void **state)
{
    (void)state;
    struct buffer plain, folded, again;
    buffer_init(&plain, NULL, TEST_TEXT_MAX_BYTES);
    buffer_init(&folded, NULL, TEST_TEXT_MAX_BYTES);
    buffer_init(&again, NULL, TEST_TEXT_MAX_BYTES);
    print_all(printed_services, 0, &plain);
    assert_span_is("plain", buffer_span(&plain), printed_plain);
    print_all(printed_services, CONF_PRINT_FOLDED, &folded);
    assert_span_is("folded", buffer_span(&folded), printed_folded);
    /* what is printed reads back as the same */
    print_all(printed_folded, 0, &again);
    assert_span_is("again", buffer_span(&again), printed_plain);
    buffer_release(&plain);
    buffer_release(&folded);
    buffer_release(&again);
}

static void test_print_setting(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        unsigned flags;
        const char *expected;
    } rows[] = {
        {"1", 0, "name = 1\n"},
        {"", 0, "name =\n"},
        {" 1 \t 2\n  3", 0, "name = 1 2 3\n"},
        {"1", CONF_PRINT_NAME_ONLY, "name\n"},
        {"1 2", CONF_PRINT_VALUE_ONLY, "1 2\n"},
        {"", CONF_PRINT_VALUE_ONLY, "\n"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b c",
         CONF_PRINT_FOLDED,
         "name = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b\n    "
         "c\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer output;
        buffer_init(&output, NULL, TEST_TEXT_MAX_BYTES);
        conf_print_setting(SPAN("name"), span_from_string(rows[i].value), rows[i].flags, &output);
        assert_span_is(rows[i].expected, buffer_span(&output), rows[i].expected);
        buffer_release(&output);
    }
}

/* ---- usage ---- */

static void note_name(struct buffer *found, const struct conf_service *service, const char *what,
                      struct span name)
{
    buffer_append_format(found, "%s%s:%.*s ", service ? "master " : "", what, SPAN_PRINTF(name));
}

static void note_unused(void *context, const struct conf_service *service, struct span name,
                        struct span value, uint32_t line)
{
    (void)value;
    (void)line;
    note_name(context, service, "unused", name);
}

static void note_undefined(void *context, const struct conf_service *service, struct span name,
                           uint32_t line)
{
    (void)line;
    note_name(context, service, "undefined", name);
}

static void test_usage(void **state)
{
    (void)state;
    static const struct {
        const char *main;
        const char *master;
        const char *expected;
    } rows[] = {
        {"smtpd_timeout = 5s\n", "", ""},
        {"smtpd_timeuot = 5s\n", "", "unused:smtpd_timeuot "},
        {"mine = x\nrelayhost = $mine\n", "", ""},
        {"mine = x\nrelayhost = ${mine?{a}:{b}}\n", "", ""},
        {"relayhost = $nope\n", "", "undefined:nope "},
        {"biff = no\nmailbox_command = $USER\n", "", ""},
        {"smtpd_restriction_classes = cls\ncls = permit\n", "", ""},
        {"slow_destination_rate_delay = 1s\n", "", ""},
        {"slow_destination_rate_delay = 1s\n", "slow unix - - n - - smtp\n", ""},
        {"slow_destination_rate_delay = 1s\n", "other unix - - n - - smtp\n",
         "unused:slow_destination_rate_delay "},
        {"pipe1_time_limit = 4\nslow_time_limit = 4\n", "pipe1 unix - - n - - pipe\n",
         "unused:slow_time_limit "},
        {"", "a inet n - n - - smtpd -o nope=1 -o myhostname=$what\n",
         "master undefined:what master unused:nope "},
        {"smtpd_banner = $myhostname $who\n", "a inet n - n - - smtpd -o who=1\n", ""},
        {"relayhost = $service_name$process_name$config_directory${stress?x}\n", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct conf_host host = {.hostname = SPAN("mx.example.org")};
        struct arena arena;
        struct conf_notices notices;
        struct conf_instance instance;
        struct buffer found;
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        buffer_init(&found, NULL, TEST_TEXT_MAX_BYTES);
        conf_notices_init(&notices, &arena);
        assert_true(conf_instance_parse(span_from_string(rows[i].main),
                                        span_from_string(rows[i].master), &host, &arena, &instance,
                                        &notices));
        const struct conf_usage usage = {&instance, &found, note_unused, note_undefined};
        conf_usage_report(&usage);
        assert_span_is(rows[i].main, buffer_span(&found), rows[i].expected);
        buffer_release(&found);
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit),          cmocka_unit_test(test_last_edit_of_a_name_counts),
        cmocka_unit_test(test_print_service), cmocka_unit_test(test_print_setting),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests_name("conf-edit", tests, NULL, NULL);
}
