/* tests/lib/conf - main.cf and master.cf, expansion, typed values, settings of parts. */
#include "../../test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/instance.h"
#include "conf/keyd.h"
#include "conf/known.h"
#include "conf/lines.h"
#include "conf/qmgr.h"
#include "conf/smtpd.h"
#include "conf/value.h"

enum { TEST_ARENA_BYTES = 64 * 1024 * 1024 };

struct fixture {
    struct arena arena;
    struct conf_notices notices;
    struct conf_instance instance;
};

static struct conf_interface interfaces[] = {
    {.address = {127, 0, 0, 1}, .prefix_bits = 8},
    {.address = {192, 0, 2, 7}, .prefix_bits = 25},
    {.is_ipv6 = true, .address = {[15] = 1}, .prefix_bits = 128},
};

static void set_up(struct fixture *fixture, const char *main_text, const char *master_text)
{
    const struct conf_host host = {SPAN("mx"), interfaces, ARRAY_LENGTH(interfaces)};
    arena_init(&fixture->arena, TEST_ARENA_BYTES, 0);
    conf_notices_init(&fixture->notices, &fixture->arena);
    (void)!conf_instance_parse(span_from_string(main_text), span_from_string(master_text), &host,
                               &fixture->arena, &fixture->instance, &fixture->notices);
}

static void tear_down(struct fixture *fixture)
{
    arena_destroy(&fixture->arena);
}

static void assert_notice(const char *name, const struct conf_notices *notices, const char *text)
{
    for (const struct conf_notice *notice = notices->first; notice; notice = notice->next)
        if (strstr(notice->text, text))
            return;
    fail_msg("%s: no notice has \"%s\"; the first is \"%s\"", name, text,
             notices->first ? notices->first->text : "(none)");
}

/* ---- main.cf ---- */

struct main_case {
    const char *name;
    const char *text;
    const char *parameter;
    const char *value;   /* NULL: not set */
    const char *message; /* NULL: none */
};

static const struct main_case main_cases[] = {
    {"plain", "a = 1\n", "a", "1", NULL},
    {"no spaces", "a=1", "a", "1", NULL},
    {"trimmed", "a =  1 2 \t\r\n", "a", "1 2", NULL},
    {"empty", "a =\n", "a", "", NULL},
    {"second sign", "a = b = c\n", "a", "b = c", NULL},
    {"continued", "a = 1\n  # no\n  two \n\n\n three\n", "a", "1  two  three", NULL},
    {"hash within", "a = 1 # 2\n", "a", "1 # 2",
     "main.cf, line 1: a: the value goes on after \"#\""},
    {"a byte order mark",
     "\xef\xbb\xbf"
     "a = 1\n",
     "a", NULL, "main.cf, line 1: a byte order mark stands before the first name: save"},
    {"# within a word", "a = 1#2 #3\n", "a", "1#2 #3", NULL},
    {"swallowed", "a = 1\n myhostname = x\n", "a", "1 myhostname = x",
     "main.cf, line 2: begins with white space and so continues the line above: myhostname is not"},
    {"later wins", "a = 1\nb = 2\na = 3\n", "a", "3", "line 3: overriding earlier entry: a=1"},
    {"names have case", "a = 1\nA = 2\n", "a", "1", NULL},
    {"no sign", "b\na = 1\n", "a", "1", "main.cf, line 1: expected \"name = value\""},
    {"two words", "b c = 1\na = 1\n", "b", NULL, "line 1: expected"},
    {"no name", " \n= 1\n", "a", NULL, "line 2: a parameter name is missing"},
    {"starts with space", "  a = 1\nb = 2\n", "a", NULL, "line 1: a parameter starts in the first"},
};

static void test_main_cf(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(main_cases); i++) {
        const struct main_case *row = &main_cases[i];
        struct fixture fixture;
        set_up(&fixture, row->text, "");
        const struct conf_entry *entry =
            conf_main_find(&fixture.instance.main, span_from_string(row->parameter));
        if (!row->value != !entry)
            fail_msg("%s: set: %d", row->name, entry != NULL);
        if (entry)
            assert_span_is(row->name, entry->value, row->value);
        if (row->message)
            assert_notice(row->name, &fixture.notices, row->message);
        else if (fixture.notices.first)
            fail_msg("%s: %s", row->name, fixture.notices.first->text);
        tear_down(&fixture);
    }
}

