/* tests/authd/parsers - lines of Dovecot's protocol and of password files, login names, and other
 * pure parts. */
#include "auth/credential.h"
#include "../../authd/dovecot_line.h"
#include "../../authd/login_name.h"
#include "../../authd/patience.h"
#include "auth/passwd_line.h"
#include "../test.h"

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *name, *input;
        enum parse_result result;
        size_t count;
        const char *second, *resp;
        size_t left; /* of the words, up to resp */
    } rows[] = {
        {"words behind the response", "AUTH\t1\tX\tresp=AA==\tno\tresp=\n", PARSE_OK, 6, "1",
         "AA==", 4},
        {"a request", "AUTH\t1\tPLAIN\tservice=smtp\tresp=AA==\nmore", PARSE_OK, 5, "1", "AA==", 5},
        {"an empty response", "CONT\t7\tresp=\n", PARSE_OK, 3, "7", "", 3},
        {"a key alone", "AUTH\t1\tX\tresp\n", PARSE_OK, 4, "1", "", 4},
        {"a key that begins alike", "AUTH\t1\tresponse=x\n", PARSE_OK, 3, "1", NULL, 3},
        {"one word", "DONE\n", PARSE_OK, 1, "", NULL, 1},
        {"nothing", "\n", PARSE_OK, 1, "", NULL, 1},
        {"empty words", "A\t\t\n", PARSE_OK, 3, "", NULL, 3},
        {"no end", "AUTH\t1", PARSE_NEED_MORE, 0, NULL, NULL, 0},
    };
    struct dovecot_line line;
    size_t consumed;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct span input = span_from_string(rows[i].input);
        const size_t end = span_find_byte(input, '\n');
        for (size_t length = 0; length < input.length; length++)
            if (length <= end &&
                dovecot_line_parse(span_first(input, length), &line, &consumed) != PARSE_NEED_MORE)
                fail_msg("%s: %zu bytes are enough", rows[i].name, length);
        if (dovecot_line_parse(input, &line, &consumed) != rows[i].result)
            fail_msg("%s", rows[i].name);
        if (rows[i].result != PARSE_OK)
            continue;
        struct span value;
        assert_int_equal(consumed, end + 1);
        assert_int_equal(line.count, rows[i].count);
        assert_span_is(rows[i].name, dovecot_line_word(&line, 1), rows[i].second);
        assert_int_equal(dovecot_line_find(&line, 1, "resp", &value), rows[i].resp != NULL);
        if (rows[i].resp)
            assert_span_is(rows[i].name, value, rows[i].resp);
        dovecot_line_end_behind(&line, 1, "resp");
        assert_int_equal(line.count, rows[i].left);
    }
    static uint8_t longest[DOVECOT_LINE_MAX_BYTES + 10];
    memset(longest, '\t', sizeof(longest));
    assert_int_equal(dovecot_line_parse(span_of(longest, sizeof(longest)), &line, &consumed),
                     PARSE_TOO_LONG);
    longest[DOVECOT_LINE_MAX_BYTES - 1] = '\n';
    assert_int_equal(dovecot_line_parse(span_of(longest, sizeof(longest)), &line, &consumed),
                     PARSE_OK);
    assert_int_equal(line.count, DOVECOT_WORDS_MAX);
}

static void test_escapes(void **state)
{
    (void)state;
    static const char raw[] = "a\0b\1c\td\re\nf";
    const struct span text = span_of(raw, sizeof(raw) - 1);
    struct arena arena;
    struct buffer line;
    arena_init(&arena, 4096, 0);
    buffer_init(&line, &arena, 256);
    dovecot_append_pair(&line, "user", text);
    assert_span_is("written", buffer_span(&line),
                   "\tuser=a\1"
                   "0b\1"
                   "1c\1td\1re\1nf");
    assert_true(span_equals(dovecot_unescape(span_after(buffer_span(&line), 6), &arena), text));
    assert_span_is("an escape at the end", dovecot_unescape(SPAN("a\1"), &arena), "a\1");
    assert_span_is("an unknown escape", dovecot_unescape(SPAN("\1x"), &arena), "x");
    arena_destroy(&arena);
}

static const char users[] =
    "# comment\n"
    "ann:{PLAIN}secret:100:100:Ann:/home/ann:/bin/sh:allow_nets=::1,10.0.0.0/8\r\n"
    "\n"
    ":nobody\n"
    "bob\n"
    "carl:\n"
    "dora:{PLAIN}a/b::::::app_password=x/smtp,imap/{PLAIN}a/b scope=pop3 userdb_x=y\n"
    "ann:{PLAIN}second\n"
    "erna:{PLAIN}x::::::  nologin   nopassword=no\n"
    "fred:{PLAIN}x::::::app_password=/smtp/x\n"
    "last:{PLAIN}x";

