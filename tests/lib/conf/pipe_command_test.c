/* tests/lib/conf/pipe_command - the words behind "pipe" in master.cf, and macros in arguments. */
#include "../../test.h"

#include <stdio.h>

#include "conf/pipe_command.h"

enum { WORDS_MAX = 32, ARENA_BYTES = 65536 };

static struct arena arena;

static size_t split(const char *text, struct span words[WORDS_MAX])
{
    struct span rest = span_from_string(text);
    size_t count = 0;
    while (count < WORDS_MAX && span_next_word(&rest, " ", &words[count]))
        count++;
    return count;
}

static bool parse(const char *text, struct conf_pipe_command *command, struct conf_error *error)
{
    static struct span words[WORDS_MAX];
    arena_reset(&arena);
    return conf_pipe_parse(words, split(text, words), &arena, command, error);
}

static void test_whole(void **state)
{
    struct conf_pipe_command command;
    struct conf_error error;
    (void)state;
    assert_true(parse("flags=DRhu user=vmail:mail directory=/tmp chroot=/jail size=1000 eol=\\r\\n "
                      "null_sender= argv=/usr/bin/maildrop -d ${recipient} flags=x",
                      &command, &error));
    assert_int_equal(command.flags, CONF_PIPE_DELIVERED_TO | CONF_PIPE_RETURN_PATH |
                                        CONF_PIPE_FOLD_DOMAIN | CONF_PIPE_FOLD_LOCAL_PART);
    assert_span_is("user", command.user, "vmail");
    assert_span_is("group", command.group, "mail");
    assert_span_is("directory", command.directory, "/tmp");
    assert_span_is("chroot", command.chroot, "/jail");
    assert_span_is("eol", command.line_end, "\r\n");
    assert_span_is("null_sender", command.null_sender, "");
    assert_int_equal(command.size_limit_bytes, 1000);
    assert_int_equal(command.argument_count, 4);
    assert_span_is("program", command.arguments[0], "/usr/bin/maildrop");
    assert_span_is("not an attribute any more", command.arguments[3], "flags=x");
}

static void test_defaults_and_repetition(void **state)
{
    struct conf_pipe_command command;
    struct conf_error error;
    (void)state;
    assert_true(
        parse("user=a user=b flags=F flags=q. flags=BXO> argv= /bin/cat", &command, &error));
    assert_span_is("user", command.user, "b");
    assert_int_equal(command.group.length, 0);
    assert_span_is("eol", command.line_end, "\n");
    assert_span_is("null_sender", command.null_sender, "MAILER-DAEMON");
    assert_int_equal(command.size_limit_bytes, 0);
    assert_int_equal(command.flags, CONF_PIPE_FROM_LINE | CONF_PIPE_QUOTE | CONF_PIPE_DOUBLE_DOT |
                                        CONF_PIPE_BLANK_LINE | CONF_PIPE_FINAL |
                                        CONF_PIPE_ORIGINAL_TO | CONF_PIPE_QUOTE_FROM);
    assert_int_equal(command.argument_count, 1);
    assert_span_is("program", command.arguments[0], "/bin/cat");
}

