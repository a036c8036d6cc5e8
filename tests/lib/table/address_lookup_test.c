/* tests/lib/table - which keys are asked for an address, in which order; lists of tables and of
 * patterns. */
#include "../../test.h"

#include <stdlib.h>
#include <unistd.h>

#include "table/address_lookup.h"
#include "table/list.h"
#include "table/match.h"

/* Notes every key that is asked, and finds one of them. */
struct asked {
    char keys[2048];
    const char *present;
    enum table_result result; /* for the key that is present */
};

static enum table_result note(void *context, struct span key)
{
    struct asked *asked = context;
    const size_t used = strlen(asked->keys);
    (void)snprintf(asked->keys + used, sizeof(asked->keys) - used, "%s%.*s", used ? " | " : "",
                   SPAN_PRINTF(key));
    return asked->present && span_equals(key, span_from_string(asked->present)) ? asked->result
                                                                                : TABLE_NOT_FOUND;
}

struct order_case {
    const char *name;
    unsigned keys;
    const char *local_part;
    const char *domain;
    bool is_local;
    const char *expected;
};

enum {
    TRANSPORT_PARENT = TABLE_ADDRESS_FULL | TABLE_ADDRESS_BASE | TABLE_ADDRESS_DOMAIN |
                       TABLE_ADDRESS_PARENTS | TABLE_ADDRESS_WILDCARD,
    ACCESS_DOTTED = TABLE_ADDRESS_FULL | TABLE_ADDRESS_BASE | TABLE_ADDRESS_DOMAIN |
                    TABLE_ADDRESS_DOTTED_PARENTS | TABLE_ADDRESS_LOCAL_PART_AT
};

static const struct order_case orders[] = {
    {"recipient, remote", TABLE_ADDRESS_RECIPIENT, "user+ext", "sub.example.org", false,
     "user+ext@sub.example.org | user@sub.example.org | @sub.example.org"},
    {"recipient, local", TABLE_ADDRESS_RECIPIENT, "user+ext", "example.org", true,
     "user+ext@example.org | user@example.org | user+ext | user | @example.org"},
    {"recipient, no extension", TABLE_ADDRESS_RECIPIENT, "user", "example.org", true,
     "user@example.org | user | @example.org"},
    {"recipient without domain", TABLE_ADDRESS_RECIPIENT, "user+x", "", false, "user+x | user"},
    {"second delimiter of the set", TABLE_ADDRESS_MAILBOX, "user-a+b", "d", false,
     "user-a+b@d | user@d | @d"},
    {"nothing before the delimiter", TABLE_ADDRESS_MAILBOX, "+ext", "d", false, "+ext@d | @d"},
    {"postmaster has no extension", TABLE_ADDRESS_MAILBOX, "postmaster", "d", false,
     "postmaster@d | @d"},
    {"owner-list", TABLE_ADDRESS_MAILBOX, "owner-list", "d", false, "owner-list@d | @d"},
    {"list-request", TABLE_ADDRESS_MAILBOX, "list-request", "d", false, "list-request@d | @d"},
    {"transport, parents", TRANSPORT_PARENT, "user+ext", "a.b.org", false,
     "user+ext@a.b.org | user@a.b.org | a.b.org | b.org | org | *"},
    {"transport, literal", TRANSPORT_PARENT, "user", "[192.0.2.1]", false,
     "user@[192.0.2.1] | [192.0.2.1] | *"},
    {"access, dotted parents", ACCESS_DOTTED, "user+ext", "a.b.org", false,
     "user+ext@a.b.org | user@a.b.org | a.b.org | .b.org | .org | user+ext@ | user@"},
    {"final dot", TRANSPORT_PARENT, "u", "b.org.", false, "u@b.org. | b.org. | org. | *"},
    {"quoted local part", TABLE_ADDRESS_RECIPIENT, "aa bb+ax bx", "cc.example", false,
     "\"aa bb+ax bx\"@cc.example | aa bb+ax bx@cc.example | \"aa bb\"@cc.example | "
     "aa bb@cc.example | @cc.example"},
    {"at in the local part", TABLE_ADDRESS_RECIPIENT, "a@b", "x", true,
     "\"a@b\"@x | a@b@x | \"a@b\" | a@b | @x"},
    {"empty local part", TABLE_ADDRESS_MAILBOX, "", "x", false, "@x | @x"},
};

static struct table_address address_of(const struct order_case *row)
{
    return (struct table_address){span_from_string(row->local_part), span_from_string(row->domain),
                                  SPAN("+-"), true, row->is_local};
}

static void test_order_of_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
        struct asked asked = {.present = NULL};
        struct arena arena;

        arena_init(&arena, 65536, 0);
        const struct table_address address = address_of(&orders[i]);
        assert_int_equal(table_address_lookup(&address, orders[i].keys, note, &asked, &arena, NULL),
                         TABLE_NOT_FOUND);
        if (strcmp(asked.keys, orders[i].expected) != 0)
            fail_msg("%s:\n got      %s\n expected %s", orders[i].name, asked.keys,
                     orders[i].expected);
        arena_destroy(&arena);
    }
}