static void test_password_file(void **state)
{
    (void)state;
    const struct span contents = span_from_string(users);
    struct span line, bad_field;
    struct account account;
    static const char *const absent[] = {"# comment", "", "nobody", "an", "ann:", "last "};
    for (size_t i = 0; i < ARRAY_LENGTH(absent); i++)
        if (passwd_file_find(contents, span_from_string(absent[i]), &line))
            fail_msg("there is \"%s\"", absent[i]);
    assert_true(passwd_file_find(contents, SPAN("ann"), &line));
    assert_int_equal(passwd_line_parse(line, &account, &bad_field), PARSE_OK);
    assert_int_equal(account.password_count, 1);
    assert_span_is("the first counts", account.passwords[0].stored, "{PLAIN}secret");
    assert_span_is("without CR", account.allow_nets, "::1,10.0.0.0/8");
    assert_true(passwd_file_find(contents, SPAN("bob"), &line));
    assert_int_equal(passwd_line_parse(line, &account, &bad_field), PARSE_OK);
    assert_int_equal(account.password_count, 0);
    assert_true(passwd_file_find(contents, SPAN("carl"), &line));
    assert_int_equal(passwd_line_parse(line, &account, &bad_field), PARSE_OK);
    assert_int_equal(account.password_count, 0);
    assert_true(passwd_file_find(contents, SPAN("dora"), &line));
    assert_int_equal(passwd_line_parse(line, &account, &bad_field), PARSE_OK);
    assert_int_equal(account.password_count, 2);
    assert_span_is("scope of her own", account.passwords[0].scope, "pop3");
    assert_span_is("name", account.passwords[1].name, "x");
    assert_span_is("scope", account.passwords[1].scope, "smtp,imap");
    assert_span_is("with slashes", account.passwords[1].stored, "{PLAIN}a/b");
    assert_true(passwd_file_find(contents, SPAN("erna"), &line));
    assert_int_equal(passwd_line_parse(line, &account, &bad_field), PARSE_OK);
    assert_true(account.is_disabled && !account.needs_no_password);
    assert_true(passwd_file_find(contents, SPAN("fred"), &line));
    assert_int_equal(passwd_line_parse(line, &account, &bad_field), PARSE_MALFORMED);
    assert_true(passwd_file_find(contents, SPAN("last"), &line));
}

