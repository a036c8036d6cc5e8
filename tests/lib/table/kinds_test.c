/* tests/lib/table - constant files (cdb:, lmdb:), table servers (socketmap:, tcp:), environ: and
 * internal:. */
#include "../../test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/build.h"
#include "table/server_protocol.h"
#include "table/table.h"

static char directory[] = "/tmp/posthouse-kinds-XXXXXX";

static struct table *open_for(const char *name, unsigned flags)
{
    const struct table_options options = {.flags = flags};
    struct buffer error;
    buffer_init(&error, NULL, 1000);
    struct table *table = table_open(span_from_string(name), &options, &error);
    if (!table)
        fail_msg("%s: %.*s", name, SPAN_PRINTF(buffer_span(&error)));
    buffer_release(&error);
    return table;
}

static struct table *open_named(const char *name, unsigned flags)
{
    return open_for(name, flags | TABLE_MAY_BLOCK);
}

/* "=value", "-" or "!reason" */
static void assert_lookup(struct table *table, const char *key, const char *expected)
{
    struct buffer value;
    char actual[1024];

    buffer_init(&value, NULL, 1000);
    const enum table_result result = table_lookup(table, span_from_string(key), &value);
    if (result == TABLE_FOUND)
        (void)snprintf(actual, sizeof(actual), "=%.*s", SPAN_PRINTF(buffer_span(&value)));
    else if (result == TABLE_NOT_FOUND)
        (void)snprintf(actual, sizeof(actual), "-");
    else
        (void)snprintf(actual, sizeof(actual), "!%.*s", SPAN_PRINTF(table_error(table)));
    if (strncmp(actual, expected, strlen(expected)) != 0 ||
        (expected[0] != '!' && strcmp(actual, expected) != 0))
        fail_msg("%s: got \"%s\", expected \"%s\"", key, actual, expected);
    buffer_release(&value);
}

static struct table_build *begin(const char *type, const char *name, unsigned flags)
{
    enum table_build_type build_type;
    struct buffer error;
    char path[200];

    buffer_init(&error, NULL, 1000);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_true(table_build_find_type(span_from_string(type), &build_type));
    struct table_build *build = table_build_begin(build_type, path, flags, 0644, &error);
    if (!build)
        fail_msg("%.*s", SPAN_PRINTF(buffer_span(&error)));
    buffer_release(&error);
    return build;
}

static void commit(struct table_build **build)
{
    struct buffer error;
    buffer_init(&error, NULL, 1000);
    if (!table_build_commit(build, &error))
        fail_msg("%.*s", SPAN_PRINTF(buffer_span(&error)));
    buffer_release(&error);
}

static void build_pair(const char *type, const char *name, unsigned flags, const char *key,
                       const char *value)
{
    struct table_build *build = begin(type, name, flags);
    assert_int_equal(table_build_add(build, span_from_string(key), span_from_string(value)),
                     TABLE_BUILD_ADDED);
    commit(&build);
}

static bool count_entry(void *context, struct span key, struct span value)
{
    (void)value;
    assert_true(key.length > 0);
    ++*(size_t *)context;
    return true;
}