/* Every prefix of a file is a file: it gives entries of the whole, except for its last line. */
static void test_main_cf_prefixes(void **state)
{
    (void)state;
    static const char text[] = "a = 1\n# x\nb = 2\n  3\n\nc = ${a?{x}:{y}}\nd=4\n";
    for (size_t length = 0; length <= sizeof(text) - 1; length++) {
        struct arena arena;
        struct conf_notices notices;
        struct conf_main main;
        uint8_t *copy = malloc(length ? length : 1);
        assert_non_null(copy);
        memcpy(copy, text, length);
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        conf_notices_init(&notices, &arena);
        (void)!conf_main_parse(span_of(copy, length), SPAN("f"), &arena, &main, &notices);
        assert_true(notices.error_count <= 1);
        if (length > 7)
            assert_non_null(conf_main_find(&main, SPAN("a")));
        if (length == sizeof(text) - 1)
            assert_int_equal(main.entry_count, 4);
        free(copy);
        arena_destroy(&arena);
    }
}

/* ---- master.cf ---- */

struct master_case {
    const char *name;
    const char *text;
    const char *message; /* NULL: accepted */
};

static const struct master_case master_cases[] = {
    {"plain", "smtp inet n - y - - smtpd\n", NULL},
    {"options", "smtp inet n - - - - smtpd\n -o a=b -o { c = d e }\n -oe=f -v\n", NULL},
    {"wakeup", "flush unix n - - 1000? 0 flush\n", NULL},
    {"pipe", "x unix - n n - - pipe flags=DR argv=/x { a b } -o no\n", NULL},
    {"seven columns", "smtp inet n - y - smtpd\n", "eight columns are needed: the command is miss"},
    {"six columns", "smtp inet n - y smtpd\n", "eight columns are needed"},
    {"type", "smtp tcp n - y - - smtpd\n", "inet, unix, fifo, pass or unix-dgram is allowed"},
    {"private", "smtp unix x - y - - smtpd\n", "private (third column)"},
    {"private inet", "smtp inet - - y - - smtpd\n", "cannot be private"},
    {"unpriv", "smtp unix - x y - - smtpd\n", "unpriv (fourth column)"},
    {"chroot", "smtp unix - - x - - smtpd\n", "chroot (fifth column)"},
    {"wakeup unit", "smtp unix - - - 5x - smtpd\n", "wakeup (sixth column)"},
    {"maxproc", "smtp unix - - - - -3 smtpd\n", "maxproc (seventh column)"},
    {"brace", "smtp unix - - - - - smtpd -o {a = b\n", "'}' is missing"},
    {"after brace", "smtp unix - - - - - smtpd -o {a = b}c\n", "white space is missing after '}'"},
    {"lone -o", "smtp unix - - - - - smtpd -o\n", "-o: name=value"},
    {"-o without sign", "smtp unix - - - - - smtpd -o a\n", "-o: name=value"},
    {"-o and a brace", "smtp unix - - - - - smtpd -o{a= b\n", "-o: name=value"},
    {"command in braces", "smtp unix - - - - - {smtpd -v}\n", "without braces"},
    {"twice", "a unix - - - - - smtp\na unix - - - - - smtp\n", "is already in line 1"},
    {"first column", " smtp inet n - y - - smtpd\n", "starts in the first column"},
};

static void test_master_cf(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(master_cases); i++) {
        const struct master_case *row = &master_cases[i];
        struct fixture fixture;
        set_up(&fixture, "", row->text);
        if (row->message)
            assert_notice(row->name, &fixture.notices, row->message);
        else if (fixture.notices.first)
            fail_msg("%s: %s", row->name, fixture.notices.first->text);
        tear_down(&fixture);
    }
}