static void test_replacing(void **state)
{
    (void)state;
    static const struct {
        const char *name, *before, *user, *old, *new, *after;
    } rows[] = {
        {"the password", "a:{X}y:1\nb:{X}y:2\n", "b", "{X}y", "{Z}w", "a:{X}y:1\nb:{Z}w:2\n"},
        {"without an end", "a:{X}y", "a", "{X}y", "{Z}", "a:{Z}"},
        {"with CR", "a:{X}y\r\n", "a", "{X}y", "{Z}", "a:{Z}\r\n"},
        {"of an app", "a:p::::::app_password=n/s/{X}y k=v\n", "a", "{X}y", "{Z}",
         "a:p::::::app_password=n/s/{Z} k=v\n"},
        {"not another field", "a:xx{X}y:{X}y:{X}y\n", "a", "{X}y", "{Z}", NULL},
        {"not in the name", "a/x:x\n", "a/x", "x", "{Z}", "a/x:{Z}\n"},
        {"of an app, with colons", "a::{X}y:::::app_password=n/s/{X}y:\n", "a", "{X}y:", "{Z}",
         "a::{X}y:::::app_password=n/s/{Z}\n"},
        {"of nobody", "a:x\n", "b", "x", "y", NULL},
        {"another meanwhile", "a:z\n", "a", "x", "y", NULL},
        {"none", "a::\n", "a", "", "y", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer output;
        buffer_init(&output, NULL, 1024);
        const enum parse_result result = passwd_file_replace(
            span_from_string(rows[i].before), span_from_string(rows[i].user),
            span_from_string(rows[i].old), span_from_string(rows[i].new), &output);
        if ((result == PARSE_OK) != (rows[i].after != NULL))
            fail_msg("%s: %d", rows[i].name, (int)result);
        if (rows[i].after)
            assert_span_is(rows[i].name, buffer_span(&output), rows[i].after);
        buffer_release(&output);
    }
}

static void test_rules(void **state)
{
    (void)state;
    struct arena arena;
    bool is_wrong;
    arena_init(&arena, 1 << 16, 0);
    assert_true(account_scope_has(SPAN(""), SPAN("smtp")));
    assert_true(account_scope_has(SPAN("imap,smtp"), SPAN("smtp")));
    assert_true(account_scope_has(SPAN("submission"), SPAN("smtp")));
    assert_false(account_scope_has(SPAN("imap, pop3"), SPAN("smtp")));
    assert_false(account_scope_has(SPAN("smtp"), SPAN("imap")));
    static const struct {
        const char *nets, *address;
        bool permits, is_wrong;
    } rows[] = {
        {"", "192.0.2.1", true, false},
        {"192.0.2.0/24", "192.0.2.1", true, false},
        {"192.0.2.0/24", "192.0.3.1", false, false},
        {"10.0.0.1, ::1, 2001:db8::/32", "2001:db8::7", true, false},
        {"[2001:db8::]/32", "2001:db8::7", true, false},
        {"10.0.0.1", "2001:db8::7", false, false},
        {"everywhere", "192.0.2.1", false, true},
        {"10.0.0.1", "unknown", false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct account account = {.allow_nets = span_from_string(rows[i].nets)};
        const bool permits =
            account_permits_address(&account, span_from_string(rows[i].address), &arena, &is_wrong);
        if (permits != rows[i].permits || is_wrong != rows[i].is_wrong)
            fail_msg("%s in \"%s\"", rows[i].address, rows[i].nets);
    }
    arena_destroy(&arena);
}

static void test_login_names(void **state)
{
    (void)state;
    static const struct {
        const char *format, *realm, *characters, *name, *expected;
    } rows[] = {
        {"%u", "", "", "Ann", "Ann"},
        {"%Lu", "", "", "Ann@Example.ORG", "ann@example.org"},
        {"%Lu", "example.org", "", "Ann", "ann@example.org"},
        {"%Lu", "example.org", "", "ann@example.com", "ann@example.com"},
        {"%Ln", "", "", "Ann@Example.ORG", "ann"},
        {"%n%%%Ud", "", "", "ann@example.org", "ann%EXAMPLE.ORG"},
        {"x-%d", "", "", "ann", "x-"},
        {"%d", "", "", "ann", NULL},
        {"%u", "", "", "", NULL},
        {"%u", "", "", "a\tb", NULL},
        {"%u", "", "abc@", "abc@", "abc@"},
        {"%u", "", "abc", "abcd", NULL},
        {"%u", "", "abc", "\xc3\xa4", "\xc3\xa4"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct conf_authd settings = {
            .auth_username_format = span_from_string(rows[i].format),
            .auth_default_realm = span_from_string(rows[i].realm),
            .auth_username_characters = span_from_string(rows[i].characters)};
        struct arena arena;
        struct span result;
        arena_init(&arena, 1 << 16, 0);
        const enum login_name_result made =
            login_name_make(&settings, span_from_string(rows[i].name), &arena, &result);
        if (rows[i].expected) {
            assert_int_equal(made, LOGIN_NAME_OK);
            assert_span_is(rows[i].name, result, rows[i].expected);
        } else if (made != LOGIN_NAME_FORBIDDEN) {
            fail_msg("%s with %s", rows[i].name, rows[i].format);
        }
        arena_destroy(&arena);
    }
    assert_false(login_name_format_is_valid(SPAN("%")));
    assert_false(login_name_format_is_valid(SPAN("%L")));
    assert_false(login_name_format_is_valid(SPAN("%x")));
}

/* Whatever it took to find out, within reason, the answer comes at the same moment. */
static void test_patience(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t took_ms, delay_ms, answered_ms; /* since it was asked */
    } rows[] = {
        {"at once", 0, 2000, 2000},
        {"a cheap hash", 1, 2000, 2000},
        {"a dear hash", 700, 2000, 2000},
        {"two of them", 1999, 2000, 2000},
        {"just in time", 2000, 2000, 2000},
        {"late", 2001, 2000, 3000},
        {"a little later", 2800, 2000, 3000},
        {"very late", 31415, 2000, 32000},
        {"long ones", 300, 15000, 15000},
        {"not held back", 300, 0, 300},
        {"a clock that went back", -5, 2000, 1995},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (patience_answer_ms(1000, 1000 + rows[i].took_ms, rows[i].delay_ms) !=
            1000 + rows[i].answered_ms)
            fail_msg("%s", rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),         cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_password_file), cmocka_unit_test(test_replacing),
        cmocka_unit_test(test_rules),         cmocka_unit_test(test_login_names),
        cmocka_unit_test(test_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