static void test_presets(void **state)
{
    (void)state;
    assert_int_equal(table_address_transport(true), TRANSPORT_PARENT);
    assert_int_equal(table_address_access(false), ACCESS_DOTTED);
}

static void test_first_answer_decides(void **state)
{
    (void)state;
    static const struct {
        const char *present;
        enum table_result result;
        const char *asked;
        const char *extension;
    } rows[] = {
        {"u+e@d", TABLE_FOUND, "u+e@d", ""},
        {"u@d", TABLE_FOUND, "u+e@d | u@d", "+e"},
        {"u+e", TABLE_FOUND, "u+e@d | u@d | u+e", ""},
        {"u", TABLE_FOUND, "u+e@d | u@d | u+e | u", "+e"},
        {"@d", TABLE_FOUND, "u+e@d | u@d | u+e | u | @d", ""},
        {"u@d", TABLE_ERROR, "u+e@d | u@d", ""},
        {"u+e@d", TABLE_WOULD_BLOCK, "u+e@d", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct asked asked = {.present = rows[i].present, .result = rows[i].result};
        const struct table_address address = {SPAN("u+e"), SPAN("d"), SPAN("+"), true, true};
        struct span extension;
        struct arena arena;

        arena_init(&arena, 65536, 0);
        assert_int_equal(table_address_lookup(&address, TABLE_ADDRESS_RECIPIENT, note, &asked,
                                              &arena, &extension),
                         rows[i].result);
        assert_string_equal(asked.keys, rows[i].asked);
        assert_span_is(rows[i].present, extension, rows[i].extension);
        arena_destroy(&arena);
    }
}

static char warnings[2048];

static void keep_warning(void *context, struct span text)
{
    (void)context;
    const size_t used = strlen(warnings);
    (void)snprintf(warnings + used, sizeof(warnings) - used, "%.*s\n", SPAN_PRINTF(text));
}

static void test_lists_of_tables(void **state)
{
    (void)state;
    static const struct {
        const char *names;
        const char *key;
        enum table_result result;
        const char *value;
    } rows[] = {
        {"", "a", TABLE_NOT_FOUND, ""},
        {"inline:{a=1} inline:{a=2, b=3}", "a", TABLE_FOUND, "1"},
        {"inline:{a=1}, inline:{a=2, b=3}", "b", TABLE_FOUND, "3"},
        {"inline:{ a=1 {b = 2 3} }\n\tstatic:x", "B", TABLE_FOUND, "2 3"},
        {"inline:{a=1} fail:x", "a", TABLE_FOUND, "1"},
        {"inline:{a=1} fail:x inline:{b=2}", "b", TABLE_ERROR, ""},
        {"inline:{a=1} zork:x", "b", TABLE_ERROR, ""},
        {"inline:{a=1} unix:passwd.byname", "b", TABLE_WOULD_BLOCK, ""},
        {"inline:{a=}", "a", TABLE_ERROR, ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct table_options options = {.warn = keep_warning};
        struct buffer value;

        warnings[0] = '\0';
        buffer_init(&value, NULL, 1000);
        struct table_list *list = table_list_open(span_from_string(rows[i].names), &options);
        assert_non_null(list);
        assert_int_equal(table_list_is_empty(list), rows[i].names[0] == '\0');
        assert_int_equal(table_list_lookup(list, span_from_string(rows[i].key), &value),
                         rows[i].result);
        if (rows[i].result == TABLE_FOUND)
            assert_span_is(rows[i].names, buffer_span(&value), rows[i].value);
        if (rows[i].result == TABLE_ERROR)
            assert_int_not_equal(table_list_error(list).length, 0);
        assert_int_equal(warnings[0] != '\0', strstr(rows[i].names, "zork") != NULL);
        table_list_close(&list);
        buffer_release(&value);
    }
}

static char file_name[] = "/tmp/posthouse-match-XXXXXX";

static int write_match_file(void **state)
{
    (void)state;
    static const char text[] = "# local names\n\nin.file  also.file\n   # more\n!not.file\n"
                               "inline:{from.table=x}\n";
    const int descriptor = mkstemp(file_name);
    if (descriptor < 0 || write(descriptor, text, sizeof(text) - 1) != (ssize_t)(sizeof(text) - 1))
        return -1;
    return close(descriptor);
}

static int remove_match_file(void **state)
{
    (void)state;
    return unlink(file_name);
}

struct match_case {
    const char *words; /* "@" stands for the file's name */
    enum table_match_style style;
    const char *name;
    enum table_result result;
};

static const struct match_case matches[] = {
    {"", TABLE_MATCH_EXACT, "a", TABLE_NOT_FOUND},
    {"a, b c", TABLE_MATCH_EXACT, "C", TABLE_FOUND},
    {"example.org", TABLE_MATCH_EXACT, "sub.example.org", TABLE_NOT_FOUND},
    {"!a, static:x", TABLE_MATCH_EXACT, "a", TABLE_NOT_FOUND},
    {"!a, static:x", TABLE_MATCH_EXACT, "b", TABLE_FOUND},
    {"! a, a b", TABLE_MATCH_EXACT, "a", TABLE_NOT_FOUND},
    {"!!a", TABLE_MATCH_EXACT, "a", TABLE_FOUND},
    {"a !", TABLE_MATCH_EXACT, "b", TABLE_ERROR},
    {"a, inline:{b=x}", TABLE_MATCH_EXACT, "B", TABLE_FOUND},
    {"a, !inline:{b=x} b", TABLE_MATCH_EXACT, "b", TABLE_NOT_FOUND},
    {"a, fail:x, b", TABLE_MATCH_EXACT, "a", TABLE_FOUND},
    {"a, fail:x, b", TABLE_MATCH_EXACT, "b", TABLE_ERROR},
    {"zork:x", TABLE_MATCH_EXACT, "b", TABLE_ERROR},
    {"unix:passwd.byname", TABLE_MATCH_EXACT, "b", TABLE_WOULD_BLOCK},
    {"[192.0.2.1] [IPv6:::1]", TABLE_MATCH_EXACT, "[ipv6:::1]", TABLE_FOUND},
    {"@", TABLE_MATCH_EXACT, "in.file", TABLE_FOUND},
    {"@", TABLE_MATCH_EXACT, "also.file", TABLE_FOUND},
    {"@", TABLE_MATCH_EXACT, "not.file", TABLE_NOT_FOUND},
    {"@ not.file", TABLE_MATCH_EXACT, "not.file", TABLE_NOT_FOUND},
    {"@", TABLE_MATCH_EXACT, "from.table", TABLE_FOUND},
    {"!@ static:x", TABLE_MATCH_EXACT, "in.file", TABLE_NOT_FOUND},
    {"!@ static:x", TABLE_MATCH_EXACT, "not.file", TABLE_FOUND},
    {"/nonexistent/file a", TABLE_MATCH_EXACT, "a", TABLE_ERROR},
    {"a /nonexistent/file", TABLE_MATCH_EXACT, "a", TABLE_FOUND},
    {"example.org", TABLE_MATCH_PARENT, "Sub.Example.org", TABLE_FOUND},
    {"example.org", TABLE_MATCH_PARENT, "badexample.org", TABLE_NOT_FOUND},
    {"example.org", TABLE_MATCH_DOTTED_PARENT, "sub.example.org", TABLE_NOT_FOUND},
    {".example.org", TABLE_MATCH_DOTTED_PARENT, "a.sub.example.org", TABLE_FOUND},
    {".example.org", TABLE_MATCH_DOTTED_PARENT, "example.org", TABLE_NOT_FOUND},
    {"!sub.example.org example.org", TABLE_MATCH_PARENT, "a.sub.example.org", TABLE_NOT_FOUND},
    {"inline:{example.org=x}", TABLE_MATCH_PARENT, "a.b.example.org", TABLE_FOUND},
    {"inline:{.example.org=x}", TABLE_MATCH_DOTTED_PARENT, "a.b.example.org", TABLE_FOUND},
    {"inline:{example.org=x}", TABLE_MATCH_DOTTED_PARENT, "b.example.org", TABLE_NOT_FOUND},
    {"inline:{example.org=x}", TABLE_MATCH_EXACT, "b.example.org", TABLE_NOT_FOUND},
    {"inline:{a=x}", TABLE_MATCH_PARENT, "", TABLE_NOT_FOUND},
    {"inline:{a=x}", TABLE_MATCH_PARENT, "b..", TABLE_NOT_FOUND},
};

static void test_match_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(matches); i++) {
        const struct table_options options = {.warn = keep_warning};
        char words[256] = "";
        const char *at = strchr(matches[i].words, '@');

        warnings[0] = '\0';
        if (at)
            (void)snprintf(words, sizeof(words), "%.*s%s%s", (int)(at - matches[i].words),
                           matches[i].words, file_name, at + 1);
        else
            (void)snprintf(words, sizeof(words), "%s", matches[i].words);
        struct table_match *match =
            table_match_open(span_from_string(words), matches[i].style, &options);
        assert_non_null(match);
        const enum table_result result =
            table_match_lookup(match, span_from_string(matches[i].name));
        if (result != matches[i].result)
            fail_msg("%s, %s: %d", matches[i].words, matches[i].name, (int)result);
        if (result == TABLE_ERROR)
            assert_int_not_equal(table_match_error(match).length, 0);
        table_match_close(&match);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_keys),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_first_answer_decides),
        cmocka_unit_test(test_lists_of_tables),
        cmocka_unit_test_setup_teardown(test_match_lists, write_match_file, remove_match_file),
    };
    return cmocka_run_group_tests_name("table/address_lookup", tests, NULL, NULL);
}
