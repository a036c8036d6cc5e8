/* tests/lib/table - every kind of table: opening, the four results, folding, reopening. */
#include "../../test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/build.h"
#include "table/names.h"
#include "table/paths.h"
#include "table/table.h"

static char directory[] = "/tmp/posthouse-table-XXXXXX";
static char warnings[4096];

static void keep_warning(void *context, struct span text)
{
    (void)context;
    const size_t used = strlen(warnings);
    (void)snprintf(warnings + used, sizeof(warnings) - used, "%.*s\n", SPAN_PRINTF(text));
}

static const char *path_of(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    char temporary[300];
    (void)snprintf(temporary, sizeof(temporary), "%s.new", path_of(name));
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path_of(name)), 0);
}

static struct table *must_open(const char *type, const char *name, unsigned flags)
{
    const struct table_options options = {.flags = flags, .warn = keep_warning};
    struct buffer error;
    char full[512];

    (void)snprintf(full, sizeof(full), "%s:%s", type, name);
    buffer_init(&error, NULL, 1000);
    struct table *table = table_open(span_from_string(full), &options, &error);
    if (!table)
        fail_msg("%s: %.*s", full, SPAN_PRINTF(buffer_span(&error)));
    buffer_release(&error);
    return table;
}

/* expected: the value, or "-" not found, "!" error, "~" would block */
static void assert_lookup(struct table *table, const char *key, const char *expected)
{
    struct buffer value;
    buffer_init(&value, NULL, 1000);
    const enum table_result result = table_lookup(table, span_from_string(key), &value);
    switch (result) {
    case TABLE_FOUND:
        break;
    case TABLE_NOT_FOUND:
        buffer_append_byte(&value, '-');
        break;
    case TABLE_ERROR:
        buffer_append_byte(&value, '!');
        break;
    case TABLE_WOULD_BLOCK:
        buffer_append_byte(&value, '~');
        break;
    }
    assert_span_is(key, buffer_span(&value), expected);
    buffer_release(&value);
}

static void test_names_and_errors(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *error; /* NULL: opens */
    } rows[] = {
        {"plain", "open dictionary: expecting \"type:name\" form instead of \"plain\""},
        {"hash:", "open dictionary: expecting \"type:name\" form instead of \"hash:\""},
        {":x", "open dictionary: expecting \"type:name\" form instead of \":x\""},
        {"zork:x", "unsupported dictionary type: zork"},
        {"proxy:zork:x", "unsupported dictionary type: zork"},
        {"proxy:inline:{a=b}", NULL},
        {"hash:/nonexistent/table", NULL},
        {"texthash:/nonexistent/table", NULL},
        {"unix:passwd.byname", NULL},
        {"proxy:unix:passwd.byname", NULL},
        {"unix:foo", "unknown table: unix:foo"},
        {"static:x", NULL},
        {"static:{ foo xx ", "bad static:name syntax: missing '}' in \"{ foo xx \""},
        {"static:{ foo xx }x", "bad static:name syntax: syntax error after '}' in \"{ foo xx }x\""},
        {"inline:{ }", "empty table: \"inline:{ }\"; need \"inline:{name=value...}\""},
        {"inline:{ foo = xx }", "missing '=' after attribute name in \"foo\": \"inline:{ foo = xx "
                                "}\"; need \"inline:{name=value...}\""},
        {"inline:{ foo=xx }x",
         "bad syntax: \"inline:{ foo=xx }x\"; need \"inline:{name=value...}\""},
        {"inline:{ foo=xx x", "bad syntax: \"inline:{ foo=xx x\"; need \"inline:{name=value...}\""},
        {"inline:{ foo=xx {x=y}x}",
         "syntax error after '}' in \"{x=y}x\": \"inline:{ foo=xx {x=y}x}\"; need "
         "\"inline:{name=value...}\""},
        {"inline:a=b", "bad syntax: \"inline:a=b\"; need \"inline:{name=value...}\""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer error;
        buffer_init(&error, NULL, 1000);
        struct table *table = table_open(span_from_string(rows[i].name), NULL, &error);
        if ((table == NULL) != (rows[i].error != NULL))
            fail_msg("%s: %s", rows[i].name, table ? "opens" : "does not open");
        assert_span_is(rows[i].name, buffer_span(&error), rows[i].error ? rows[i].error : "");
        table_close(&table);
        buffer_release(&error);
    }
}