static void check_constant(const char *type)
{
    enum table_build_type ignored;
    char name[300], path[300];
    size_t count = 0;

    if (!table_build_find_type(span_from_string(type), &ignored))
        return; /* not of this build */
    (void)snprintf(name, sizeof(name), "%s:%s/t", type, directory);
    (void)snprintf(path, sizeof(path), "%s/t.%s", directory, type);
    struct table *table = open_named(name, 0);
    assert_lookup(table, "a", "!open database ");
    build_pair(type, "t", 0, "A", "one");
    assert_lookup(table, "a", "=one");
    assert_lookup(table, "b", "-");
    assert_lookup(table, "", "-");
    /* Replaced while it is open; with and without a final NUL. */
    build_pair(type, "t", TABLE_BUILD_WITHOUT_NUL, "b", "two");
    assert_lookup(table, "a", "-");
    assert_lookup(table, "B", "=two");
    assert_int_equal(unlink(path), 0);
    assert_lookup(table, "b", "!open database ");
    /* What is no database is an error, and no crash. */
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("this is no database at all", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_lookup(table, "b", "!");
    assert_int_equal(truncate(path, 0), 0);
    assert_lookup(table, "b", "!");

    struct table_build *build = begin(type, "t", 0);
    for (int i = 0; i < 20000; i++) { /* more than lmdb's map has room for at first */
        char key[32], value[1000];
        (void)snprintf(key, sizeof(key), "key%d", i);
        (void)snprintf(value, sizeof(value), "%0990d", i);
        assert_int_equal(table_build_add(build, span_from_string(key), span_from_string(value)),
                         TABLE_BUILD_ADDED);
    }
    assert_int_equal(table_build_add(build, SPAN("key7"), SPAN("again")), TABLE_BUILD_DUPLICATE);
    commit(&build);
    assert_int_equal(table_walk(table, count_entry, &count), TABLE_FOUND);
    assert_int_equal(count, 20000);
    table_close(&table);
    assert_int_equal(unlink(path), 0);
}

static void test_constant_files(void **state)
{
    (void)state;
    check_constant("cdb");
    check_constant("lmdb");
}

/* ---- files that are not all there ---- */

enum { ENTRIES = 3000, STEP_BYTES = 16384, PAGE_BYTES = 4096 };

static void format_key(char *key, size_t size, int number)
{
    (void)snprintf(key, size, "user%d@example.com", number);
}

static void build_many(const char *type)
{
    struct table_build *build = begin(type, "cut", 0);
    char key[64];
    for (int i = 0; i < ENTRIES; i++) {
        format_key(key, sizeof(key), i);
        assert_int_equal(table_build_add(build, span_from_string(key), SPAN("a value as others")),
                         TABLE_BUILD_ADDED);
    }
    commit(&build);
}

/* Nobody is unknown because a part of the file is not there, yet or any more; and who may not die
 * of it has it asked elsewhere. */
static void look_for_all(struct table *table, const char *type, long size)
{
    char key[64];
    struct buffer value;
    for (int i = 0; i < ENTRIES; i += 97) {
        format_key(key, sizeof(key), i);
        buffer_init(&value, NULL, 1000);
        if (table_lookup(table, span_from_string(key), &value) == TABLE_NOT_FOUND)
            fail_msg("%s of %ld bytes: %s is not found", type, size, key);
        buffer_release(&value);
    }
}

static void check_cut(const char *type, const char *suffix)
{
    enum table_build_type ignored;
    char name[300], path[300];
    struct stat status;

    if (!table_build_find_type(span_from_string(type), &ignored))
        return; /* not of this build */
    (void)snprintf(name, sizeof(name), "%s:%s/cut", type, directory);
    (void)snprintf(path, sizeof(path), "%s/cut.%s", directory, suffix);
    build_many(type);
    struct table *table = open_for(name, 0);
    assert_lookup(table, "user7@example.com", "=a value as others");
    assert_int_equal(stat(path, &status), 0);
    for (off_t size = (status.st_size - 1) / STEP_BYTES * STEP_BYTES; size > 0;
         size -= STEP_BYTES) {
        assert_int_equal(truncate(path, size), 0);
        look_for_all(table, type, (long)size);
    }
    assert_int_equal(truncate(path, 0), 0);
    assert_lookup(table, "user7@example.com", "!");
    assert_int_equal(truncate(path, status.st_size), 0); /* room that nobody wrote to */
    assert_lookup(table, "user7@example.com", "!");
    build_many(type);
    assert_lookup(table, "user7@example.com", "=a value as others");
    table_close(&table);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* whose writer never comes */
    table = open_named(name, 0);
    assert_lookup(table, "user7@example.com", "!open database ");
    table_close(&table);
    assert_int_equal(unlink(path), 0);
}

static void test_cut_files(void **state)
{
    (void)state;
    check_cut("hash", "db");
    check_cut("btree", "db");
    check_cut("cdb", "cdb");
    check_cut("lmdb", "lmdb");
}

/* A crash while a file was copied leaves pages that nobody wrote. */
static void check_holes(const char *type)
{
    char name[300], path[300];
    struct stat status;
    long found = 0;
    (void)snprintf(name, sizeof(name), "%s:%s/cut", type, directory);
    (void)snprintf(path, sizeof(path), "%s/cut.db", directory);
    build_many(type);
    assert_int_equal(stat(path, &status), 0);
    for (off_t at = PAGE_BYTES; at < status.st_size; at += PAGE_BYTES) {
        const int file = open(path, O_RDWR | O_CLOEXEC);
        const bool is_made =
            fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, PAGE_BYTES) == 0;
        assert_int_equal(close(file), 0);
        if (!is_made)
            skip(); /* a file system without holes */
        struct table *table = open_for(name, 0);
        struct buffer value;
        buffer_init(&value, NULL, 1000);
        const enum table_result result = table_lookup(table, SPAN("user7@example.com"), &value);
        assert_int_not_equal(result, TABLE_NOT_FOUND);
        found += result == TABLE_ERROR &&
                 span_find(table_error(table), SPAN("build it again with postmap")) <
                     table_error(table).length;
        buffer_release(&value);
        table_close(&table);
        build_many(type);
    }
    /* Some of a hash table's are not in use yet. */
    assert_true(found >= (long)(status.st_size / PAGE_BYTES) / 2);
}