static void test_master_cf_fields(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture, "",
           "# services\n127.0.0.1:25 inet n - y - 3 smtpd\n  -o a=b -o { c = d e } -oc=f -v\n"
           "flush unix - - - 1000? 0 flush {x y} -o n=o\n");
    assert_int_equal(fixture.instance.master.service_count, 2);
    const struct conf_service *smtpd = &fixture.instance.master.services[0];
    assert_span_is("name", conf_service_name(smtpd), "127.0.0.1:25");
    assert_int_equal(smtpd->type, CONF_SERVICE_INET);
    assert_false(smtpd->is_private);
    assert_true(smtpd->has_process_limit);
    assert_int_equal(smtpd->process_limit, 3);
    assert_int_equal(smtpd->line, 2);
    assert_span_is("program", smtpd->program, "smtpd");
    assert_int_equal(smtpd->override_count, 3);
    assert_span_is("braces", smtpd->overrides[1].value, "d e");
    assert_span_is("joined", smtpd->overrides[2].value, "f");
    assert_int_equal(smtpd->argument_count, 6);
    assert_int_equal(smtpd->option_count, 6);
    const struct conf_service *flush = &fixture.instance.master.services[1];
    assert_true(flush->is_private && flush->wakes_only_when_used);
    assert_int_equal(flush->wakeup_s, 1000);
    assert_int_equal(flush->argument_count, 3);
    assert_span_is("words", flush->arguments[0], "x y");
    assert_int_equal(flush->override_count, 0); /* past the first that is no option */
    tear_down(&fixture);
}

/* "-oname=value" is printed as two arguments; the bound holds for what is printed. */
static void test_master_cf_arguments(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct buffer line;
        struct fixture fixture;
        buffer_init(&line, NULL, 16384);
        buffer_append_string(&line, "smtp unix - - - - - smtpd");
        for (size_t i = 0; i < (CONF_SERVICE_MAX_ARGUMENTS - 1) / 2 + more; i++)
            buffer_append_string(&line, " -oa=b");
        buffer_append(&line, "\n", 2); /* with its NUL */
        assert_true(buffer_ok(&line));
        set_up(&fixture, "", (const char *)buffer_span(&line).bytes);
        if (more > 0)
            assert_notice("one too many", &fixture.notices, "more than 2000 arguments");
        else if (fixture.notices.error_count > 0)
            fail_msg("as many as may be: %s", fixture.notices.first->text);
        tear_down(&fixture);
        buffer_release(&line);
    }
}

/* ---- expansion ---- */

struct expand_case {
    const char *name;
    const char *text;
    const char *expected; /* NULL: an error with this message: */
    const char *message;
};

static const char expand_main[] = "a = 9\nfoo = $a x\nempty =\nref = $nope\nself = $self\n"
                                  "one = $two\ntwo = $one\nbig0 = $a$a\n";