static void test_inline_and_static(void **state)
{
    (void)state;
    struct table *table =
        must_open("inline", "{ foo=XX, {bar = lotsa stuff}, A=b a=c {\"x = y\"@z=w} e= }", 0);
    assert_lookup(table, "foo", "XX");
    assert_lookup(table, "FOO", "XX");
    assert_lookup(table, "bar", "lotsa stuff");
    assert_lookup(table, "baz", "-");
    assert_lookup(table, "a", "c");
    assert_lookup(table, "\"x = y\"@z", "w");
    assert_lookup(table, "e", "");
    table_close(&table);
    assert_null(table);

    table = must_open("inline", "{ Foo=x }", TABLE_KEEP_CASE);
    assert_lookup(table, "foo", "-");
    assert_lookup(table, "Foo", "x");
    table_close(&table);

    table = must_open("static", "fooxx", 0);
    assert_lookup(table, "anything", "fooxx");
    table_close(&table);
    table = must_open("static", "{ foo xx }", 0);
    assert_lookup(table, "", "foo xx");
    table_close(&table);
    table = must_open("fail", "x", 0);
    assert_lookup(table, "a", "!");
    table_close(&table);
}

static void test_name_service(void **state)
{
    (void)state;
    struct table *table = must_open("unix", "passwd.byname", 0);
    assert_true(table_is_slow(table));
    assert_lookup(table, "root", "~");
    table_close(&table);
    table = must_open("proxy:unix", "passwd.byname", TABLE_MAY_BLOCK);
    struct buffer value;
    buffer_init(&value, NULL, 1000);
    assert_int_equal(table_lookup(table, SPAN("ROOT"), &value), TABLE_FOUND);
    assert_true(span_starts_with(buffer_span(&value), SPAN("root:")));
    buffer_release(&value);
    assert_lookup(table, "no-such-user-here", "-");
    assert_lookup(table, "", "-");
    assert_lookup(table, "root:x", "-");
    table_close(&table);
}

static void test_texthash(void **state)
{
    (void)state;
    struct table *table = must_open("texthash", path_of("text"), 0);
    assert_lookup(table, "a", "!"); /* not there yet */
    warnings[0] = '\0';
    write_file("text", "\"the answer is 42\nxxx: yyy\nxxx\naaa bbb\naaa bbb\nFoo Bar\n");
    assert_lookup(table, "aaa", "bbb");
    assert_lookup(table, "xxx:", "yyy");
    assert_lookup(table, "xxx", "-");
    assert_lookup(table, "fOO", "Bar");
    assert_non_null(strstr(warnings, "text, line 1: unbalanced '\"'"));
    assert_non_null(strstr(warnings, "text, line 5: duplicate entry: \"aaa\""));
    write_file("text", "new entry\n");
    assert_lookup(table, "aaa", "-");
    assert_lookup(table, "new", "entry");
    assert_int_equal(unlink(path_of("text")), 0);
    assert_lookup(table, "new", "!"); /* gone: perhaps for a moment, so temporary */
    write_file("text", "new again\n");
    assert_lookup(table, "new", "again");
    table_close(&table);
}

/* Whoever says when its turns begin has a file looked at once in each. */
static void test_one_look_in_a_turn(void **state)
{
    (void)state;
    uint64_t turn = 1;
    struct buffer error;
    const struct table_options options = {.turn = &turn};
    char name[300];
    (void)snprintf(name, sizeof(name), "texthash:%s", path_of("turn"));
    buffer_init(&error, NULL, 1000);
    write_file("turn", "a first\n");
    struct table *table = table_open(span_from_string(name), &options, &error);
    assert_non_null(table);
    assert_lookup(table, "a", "first");
    write_file("turn", "a second line\n"); /* nobody has looked since it was read */
    assert_lookup(table, "a", "second line");
    turn++;
    assert_lookup(table, "a", "second line");
    write_file("turn", "a third\n");
    assert_lookup(table, "a", "second line");
    assert_lookup(table, "b", "-");
    turn++;
    assert_lookup(table, "a", "third");
    assert_int_equal(unlink(path_of("turn")), 0);
    turn++;
    assert_lookup(table, "a", "!");
    assert_lookup(table, "a", "!"); /* only what was found well is not looked at again */
    table_close(&table);
}