static void test_line_ends(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"\\r\\n", "\r\n"}, {"\\012", "\n"},    {"\\0123", "\n3"}, {"\\x", "x"},
        {"\\\\", "\\"},     {"\\", "\\"},       {"ab", "ab"},      {"", ""},
        {"\\18", "\0018"},  {"\\a\\v", "\a\v"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[128];
        struct conf_pipe_command command;
        struct conf_error error;
        (void)snprintf(text, sizeof(text), "user=a eol=%s argv=x", rows[i].text);
        assert_true(parse(text, &command, &error));
        assert_span_is(rows[i].text, command.line_end, rows[i].expected);
    }
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"", "user= is missing"},
        {"user=vmail", "argv= is missing"},
        {"user=vmail argv=", "argv= is missing"},
        {"argv=/bin/cat", "user= is missing"},
        {"user= argv=/bin/cat", "user="},
        {"user=a: argv=/bin/cat", "user=a:"},
        {"user=:b argv=/bin/cat", "user=:b"},
        {"flags=RQ user=a argv=x", "flags=RQ: unknown flag"},
        {"size=x user=a argv=x", "size=x"},
        {"size=-1 user=a argv=x", "size=-1"},
        {"size=99999999999999999999 user=a argv=x", "size=9"},
        {"directory=tmp user=a argv=x", "directory=tmp"},
        {"chroot= user=a argv=x", "chroot="},
        {"eol=12345678901234567 user=a argv=x", "eol: longer"},
        {"colour=red user=a argv=x", "colour: unknown attribute"},
        {"user", "user: must be name=value"},
        {"user=a argv=x ${nobody}", "unknown macro in \"${nobody}\""},
        {"user=a argv=x ${sender", "unknown macro"},
        {"user=a argv=x $", "unknown macro"},
        {"user=a argv=x ${sender?x}", "unknown macro"},
        {"user=a argv=x a$-b", "unknown macro"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct conf_pipe_command command;
        struct conf_error error = {.text = ""};
        if (parse(rows[i].text, &command, &error))
            fail_msg("\"%s\" was taken", rows[i].text);
        if (!strstr(error.text, rows[i].error))
            fail_msg("\"%s\": got \"%s\"", rows[i].text, error.text);
    }
}

static void test_macros(void **state)
{
    static const struct {
        const char *argument, *expected;
        bool is_per_recipient;
    } rows[] = {
        {"plain", "plain", false},
        {"", "", false},
        {"$sender", "[sender]", false},
        {"${sender}", "[sender]", false},
        {"$(sender)", "[sender]", false},
        {"-f${sender}x", "-f[sender]x", false},
        {"-f$sender-x", "-f[sender]-x", false},
        {"$$sender", "$sender", false},
        {"$$$sender", "$[sender]", false},
        {"${client_address}:${client_port}", "[client_address]:[client_port]", false},
        {"$client_helo $client_hostname $client_protocol",
         "[client_helo] [client_hostname] "
         "[client_protocol]",
         false},
        {"$envid$nexthop$queue_id$size", "[envid][nexthop][queue_id][size]", false},
        {"$sasl_method$sasl_sender$sasl_username", "[sasl_method][sasl_sender][sasl_username]",
         false},
        {"${recipient}", "[recipient]", true},
        {"$original_recipient", "[original_recipient]", true},
        {"a${user}b${extension}c", "a[user]b[extension]c", true},
        {"${mailbox}@${domain}", "[mailbox]@[domain]", true},
        {"$$recipient", "$recipient", false},
    };
    static const char *const values_text[CONF_PIPE_MACRO_COUNT] = {"[client_address]",
                                                                   "[client_helo]",
                                                                   "[client_hostname]",
                                                                   "[client_port]",
                                                                   "[client_protocol]",
                                                                   "[envid]",
                                                                   "[nexthop]",
                                                                   "[queue_id]",
                                                                   "[sasl_method]",
                                                                   "[sasl_sender]",
                                                                   "[sasl_username]",
                                                                   "[sender]",
                                                                   "[size]",
                                                                   "[domain]",
                                                                   "[extension]",
                                                                   "[mailbox]",
                                                                   "[original_recipient]",
                                                                   "[recipient]",
                                                                   "[user]"};
    struct conf_pipe_values values;
    (void)state;
    for (size_t i = 0; i < CONF_PIPE_MACRO_COUNT; i++)
        values.of[i] = span_from_string(values_text[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct span argument = span_from_string(rows[i].argument);
        struct buffer output;
        buffer_init(&output, NULL, 1024);
        assert_true(conf_pipe_expand(argument, &values, &output));
        assert_span_is(rows[i].argument, buffer_span(&output), rows[i].expected);
        assert_int_equal(conf_pipe_is_per_recipient(argument), rows[i].is_per_recipient);
        buffer_release(&output);
    }
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),     cmocka_unit_test(test_defaults_and_repetition),
        cmocka_unit_test(test_line_ends), cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_macros),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