/* What Postfix 3.7's "postconf -x" makes of the same, where it makes something. */
static const struct expand_case expand_cases[] = {
    {"plain", "x$a", "x9", NULL},
    {"nested", "$foo", "9 x", NULL},
    {"braces", "${foo}y", "9 xy", NULL},
    {"parentheses", "$(foo)y", "9 xy", NULL},
    {"end of name", "$a.b", "9.b", NULL},
    {"dollar", "a$$b", "a$b", NULL},
    {"undefined", "[$nope]", "[]", NULL},
    {"if set", "${a?yes}${nope?no}", "yes", NULL},
    {"if unset", "${a:yes}${nope:no}", "no", NULL},
    {"empty counts as unset", "${empty?yes}${empty:no}", "no", NULL},
    {"raw value decides", "${ref?{yes}:{no}}", "yes", NULL},
    {"ternary", "${a?{x}:{y}}${nope?{x}:{y}}", "xy", NULL},
    {"ternary with spaces", "${a ?{b} : { y } }|${nope ? {x} : { y } }", "b| y ", NULL},
    {"old text keeps spaces", "${nope: x }|", " x |", NULL},
    {"old text has colons", "${a?x:y}", "x:y", NULL},
    {"second branch plain", "${nope?{x}:y}", "y", NULL},
    {"nested braces", "${a?{a{b}c}}", "a{b}c", NULL},
    {"branch is expanded", "${a?{$foo}}", "9 x", NULL},
    {"spaces around a name", "${ a }", "9", NULL},
    {"in parentheses", "$(a?{x})", "x", NULL},
    {"equal", "${{a} == {a} ? {c} : {d}}", "c", NULL},
    {"no spaces", "${{a}=={b}?{c}:{d}}e", "de", NULL},
    {"not equal", "${{a} != {b}?{c}}", "c", NULL},
    {"numbers", "${{9} < {10}?{c}:{d}}", "c", NULL},
    {"negative", "${{-1} < {1}?{a}:{b}}", "a", NULL},
    {"leading zeros", "${{007} == {7}?{a}:{b}}", "a", NULL},
    {"texts", "${{a9} < {a10}?{c}:{d}}", "d", NULL},
    {"at most", "${{10} <= {10}?{c}:{d}}${{11} <= {10}?{c}:{d}}", "cd", NULL},
    {"at least", "${{10} >= {10}?{c}:{d}}${{9} >= {10}?{c}:{d}}", "cd", NULL},
    {"greater", "${{a} > {b}?{c}:{d}}", "d", NULL},
    {"sides are expanded", "${{$a} == {9}?{c}:{d}}", "c", NULL},
    {"sides keep spaces", "${{ a } == {a}?{c}:{d}}", "d", NULL},
    {"empty sides", "${{} == {}?{c}:{d}}", "c", NULL},
    {"levels", "${{3.9} <level {3.10} ? {c} : {d}}", "c", NULL},
    {"short level", "${{3} ==level {3.0} ? {c} : {d}}", "c", NULL},
    {"plain branch", "${{1} == {1} ?yes}${{1} == {1}:no}", "yes", NULL},
    {"no branch", "[${{a} == {a}}][${{a} == {b}}]", "[true][]", NULL},
    {"unclosed", "${a", NULL, "'}' is missing"},
    {"unclosed parenthesis", "$(a}", NULL, "')' is missing"},
    {"unclosed branch", "${a?{x}", NULL, "'}' is missing"},
    {"no name", "$ b", NULL, "a name is missing after '$'"},
    {"dollar at the end", "x$", NULL, "a name is missing"},
    {"empty braces", "${}", NULL, "a name is missing in \"${}\""},
    {"odd name", "${a-b}", NULL, "unexpected \"-b\""},
    {"after branch", "${a?{x}y}", NULL, "':' expected at \"y\""},
    {"after both branches", "${a?{x}:{y}z}", NULL, "unexpected text after '}'"},
    {"operator", "${{a} = {b} ? {c}:{d}}", NULL, "==, !=, <, <=, >= or > expected"},
    {"right side", "${{1}==1?{a}}", NULL, "\"{text}\" expected"},
    {"no level", "${{3.6} <level {3.x} ? {a}:{b}}", NULL, "a level is numbers"},
    {"itself", "$self", NULL, "refers to itself"},
    {"circle", "$one", NULL, "refers to itself"},
};

static void test_expand(void **state)
{
    (void)state;
    struct fixture fixture;
    set_up(&fixture, expand_main, "");
    for (size_t i = 0; i < ARRAY_LENGTH(expand_cases); i++) {
        const struct expand_case *row = &expand_cases[i];
        struct buffer output;
        struct conf_error error;
        buffer_init(&output, NULL, CONF_EXPAND_MAX_BYTES);
        const bool is_ok = conf_instance_expand(&fixture.instance, NULL,
                                                span_from_string(row->text), &output, &error);
        if (is_ok != (row->expected != NULL))
            fail_msg("%s: %s", row->name, is_ok ? "accepted" : error.text);
        if (is_ok)
            assert_span_is(row->name, buffer_span(&output), row->expected);
        else if (!strstr(error.text, row->message))
            fail_msg("%s: %s", row->name, error.text);
        buffer_release(&output);
    }
    tear_down(&fixture);
}