/* Reading what does not fit takes seconds, in which whoever asks for a key answers nobody else. */
static void test_too_large_a_text(void **state)
{
    (void)state;
    FILE *file = fopen(path_of("large"), "w");
    assert_non_null(file);
    assert_true(fputs("10.0.0.1\n", file) >= 0); /* which is told at each reading */
    for (int i = 0; i < 700000; i++)
        assert_true(fputs("10.0.0.1 x\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    struct table *table = must_open("cidr", path_of("large"), 0);
    warnings[0] = '\0';
    assert_lookup(table, "10.0.0.1", "!");
    assert_non_null(strstr(warnings, "line 1: "));
    warnings[0] = '\0';
    assert_lookup(table, "10.0.0.1", "!");
    assert_string_equal(warnings, "");
    write_file("large", "10.0.0.1 y\n");
    assert_lookup(table, "10.0.0.1", "y");
    table_close(&table);
}

static struct table_build *must_begin(const char *name, unsigned flags)
{
    struct buffer error;
    buffer_init(&error, NULL, 1000);
    struct table_build *build =
        table_build_begin(TABLE_BUILD_HASH, path_of(name), flags, 0640, &error);
    if (!build)
        fail_msg("%.*s", SPAN_PRINTF(buffer_span(&error)));
    return build;
}

static void must_commit(struct table_build *build)
{
    struct buffer error;
    buffer_init(&error, NULL, 1000);
    if (!table_build_commit(&build, &error))
        fail_msg("%.*s", SPAN_PRINTF(buffer_span(&error)));
}

static void put(const char *name, unsigned flags, const char *key, const char *value)
{
    struct table_build *build = must_begin(name, flags);
    assert_int_equal(table_build_add(build, span_from_string(key), span_from_string(value)),
                     TABLE_BUILD_ADDED);
    must_commit(build);
}

static void test_hash(void **state)
{
    (void)state;
    struct stat status;
    struct table *table = must_open("hash", path_of("t"), 0);
    assert_lookup(table, "one", "!");
    put("t", 0, "One", "1");
    assert_int_equal(stat(path_of("t.db"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(access(path_of("t.db.tmp"), F_OK), -1);
    assert_lookup(table, "one", "1");
    assert_lookup(table, "ONE", "1");
    assert_lookup(table, "two", "-");

    put("t", TABLE_BUILD_INCREMENTAL, "two", "2");
    assert_lookup(table, "one", "1");
    assert_lookup(table, "two", "2");

    struct table_build *build = must_begin("t", TABLE_BUILD_INCREMENTAL);
    assert_int_equal(table_build_add(build, SPAN("two"), SPAN("II")), TABLE_BUILD_DUPLICATE);
    assert_int_equal(table_build_delete(build, SPAN("ONE")), TABLE_FOUND);
    assert_int_equal(table_build_delete(build, SPAN("three")), TABLE_NOT_FOUND);
    assert_lookup(table, "one", "1"); /* nothing to be seen of it yet, and nobody waits */
    table_build_abandon(&build);
    assert_lookup(table, "one", "1");
    put("t", TABLE_BUILD_INCREMENTAL | TABLE_BUILD_REPLACE, "two", "II");
    assert_lookup(table, "two", "II");
    put("t", TABLE_BUILD_INCREMENTAL | TABLE_BUILD_IGNORE, "two", "zwei");
    assert_lookup(table, "two", "II");

    put("t", TABLE_BUILD_WITHOUT_NUL, "plain", "x");
    assert_lookup(table, "plain", "x");
    assert_lookup(table, "one", "-");
    table_close(&table);
    table = must_open("hash", path_of("t"), TABLE_WITH_NUL);
    assert_lookup(table, "plain", "-");
    table_close(&table);
    table = must_open("hash", path_of("t"), TABLE_WITHOUT_NUL);
    assert_lookup(table, "plain", "x");
    table_close(&table);
    table = must_open("btree", path_of("t"), 0);
    assert_lookup(table, "plain", "!");
    table_close(&table);
}

static void test_hash_that_is_none(void **state)
{
    (void)state;
    struct table *table = must_open("hash", path_of("bad"), 0);
    write_file("bad.db", "this is no database, and long enough to look like something\n");
    assert_lookup(table, "a", "!");
    write_file("bad.db", "");
    assert_lookup(table, "a", "!");
    put("bad", 0, "a", "b");
    assert_lookup(table, "a", "b");
    table_close(&table);
}

/* Postfix's postmap rewrites the same inode under an exclusive lock. */
static void test_hash_rewritten_in_place(void **state)
{
    (void)state;
    put("p", 0, "k", "old");
    put("q", 0, "k", "new");
    struct table *table = must_open("hash", path_of("p"), 0);
    assert_lookup(table, "k", "old");
    static char bytes[65536];
    int source = open(path_of("q.db"), O_RDONLY);
    const ssize_t size = read(source, bytes, sizeof(bytes));
    assert_true(size > 0);
    assert_int_equal(close(source), 0);
    const int target = open(path_of("p.db"), O_RDWR);
    assert_int_equal(flock(target, LOCK_EX), 0);
    assert_int_equal(ftruncate(target, 0), 0);
    assert_lookup(table, "k", "~");
    assert_int_equal(pwrite(target, bytes, (size_t)size, 0), size);
    assert_int_equal(close(target), 0);
    assert_lookup(table, "k", "new");
    table_close(&table);
}

static bool count_entry(void *context, struct span key, struct span value)
{
    size_t *count = context;
    ++*count;
    return key.length > 0 && value.length > 0;
}

static void test_walk(void **state)
{
    (void)state;
    struct table_build *build = must_begin("w", 0);
    for (int i = 0; i < 5000; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "user%d@example.org", i);
        assert_int_equal(table_build_add(build, span_from_string(key), SPAN("x")),
                         TABLE_BUILD_ADDED);
    }
    must_commit(build);
    struct table *table = must_open("hash", path_of("w"), 0);
    size_t count = 0;
    assert_int_equal(table_walk(table, count_entry, &count), TABLE_FOUND);
    assert_int_equal(count, 5000);
    assert_lookup(table, "User4999@Example.org", "x");
    table_close(&table);
    table = must_open("static", "x", 0);
    assert_int_equal(table_walk(table, count_entry, &count), TABLE_ERROR);
    table_close(&table);
}

static void test_build_failures(void **state)
{
    (void)state;
    struct buffer error;
    buffer_init(&error, NULL, 1000);
    assert_null(table_build_begin(TABLE_BUILD_HASH, "/nonexistent/t", 0, 0644, &error));
    assert_span_is("no directory", buffer_span(&error),
                   "open database /nonexistent/t.db.tmp: No such file or directory");
    buffer_reset(&error);
    assert_null(table_build_begin(TABLE_BUILD_HASH, path_of("absent"),
                                  TABLE_BUILD_INCREMENTAL | TABLE_BUILD_MUST_EXIST, 0644, &error));
    assert_non_null(strstr((const char *)error.bytes, "absent.db: No such file"));
    assert_int_equal(access(path_of("absent.db.tmp"), F_OK), -1);
    /* a symbolic link in the copy's place is not followed */
    char link_name[300];
    (void)snprintf(link_name, sizeof(link_name), "%s", path_of("trap.db.tmp"));
    assert_int_equal(symlink("/nonexistent/target", link_name), 0);
    buffer_reset(&error);
    assert_null(table_build_begin(TABLE_BUILD_HASH, path_of("trap"), 0, 0644, &error));
    buffer_release(&error);
}

/* A link's directory, and that of what it leads to, which another build replaces. */
static void test_paths(void **state)
{
    struct sandbox_paths paths = {.count = 0};
    struct arena arena;
    char name[600], link_name[300];

    (void)state;
    arena_init(&arena, 65536, 0);
    assert_int_equal(mkdir(path_of("elsewhere"), 0755), 0);
    write_file("elsewhere/linked", "a b\n");
    (void)snprintf(link_name, sizeof(link_name), "%s", path_of("link"));
    assert_int_equal(symlink("elsewhere/linked", link_name), 0);
    (void)snprintf(name, sizeof(name), "{texthash:%s,inline:{a=b}}", link_name);
    struct table *table = must_open("unionmap", name, 0);
    table_add_paths(table, &paths, &arena);
    assert_int_equal(paths.count, 2);
    assert_string_equal(paths.all[0].path, directory);
    assert_string_equal(paths.all[1].path, path_of("elsewhere"));
    assert_int_equal(paths.all[1].access, SANDBOX_PATH_READ | SANDBOX_PATH_OPTIONAL);
    table_close(&table);
    arena_destroy(&arena);
}

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    char command[300];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_errors),
        cmocka_unit_test(test_inline_and_static),
        cmocka_unit_test(test_name_service),
        cmocka_unit_test(test_texthash),
        cmocka_unit_test(test_too_large_a_text),
        cmocka_unit_test(test_one_look_in_a_turn),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_hash_that_is_none),
        cmocka_unit_test(test_hash_rewritten_in_place),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_build_failures),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests_name("table", tests, make_directory, remove_directory);
}
