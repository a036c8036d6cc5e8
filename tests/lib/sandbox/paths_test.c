/* tests/lib/sandbox/paths - which paths are gathered for a profile. */
#include "../../test.h"

#include "sandbox/paths.h"

static struct sandbox_paths paths;
static struct arena arena;

static unsigned access_of(const char *path)
{
    unsigned access = 0;
    for (size_t i = 0; i < paths.count; i++)
        if (strcmp(paths.all[i].path, path) == 0)
            access = paths.all[i].access;
    return access;
}

static void test_directories(void **state)
{
    static const struct {
        const char *name;
        const char *file;
        const char *directory;
    } rows[] = {
        {"in a directory", "/etc/posthouse/aliases", "/etc/posthouse"},
        {"in the root", "/aliases", "/"},
        {"relative", "tables/aliases", "tables"},
        {"bare", "aliases", "."},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        paths.count = 0;
        assert_true(sandbox_paths_add_directory(&paths, span_from_string(rows[i].file),
                                                SANDBOX_PATH_READ, &arena));
        if (paths.count != 1 ||
            access_of(rows[i].directory) != (SANDBOX_PATH_READ | SANDBOX_PATH_OPTIONAL))
            fail_msg("%s: %s", rows[i].name, paths.all[0].path);
    }
}

static void test_twice_the_same(void **state)
{
    (void)state;
    paths.count = 0;
    sandbox_paths_add(&paths, "/a", SANDBOX_PATH_READ);
    sandbox_paths_add(&paths, "/b", SANDBOX_PATH_READ);
    sandbox_paths_add(&paths, "/a", SANDBOX_PATH_WRITE);
    assert_int_equal(paths.count, 2);
    assert_int_equal(access_of("/a"),
                     SANDBOX_PATH_READ | SANDBOX_PATH_WRITE | SANDBOX_PATH_OPTIONAL);
    assert_int_equal(access_of("/b"), SANDBOX_PATH_READ | SANDBOX_PATH_OPTIONAL);
}

static void test_services(void **state)
{
    (void)state;
    paths.count = 0;
    sandbox_paths_add_services(&paths);
    assert_int_equal(access_of("/etc"), SANDBOX_PATH_READ | SANDBOX_PATH_OPTIONAL);
    for (size_t i = 0; i < paths.count; i++)
        assert_int_equal(paths.all[i].access & SANDBOX_PATH_WRITE, 0);
}

/* What is too much is left out, and what is there stays. */
static void test_full(void **state)
{
    (void)state;
    paths.count = 0;
    for (int i = 0; i < 2 * SANDBOX_PATHS_MAX; i++) {
        const struct span path = arena_format(&arena, "/%d", i);
        sandbox_paths_add(&paths, arena_string(&arena, path), SANDBOX_PATH_READ);
    }
    assert_int_equal(paths.count, SANDBOX_PATHS_MAX);
    sandbox_paths_add(&paths, "/0", SANDBOX_PATH_WRITE);
    assert_true(access_of("/0") & SANDBOX_PATH_WRITE);
}

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 65536, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_twice_the_same),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