/* Each name doubles the one before: neither output nor work may explode. */
static void test_expand_is_bounded(void **state)
{
    (void)state;
    static const char *const leaves[] = {"x", "$nope"};
    for (size_t leaf = 0; leaf < ARRAY_LENGTH(leaves); leaf++) {
        struct fixture fixture;
        char text[1024];
        size_t length = (size_t)snprintf(text, sizeof(text), "b0 = %s\n", leaves[leaf]);
        for (int i = 1; i < 40; i++)
            length += (size_t)snprintf(text + length, sizeof(text) - length, "b%d = $b%d$b%d\n", i,
                                       i - 1, i - 1);
        set_up(&fixture, text, "");
        struct buffer output;
        struct conf_error error;
        buffer_init(&output, NULL, CONF_EXPAND_MAX_BYTES);
        assert_false(conf_instance_value(&fixture.instance, NULL, SPAN("b39"), &output, &error));
        assert_non_null(strstr(error.text, "main.cf, line 40: b39"));
        buffer_release(&output);
        tear_down(&fixture);
    }
}

/* ---- values ---- */

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        char unit;
        int64_t expected_ms; /* -1: refused */
    } times[] = {
        {"5", 's', 5000},
        {"5", 'd', 432000000},
        {"1s", 'd', 1000},
        {"2m", 's', 120000},
        {"3h", 's', 10800000},
        {"1d", 's', 86400000},
        {"1w", 's', 604800000},
        {"0", 's', 0},
        {"", 's', -1},
        {"s", 's', -1},
        {"5x", 's', -1},
        {"5 m", 's', -1},
        {"-1", 's', -1},
        {"5S", 's', -1},
        {"9223372036854775807", 's', -1},
        {"99999999999999999999", 's', -1},
        {"1.5h", 's', -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        int64_t value_ms = -1;
        const bool is_ok =
            conf_value_parse_time(span_from_string(times[i].text), times[i].unit, &value_ms);
        if (is_ok != (times[i].expected_ms >= 0) || (is_ok && value_ms != times[i].expected_ms))
            fail_msg("%s: %d %lld", times[i].text, is_ok, (long long)value_ms);
    }
    bool truth = false;
    assert_true(conf_value_parse_bool(SPAN("YES"), &truth) && truth);
    assert_true(conf_value_parse_bool(SPAN("no"), &truth) && !truth);
    assert_false(conf_value_parse_bool(SPAN("maybe"), &truth));
    assert_true(conf_value_is_one_of(SPAN("Host"), "class|subnet|host"));
    assert_false(conf_value_is_one_of(SPAN("class|subnet"), "class|subnet|host"));
    assert_false(conf_value_is_one_of(SPAN(""), "class|subnet|host"));
}

/* ---- the catalogue ---- */

static void assert_same_text(const char *name, const char *left, const char *right)
{
    if (!left != !right || (left && strcmp(left, right) != 0))
        fail_msg("%s: rows differ: \"%s\" and \"%s\"", name, left, right);
}

/* A parameter that stands in several parts is the same in all of them. */
static void test_catalogue_agrees(void **state)
{
    (void)state;
    for (size_t part = 0; part < conf_part_count; part++) {
        for (size_t row = 0; row < conf_parts[part]->parameter_count; row++) {
            const struct conf_parameter *parameter = &conf_parts[part]->parameters[row];
            struct span transport;
            if (parameter->family != CONF_FAMILY_NONE)
                continue;
            const struct conf_parameter *other =
                conf_parameter_find(span_from_string(parameter->name), &transport);
            assert_non_null(other);
            assert_same_text(parameter->name, parameter->default_text, other->default_text);
            assert_same_text(parameter->name, parameter->meaning, other->meaning);
            assert_same_text(parameter->name, parameter->choices, other->choices);
            assert_int_equal(parameter->type, other->type);
            assert_int_equal(parameter->minimum, other->minimum);
            assert_int_equal(parameter->maximum, other->maximum);
            if (conf_known_find(span_from_string(parameter->name)))
                fail_msg("%s is built: take it out of known.def", parameter->name);
        }
    }
    for (size_t i = 1; i < conf_known_count; i++)
        assert_true(strcmp(conf_known[i - 1].name, conf_known[i].name) < 0);
}

