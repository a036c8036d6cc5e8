/* tests/lib/table/clients - who is in a list of clients, and which lists are none. */
#include "../../test.h"

#include <stdlib.h>
#include <unistd.h>

#include "table/clients.h"

static char directory[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* "@" in the words stands for the directory. */
static struct client_list *open_list(const char *words, struct buffer *error)
{
    struct buffer text;
    buffer_init(&text, NULL, 4096);
    for (const char *at = words; *at; at++)
        if (*at == '@')
            buffer_append_string(&text, directory);
        else
            buffer_append_byte(&text, (uint8_t)*at);
    buffer_init(error, NULL, 4096);
    struct client_list *list = client_list_open(buffer_span(&text), error);
    buffer_release(&text);
    return list;
}

static void test_who_is_in(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        const char *name;
        const char *address;
        bool is_in;
    } rows[] = {
        {"", "a.example", "192.0.2.1", false},
        {"192.0.2.1", "unknown", "192.0.2.1", true},
        {"192.0.2.0/24, 198.51.100.1", "unknown", "198.51.100.1", true},
        {"192.0.2.0/24", "unknown", "192.0.3.1", false},
        {"[2001:db8::]/32", "unknown", "2001:db8::1", true},
        {"[2001:db8::]/32", "unknown", "192.0.2.1", false},
        {"a.example", "A.Example", "192.0.2.1", true},
        {"a.example", "b.a.example", "192.0.2.1", false},
        {".a.example", "b.a.example", "192.0.2.1", true},
        {".a.example", "a.example", "192.0.2.1", false},
        {".a.example", "ba.example", "192.0.2.1", false},
        {"!192.0.2.1 192.0.2.0/24", "unknown", "192.0.2.1", false},
        {"!192.0.2.1 192.0.2.0/24", "unknown", "192.0.2.2", true},
        {"! 192.0.2.1 192.0.2.0/24", "unknown", "192.0.2.1", false},
        {"!!192.0.2.1", "unknown", "192.0.2.1", true},
        {"192.0.2.0/24 !192.0.2.1", "unknown", "192.0.2.1", true}, /* the first decides */
        {"texthash:@/keys", "unknown", "192.0.2.7", true},
        {"texthash:@/keys", "C.Example", "198.51.100.1", true},
        {"texthash:@/keys", "x.d.example", "198.51.100.1", true},
        {"texthash:@/keys", "d.example", "198.51.100.1", false},
        {"!texthash:@/keys, 192.0.2.0/24", "unknown", "192.0.2.7", false},
        {"inline:{192.0.2.7=x}", "unknown", "192.0.2.7", true},
        {"static:anybody", "unknown", "198.51.100.1", true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer error;
        struct ip_address address;
        struct client_list *list = open_list(rows[i].words, &error);
        if (!list)
            fail_msg("%s: %.*s", rows[i].words, SPAN_PRINTF(buffer_span(&error)));
        assert_true(ip_address_parse(span_from_string(rows[i].address), &address));
        if (client_list_has(list, span_from_string(rows[i].name), &address) != rows[i].is_in)
            fail_msg("%s: %s[%s]", rows[i].words, rows[i].name, rows[i].address);
        client_list_close(&list);
        assert_null(list);
        buffer_release(&error);
    }
}

static void test_what_is_no_list(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        const char *reason; /* a part of it */
    } rows[] = {
        {"192.0.2.1/24", "192.0.2.1/24: is no name, address"},
        {"192.0.2.256", "192.0.2.256: is no name"},
        {"a_b.example, what?", "what?: is no name"},
        {"192.0.2.1 !", "no pattern after '!'"},
        {"texthash:@/missing", "/missing: No such file or directory"},
        {"cidr:@/keys", "is held in memory"}, /* its networks came without it */
        {"nothing:x", "nothing:x: a list of clients is held in memory"},
        {"regexp:{{/^x/ yes}}", "is held in memory"},
        {"unix:passwd.byname", "is held in memory"},
        {"hash:@/missing", "missing"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer error;
        struct client_list *list = open_list(rows[i].words, &error);
        if (list)
            fail_msg("%s is taken", rows[i].words);
        if (span_find(buffer_span(&error), span_from_string(rows[i].reason)) >= error.length)
            fail_msg("%s: \"%.*s\" without \"%s\"", rows[i].words, SPAN_PRINTF(buffer_span(&error)),
                     rows[i].reason);
        buffer_release(&error);
    }
}

/* Who asks is in a sandbox: what was read is enough. */
static void test_files_are_read_once(void **state)
{
    (void)state;
    struct buffer error;
    struct ip_address address;
    char command[128];
    struct client_list *list = open_list("texthash:@/keys", &error);
    assert_non_null(list);
    (void)snprintf(command, sizeof(command), "rm %s/*", directory);
    assert_int_equal(system(command), 0);
    assert_true(ip_address_parse(SPAN("192.0.2.7"), &address));
    assert_true(client_list_has(list, SPAN("unknown"), &address));
    assert_true(client_list_has(list, SPAN("c.example"), &address));
    client_list_close(&list);
    buffer_release(&error);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/posthouse-clients-XXXXXX");
    assert_non_null(mkdtemp(directory));
    write_file("keys", "192.0.2.7 yes\nc.example yes\n.d.example yes\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_in),
        cmocka_unit_test(test_what_is_no_list),
        cmocka_unit_test(test_files_are_read_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