static void test_holes(void **state)
{
    (void)state;
    check_holes("hash");
    check_holes("btree");
}

/* What is well is not called damaged, whatever its size, also after entries went and came. */
static void test_tables_of_all_sizes(void **state)
{
    static const char *const types[] = {"hash", "btree"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        char name[300], path[300], key[64];
        int count = 0;
        (void)snprintf(name, sizeof(name), "%s:%s/grown", types[i], directory);
        (void)snprintf(path, sizeof(path), "%s/grown.db", directory);
        for (int more = 1; count < ENTRIES; more = more * 3 / 2 + 1) {
            struct table_build *build =
                begin(types[i], "grown", TABLE_BUILD_INCREMENTAL | TABLE_BUILD_REPLACE);
            for (int end = count + more; count < end; count++) {
                format_key(key, sizeof(key), count);
                assert_int_equal(table_build_add(build, span_from_string(key), SPAN("a value")),
                                 TABLE_BUILD_ADDED);
            }
            for (int old = 3; old < count; old += 4) { /* some of them are gone already */
                format_key(key, sizeof(key), old);
                assert_int_not_equal(table_build_delete(build, span_from_string(key)), TABLE_ERROR);
            }
            commit(&build);
            struct table *table = open_for(name, 0);
            assert_lookup(table, "user0@example.com", "=a value");
            assert_lookup(table, "user3@example.com", "-");
            table_close(&table);
        }
        assert_int_equal(unlink(path), 0);
    }
}

static void test_environ_and_internal(void **state)
{
    (void)state;
    assert_int_equal(setenv("POSTHOUSE_KINDS_TEST", "value", 1), 0);
    struct table *table = open_named("environ:", 0);
    assert_lookup(table, "POSTHOUSE_KINDS_TEST", "=value");
    assert_lookup(table, "POSTHOUSE_KINDS_TEST=value", "-");
    assert_lookup(table, "", "-");
    table_close(&table);
    table = open_named("internal:x", 0);
    assert_lookup(table, "a", "-");
    table_close(&table);
}

/* ---- what servers say ---- */

static const struct {
    const char *input;
    enum parse_result parsed;
    const char *expected; /* "FOUND text" and so on; NULL: not understood */
} replies[] = {
    {"8:OK value,", PARSE_OK, "0 value"},
    {"3:OK ,", PARSE_OK, "0 "},
    {"9:NOTFOUND ,", PARSE_OK, "1 "},
    {"8:NOTFOUND,", PARSE_OK, "1 "},
    {"10:TEMP later,", PARSE_OK, "2 later"},
    {"9:PERM what,", PARSE_OK, "2 what"},
    {"9:TIMEOUT x,", PARSE_OK, "2 x"},
    {"2:no,", PARSE_OK, NULL},
    {"0:,", PARSE_OK, NULL},
    {"", PARSE_NEED_MORE, NULL},
    {"8:OK val", PARSE_NEED_MORE, NULL},
    {"8:OK value", PARSE_NEED_MORE, NULL},
    {"8", PARSE_NEED_MORE, NULL},
    {"8:OK value;", PARSE_MALFORMED, NULL},
    {":x,", PARSE_MALFORMED, NULL},
    {"x", PARSE_MALFORMED, NULL},
    {"999999:", PARSE_TOO_LONG, NULL},
    {"9999999999:", PARSE_MALFORMED, NULL},
};

static void test_socketmap_replies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
        const struct span input = span_from_string(replies[i].input);
        struct span payload, text;
        size_t consumed = 0;
        enum table_result result = TABLE_ERROR;
        char actual[100];
        const enum parse_result parsed = table_socketmap_parse_reply(input, &payload, &consumed);
        if (parsed != replies[i].parsed)
            fail_msg("%s: result %d", replies[i].input, (int)parsed);
        /* Every beginning of a good answer wants more. */
        for (size_t length = 0; parsed == PARSE_OK && length < consumed; length++)
            assert_int_equal(
                table_socketmap_parse_reply(span_first(input, length), &payload, &consumed),
                PARSE_NEED_MORE);
        if (parsed != PARSE_OK)
            continue;
        const bool is_understood = table_socketmap_read(payload, &result, &text);
        assert_int_equal(is_understood, replies[i].expected != NULL);
        if (!is_understood)
            continue;
        (void)snprintf(actual, sizeof(actual), "%d %.*s", (int)result, SPAN_PRINTF(text));
        assert_string_equal(actual, replies[i].expected);
    }
}