/* All defaults of all parts are in range. */
static void test_defaults_load(void **state)
{
    (void)state;
    for (size_t part = 0; part < conf_part_count; part++) {
        struct arena arena;
        struct conf_error error;
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        void *settings = arena_alloc(&arena, conf_parts[part]->settings_size);
        if (!conf_test_settings(conf_parts[part], "", &arena, settings, &error))
            fail_msg("%s: %s", conf_parts[part]->name, error.text);
        arena_destroy(&arena);
    }
}

static void test_settings(void **state)
{
    (void)state;
    struct arena arena;
    struct conf_error error;
    struct conf_smtpd smtpd;
    arena_init(&arena, TEST_ARENA_BYTES, 0);
    assert_true(conf_test_settings(&conf_part_smtpd,
                                   "smtpd_timeout = 2m\nmessage_size_limit=1000\n"
                                   "smtpd_helo_required = yes\nsmtpd_recipient_limit = 7\n",
                                   &arena, &smtpd, &error));
    assert_span_is("hostname", smtpd.myhostname, "test.example.org");
    assert_span_is("domain", smtpd.mydomain, "example.org");
    assert_span_is("banner", smtpd.smtpd_banner, "test.example.org ESMTP Posthouse");
    assert_span_is("networks", smtpd.mynetworks, "127.0.0.1/32");
    assert_int_equal(smtpd.smtpd_timeout_ms, 120000);
    assert_int_equal(smtpd.message_size_limit, 1000);
    assert_true(smtpd.smtpd_helo_required);
    assert_false(smtpd.disable_vrfy_command);
    assert_int_equal(smtpd.smtpd_recipient_limit, 7);
    assert_int_equal(smtpd.smtpd_hard_error_limit, 20);

    static const char *const wrong[][2] = {
        {"smtpd_timeout = 5x\n",
         "main.cf, line 1: smtpd_timeout = 5x: a time of 1s or more is allowed"},
        {"a = 5y\nsmtpd_timeout = $a\n", "main.cf, line 2: smtpd_timeout = 5y: a time"},
        {"smtpd_recipient_limit = 0\n", "smtpd_recipient_limit = 0: a number of 1 or more"},
        {"relay_domains_reject_code = 250\n", "a number from 400 to 599 is allowed"},
        {"smtpd_helo_required = 1\n", "yes or no is allowed"},
        {"myhostname =\n", "a text of 1 to 255 bytes"},
        {"notify_classes = none\n", "protocol|resource|software are allowed, not \"none\""},
        {"smtpd_banner = $\n", "smtpd_banner = $: a name is missing after '$'"},
        {"mynetworks_style = hosts\nmynetworks = ${x\n", "'}' is missing"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        if (conf_test_settings(&conf_part_smtpd, wrong[i][0], &arena, &smtpd, &error))
            fail_msg("%s: accepted", wrong[i][0]);
        if (!strstr(error.text, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], error.text);
    }
    arena_destroy(&arena);
}

static void test_families(void **state)
{
    (void)state;
    struct arena arena;
    struct conf_error error;
    struct conf_qmgr qmgr;
    arena_init(&arena, TEST_ARENA_BYTES, 0);
    assert_true(conf_test_settings(&conf_part_qmgr,
                                   "default_destination_concurrency_limit = 15\n"
                                   "smtp_destination_concurrency_limit = 3\n"
                                   "slow_destination_rate_delay = 1m\n"
                                   "slow_initial_destination_concurrency = 1\n",
                                   &arena, &qmgr, &error));
    assert_int_equal(conf_family_get(&qmgr.transport_destination_concurrency_limit, SPAN("smtp")),
                     3);
    assert_int_equal(conf_family_get(&qmgr.transport_destination_concurrency_limit, SPAN("slow")),
                     15);
    assert_int_equal(conf_family_get(&qmgr.transport_destination_concurrency_limit, SPAN("local")),
                     2);
    assert_int_equal(conf_family_get(&qmgr.transport_destination_recipient_limit, SPAN("smtp")),
                     50);
    assert_int_equal(conf_family_get(&qmgr.transport_destination_rate_delay, SPAN("slow")), 60000);
    assert_int_equal(conf_family_get(&qmgr.transport_destination_rate_delay, SPAN("smtp")), 0);
    assert_int_equal(qmgr.initial_destination_concurrency, 5);
    arena_destroy(&arena);
}

static void test_overrides_before_expansion(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buffer output;
    struct conf_error error;
    set_up(&fixture, "who = main\nsmtpd_banner = $myhostname $who $service_name\n",
           "submission inet n - n - - smtpd -o who=service -o myhostname=sub.example.org\n");
    const struct conf_service *service = &fixture.instance.master.services[0];
    buffer_init(&output, NULL, CONF_EXPAND_MAX_BYTES);
    assert_true(
        conf_instance_value(&fixture.instance, service, SPAN("smtpd_banner"), &output, &error));
    assert_span_is("service", buffer_span(&output), "sub.example.org service submission");
    buffer_reset(&output);
    assert_true(conf_instance_value(&fixture.instance, service, SPAN("mydomain"), &output, &error));
    assert_span_is("computed from -o", buffer_span(&output), "example.org");
    buffer_reset(&output);
    assert_true(
        conf_instance_value(&fixture.instance, NULL, SPAN("smtpd_banner"), &output, &error));
    assert_span_is("main", buffer_span(&output), "mx.localdomain main ");
    buffer_release(&output);
    tear_down(&fixture);
}

/* What a parameter is for each service of other programs. */
static void test_each_service(void **state)
{
    (void)state;
    static const struct {
        const char *service;
        const char *value;
    } rows[] = {{"smtp", "/etc/main.pem"}, {"465", "/etc/465.pem"}, {"587", ""}};
    struct fixture fixture;
    struct conf_keyd keyd;
    struct span rest, service, value;
    size_t count = 0;
    set_up(&fixture,
           "smtpd_tls_key_file = /etc/key\nsmtpd_tls_cert_file = /etc/$name.pem\nname = main\n",
           "smtp inet n - n - - smtpd\n"
           "465 inet n - n - - smtpd -o name=465\n"
           "587 inet n - n - - smtpd\n -o { smtpd_tls_cert_file = }\n"
           "smtp unix - - n - - smtp -o smtp_tls_cert_file=/etc/client.pem\n");
    assert_true(conf_instance_load(&fixture.instance, NULL, &conf_part_keyd, &fixture.arena, &keyd,
                                   &fixture.notices));
    for (rest = keyd.smtpd_tls_cert_file; conf_each_service_next(&rest, &service, &value);
         count++) {
        assert_true(count < ARRAY_LENGTH(rows));
        assert_span_is("service", service, rows[count].service);
        assert_span_is(rows[count].service, value, rows[count].value);
    }
    assert_int_equal(count, ARRAY_LENGTH(rows));
    rest = keyd.smtp_tls_cert_file;
    assert_true(conf_each_service_next(&rest, &service, &value));
    assert_span_is("client", value, "/etc/client.pem");
    assert_false(conf_each_service_next(&rest, &service, &value));
    rest = SPAN("no separator");
    assert_false(conf_each_service_next(&rest, &service, &value));
    tear_down(&fixture);
}

static void test_computed_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *main;
        const char *parameter;
        const char *expected;
    } rows[] = {
        {"", "myhostname", "mx.localdomain"},
        {"", "mydomain", "localdomain"},
        {"mydomain = example.org\n", "myhostname", "mx.example.org"},
        {"myhostname = a.b.example\n", "mydomain", "b.example"},
        {"myhostname = single\n", "mydomain", "localdomain"},
        {"", "mydestination", "mx.localdomain, localhost.localdomain, localhost"},
        {"", "mynetworks", "127.0.0.1/32 192.0.2.7/32 [::1]/128"},
        {"mynetworks_style = subnet\n", "mynetworks", "127.0.0.0/8 192.0.2.0/25 [::1]/128"},
        {"mynetworks_style = class\n", "mynetworks", "127.0.0.0/8 192.0.2.0/24 [::1]/128"},
        {"inet_protocols = ipv4\n", "mynetworks", "127.0.0.1/32 192.0.2.7/32"},
        {"inet_interfaces = loopback-only\n", "mynetworks", "127.0.0.1/32 [::1]/128"},
        {"compatibility_level = 0\n", "mynetworks_style", "subnet"},
        {"", "mynetworks_style", "host"},
        {"", "relay_domains", ""},
        {"compatibility_level = 1\n", "relay_domains",
         "mx.localdomain, localhost.localdomain, localhost"},
        {"", "syslog_name", "posthouse"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        struct buffer output;
        struct conf_error error;
        set_up(&fixture, rows[i].main, "");
        buffer_init(&output, NULL, CONF_EXPAND_MAX_BYTES);
        assert_true(conf_instance_value(&fixture.instance, NULL,
                                        span_from_string(rows[i].parameter), &output, &error));
        assert_span_is(rows[i].main, buffer_span(&output), rows[i].expected);
        buffer_release(&output);
        tear_down(&fixture);
    }
}

