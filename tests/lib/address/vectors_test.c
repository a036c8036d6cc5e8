/* tests/lib/address/vectors - third-party address vectors, read where they are.
 * TESTDATA names the folder that holds address-isemail and parsers-postfix; without it, or
 * without them, the tests are skipped and say so. */
#include "../../test.h"

#include <stdlib.h>

#include "address/mailbox.h"
#include "base/ascii.h"
#include "base/buffer.h"

enum { FILE_MAX_BYTES = 1 << 20 };

static bool read_data(const char *name, struct buffer *content)
{
    const char *folder = getenv("TESTDATA");
    char path[1024];
    if (!folder || snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
        print_message("TESTDATA is not set: no %s\n", name);
        return false;
    }
    FILE *file = fopen(path, "rb");
    if (!file) {
        print_message("%s is not there\n", path);
        return false;
    }
    buffer_init(content, NULL, FILE_MAX_BYTES);
    uint8_t *room = buffer_reserve(content, FILE_MAX_BYTES);
    assert_non_null(room);
    buffer_extend(content, fread(room, 1, FILE_MAX_BYTES, file));
    (void)fclose(file);
    return true;
}

/* The text between <name> and </name>, and what follows it. */
static bool take_element(struct span *rest, const char *name, struct span *text)
{
    char open[64], close[64];
    (void)snprintf(open, sizeof(open), "<%s>", name);
    (void)snprintf(close, sizeof(close), "</%s>", name);
    const size_t begin = span_find(*rest, span_from_string(open));
    if (begin == rest->length)
        return false;
    struct span after = span_after(*rest, begin + strlen(open));
    const size_t end = span_find(after, span_from_string(close));
    *text = span_first(after, end);
    *rest = span_after(after, end + strlen(close));
    return true;
}

/* Character references; U+2400+n stands for the control character n. */
static void decode(struct span text, struct buffer *plain)
{
    while (text.length) {
        if (text.bytes[0] != '&') {
            buffer_append_byte(plain, text.bytes[0]);
            text = span_after(text, 1);
            continue;
        }
        struct span name;
        (void)span_split_once(span_after(text, 1), ';', &name, &text);
        if (span_starts_with(name, SPAN("#x24")) && name.length == 6)
            buffer_append_byte(plain, (uint8_t)(ascii_hex_value(name.bytes[4]) * 16 +
                                                ascii_hex_value(name.bytes[5])));
        else if (span_equals(name, SPAN("#xA9")))
            buffer_append_string(plain, "\xc2\xa9");
        else if (span_equals(name, SPAN("amp")))
            buffer_append_byte(plain, '&');
        else if (span_equals(name, SPAN("lt")))
            buffer_append_byte(plain, '<');
        else if (span_equals(name, SPAN("gt")))
            buffer_append_byte(plain, '>');
        else if (span_equals(name, SPAN("quot")))
            buffer_append_byte(plain, '"');
        else
            fail_msg("unknown reference %.*s", SPAN_PRINTF(name));
    }
}

static void test_isemail(void **state)
{
    (void)state;
    struct buffer content;
    if (!read_data("address-isemail/tests.xml", &content))
        skip();
    struct span rest = buffer_span(&content), test;
    size_t count = 0;
    while (span_find(rest, SPAN("<test id")) < rest.length) {
        struct span address, category;
        test = rest;
        if (!take_element(&test, "address", &address) ||
            !take_element(&test, "category", &category))
            break;
        rest = test;
        struct buffer plain;
        struct arena arena;
        struct mailbox mailbox;
        buffer_init(&plain, NULL, FILE_MAX_BYTES);
        arena_init(&arena, FILE_MAX_BYTES, 0);
        decode(address, &plain);
        const enum parse_result result = mailbox_parse(buffer_span(&plain), 0, &arena, &mailbox);
        const bool must_accept = span_equals(category, SPAN("ISEMAIL_VALID_CATEGORY")) ||
                                 span_equals(category, SPAN("ISEMAIL_DNSWARN")) ||
                                 span_equals(category, SPAN("ISEMAIL_RFC5321"));
        /* "::" for a single group is deprecated, yet every system library reads it. */
        const bool may_accept =
            must_accept ||
            span_equals(address, SPAN("test@[IPv6:1111:2222:3333:4444:5555:6666::8888]"));
        if ((must_accept && result != PARSE_OK) || (!may_accept && result == PARSE_OK))
            fail_msg("%.*s (%.*s): result %d", SPAN_PRINTF(address), SPAN_PRINTF(category), result);
        count++;
        arena_destroy(&arena);
        buffer_release(&plain);
    }
    print_message("%zu addresses\n", count);
    assert_true(count > 100);
    buffer_release(&content);
}