static void test_tcp_lines(void **state)
{
    static const struct {
        const char *line, *expected;
    } rows[] = {{"200 a%20b%25", "0 a b%"},
                {"500 none", "1 none"},
                {"400 later\r", "2 later"},
                {"200 ", "0 "},
                {"200", NULL},
                {"300 x", NULL},
                {"200 %2", NULL},
                {"200 %zz", NULL},
                {"", NULL}};
    struct buffer text;

    (void)state;
    buffer_init(&text, NULL, 1000);
    table_tcp_append_request(SPAN("a b%\n\xff"), &text);
    assert_span_is("request", buffer_span(&text), "get a%20b%25%0a%ff\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        enum table_result result = TABLE_ERROR;
        char actual[100];
        buffer_reset(&text);
        const bool is_understood = table_tcp_read(span_from_string(rows[i].line), &result, &text);
        if (is_understood != (rows[i].expected != NULL))
            fail_msg("%s: understood or not", rows[i].line);
        (void)snprintf(actual, sizeof(actual), "%d %.*s", (int)result,
                       SPAN_PRINTF(buffer_span(&text)));
        if (is_understood)
            assert_string_equal(actual, rows[i].expected);
    }
    buffer_release(&text);
}

/* ---- a server: one connection after another, each with some answers ---- */

struct script {
    int listener;
    const char *const *answers; /* NULL: hang up; the end: NULL twice */
};

static void *serve(void *argument)
{
    const struct script *script = argument;
    int connection = -1;
    for (const char *const *answer = script->answers; answer[0] || answer[1]; answer++) {
        char request[500];
        if (!*answer) {
            (void)close(connection);
            connection = -1;
            continue;
        }
        if (connection < 0)
            connection = accept(script->listener, NULL, NULL);
        if (read(connection, request, sizeof(request)) <= 0 ||
            write(connection, *answer, strlen(*answer)) < 0)
            break;
    }
    (void)close(connection);
    return NULL;
}

static uint16_t start_server(struct script *script, pthread_t *thread)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(script->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(script->listener, 5), 0);
    assert_int_equal(getsockname(script->listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(thread, NULL, serve, script), 0);
    return ntohs(address.sin_port);
}

static void test_servers(void **state)
{
    static const char *const of_socketmap[] = {"6:OK one,",   "9:NOTFOUND ,", NULL, "6:OK two,",
                                               "8:TEMP bad,", "7:nonsens,",   NULL, NULL};
    static const char *const of_tcp[] = {
        "200 one%20two\n", "500 no\n", NULL, "200 one\n500 no\n", NULL, "200 two\n", NULL,
        "400 la",          NULL,       NULL};
    struct script script = {.answers = of_socketmap};
    pthread_t thread;
    char name[100];

    (void)state;
    (void)snprintf(name, sizeof(name), "socketmap:inet:127.0.0.1:%u:map",
                   start_server(&script, &thread));
    struct table *table = open_named(name, 0);
    assert_true(table_is_slow(table));
    assert_lookup(table, "a", "=one");
    assert_lookup(table, "b", "-");
    assert_lookup(table, "c", "=two"); /* over another connection */
    assert_lookup(table, "d", "!the server says: bad");
    (void)close(script.listener); /* no second chance after this */
    assert_lookup(table, "e", "!127.0.0.1:");
    assert_int_equal(pthread_join(thread, NULL), 0);
    table_close(&table);

    script.answers = of_tcp;
    (void)snprintf(name, sizeof(name), "tcp:127.0.0.1:%u", start_server(&script, &thread));
    table = open_named(name, 0);
    assert_lookup(table, "a", "=one two");
    assert_lookup(table, "b", "-");
    assert_lookup(table, "c", "=one");
    assert_lookup(table, "d", "=two");        /* and not what was said unasked */
    assert_lookup(table, "e", "!127.0.0.1:"); /* the answer is cut off */
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(script.listener);
    table_close(&table);
}

static void test_bad_names(void **state)
{
    static const char *const names[] = {"socketmap:x",         "socketmap:inet:host:port",
                                        "socketmap:inet:h:",   "socketmap:unix::name",
                                        "socketmap:inet::1:x", "tcp:host",
                                        "tcp:host:",           "tcp::1"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct buffer error;
        buffer_init(&error, NULL, 1000);
        struct table *table = table_open(span_from_string(names[i]), NULL, &error);
        if (table || error.length == 0)
            fail_msg("%s was opened", names[i]);
        buffer_release(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_files),
        cmocka_unit_test(test_environ_and_internal),
        cmocka_unit_test(test_socketmap_replies),
        cmocka_unit_test(test_tcp_lines),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_tables_of_all_sizes),
    };
    if (!mkdtemp(directory))
        return 1;
    const int result = cmocka_run_group_tests_name("table/kinds", tests, NULL, NULL);
    (void)rmdir(directory);
    return result;
}