static void test_sealed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buffer text;
    struct conf_smtpd smtpd;
    struct conf_error error;
    set_up(&fixture, "smtpd_banner = hello\n", "");
    buffer_init(&text, NULL, CONF_EXPAND_MAX_BYTES);
    assert_true(
        conf_instance_settings(&fixture.instance, NULL, &conf_part_smtpd, &text, &fixture.notices));
    const int fd = conf_seal(buffer_span(&text), "smtpd");
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_true(conf_load(&conf_part_smtpd, fd, &fixture.arena, &smtpd, &error));
    assert_span_is("banner", smtpd.smtpd_banner, "hello");
    /* nothing but the part */
    assert_true(span_find(buffer_span(&text), SPAN("virtual_mailbox_maps")) == text.length);
    assert_int_equal(close(fd), 0);
    buffer_release(&text);
    tear_down(&fixture);
}

static void test_load_is_strict(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buffer text;
    struct conf_smtpd smtpd;
    struct conf_error error;
    set_up(&fixture, "", "");
    buffer_init(&text, NULL, CONF_EXPAND_MAX_BYTES);
    assert_true(
        conf_instance_settings(&fixture.instance, NULL, &conf_part_smtpd, &text, &fixture.notices));
    const size_t whole = text.length;
    buffer_append_string(&text, "smtpd_timeout = 1s\n");
    assert_false(
        conf_load_text(&conf_part_smtpd, buffer_span(&text), &fixture.arena, &smtpd, &error));
    assert_non_null(strstr(error.text, "given twice: smtpd_timeout"));
    text.length = whole;
    buffer_append_string(&text, "nonsense = 1\n");
    assert_false(
        conf_load_text(&conf_part_smtpd, buffer_span(&text), &fixture.arena, &smtpd, &error));
    assert_non_null(strstr(error.text, "no such parameter: nonsense"));
    /* no prefix is whole, except for the final line end */
    for (size_t length = 0; length < whole - 1; length += 7)
        assert_false(conf_load_text(&conf_part_smtpd, span_first(buffer_span(&text), length),
                                    &fixture.arena, &smtpd, &error));
    buffer_release(&text);
    tear_down(&fixture);
}

static void test_known(void **state)
{
    (void)state;
    struct span word = span_empty();
    const struct conf_known *milters = conf_known_find(SPAN("smtpd_milters"));
    assert_non_null(milters);
    assert_true(conf_known_is_harmless(milters, SPAN("unix:/x"), SPAN("unix:/x"), &word));
    assert_false(conf_known_is_harmless(milters, SPAN("unix:/x, unix:/y"), SPAN(""), &word));
    assert_span_is("the word", word, "unix:/x");
    const struct conf_known *readme = conf_known_find(SPAN("readme_directory"));
    assert_non_null(readme);
    assert_true(conf_known_is_harmless(readme, SPAN("anything"), SPAN(""), &word));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_main_cf),
        cmocka_unit_test(test_main_cf_prefixes),
        cmocka_unit_test(test_master_cf),
        cmocka_unit_test(test_master_cf_fields),
        cmocka_unit_test(test_master_cf_arguments),
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_expand_is_bounded),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_catalogue_agrees),
        cmocka_unit_test(test_defaults_load),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_overrides_before_expansion),
        cmocka_unit_test(test_each_service),
        cmocka_unit_test(test_computed_defaults),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_load_is_strict),
        cmocka_unit_test(test_known),
    };
    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