/* Lines "'TEXT' quoted '"TEXT"'" and "... unquoted ...": quoting follows RFC 822 there, which for
 * these agrees with RFC 5321. Texts with more than one unquoted "@" have no SMTP form. */
static void test_quoting(void **state)
{
    (void)state;
    struct buffer content;
    if (!read_data("parsers-postfix/global/quote_822_local.ref", &content))
        skip();
    struct span rest = buffer_span(&content), line;
    size_t count = 0;
    while (rest.length) {
        (void)span_split_once(rest, '\n', &line, &rest);
        struct span from, verb, to, ignored;
        if (!span_split_once(span_after(line, 1), '\'', &from, &to) ||
            !span_split_once(to, '\'', &verb, &to))
            continue;
        (void)span_split_once(to, '\'', &to, &ignored);
        const size_t at = span_find_last_byte(from, '@');
        if (!span_equals(verb, SPAN(" quoted ")) || at == from.length)
            continue;
        struct arena arena;
        struct mailbox mailbox;
        arena_init(&arena, FILE_MAX_BYTES, 0);
        assert_true(mailbox_set(&mailbox, span_first(from, at), span_after(from, at + 1), &arena));
        if (!span_equals(mailbox.text, to))
            fail_msg("%.*s: %.*s, not %.*s", SPAN_PRINTF(from), SPAN_PRINTF(mailbox.text),
                     SPAN_PRINTF(to));
        count++;
        arena_destroy(&arena);
    }
    assert_true(count > 0);
    buffer_release(&content);
}

/* The command lines of smtpd_token.in whose path is one that we should (not) take, read with
 * every leniency. */
static void test_command_paths(void **state)
{
    (void)state;
    struct buffer content;
    if (!read_data("parsers-postfix/smtpd/smtpd_token.in", &content))
        skip();
    struct span rest = buffer_span(&content), line;
    size_t accepted = 0, refused = 0;
    while (rest.length) {
        struct span command, path, parameters;
        (void)span_split_once(rest, '\n', &line, &rest);
        if (!span_split_once(line, ':', &command, &path))
            continue;
        struct arena arena;
        struct mailbox mailbox;
        arena_init(&arena, FILE_MAX_BYTES, 0);
        const bool is_plain = span_equals(path, SPAN("<wietse@porcupine.org>")) ||
                              span_equals(path, SPAN("wietse@porcupine.org")) ||
                              span_equals(path, SPAN("<\"wietse venema\"@porcupine.org>")) ||
                              span_equals(path, SPAN("\"wietse venema\"@porcupine.org"));
        const enum parse_result result =
            path_parse(path, PATH_REVERSE, ADDRESS_LENIENT, &arena, &mailbox, &parameters);
        if ((result == PARSE_OK) != is_plain)
            fail_msg("%.*s: result %d", SPAN_PRINTF(path), result);
        *(is_plain ? &accepted : &refused) += 1;
        arena_destroy(&arena);
    }
    assert_true(accepted >= 4 && refused >= 6);
    buffer_release(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_isemail),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_command_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
