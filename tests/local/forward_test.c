/* tests/local/forward - a user's .forward file: what is there is followed, what is not safe is
 * passed over, and mail waits while nobody can say. */
#include "../test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../local/expansion.h"
#include "base/arena.h"
#include "system/file.h"

struct fixture {
    char home[64];
    struct arena arena;
    struct conf_local settings;
    struct attributes attributes;
    struct expansion expansion;
};

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    (void)snprintf(fixture->home, sizeof(fixture->home), "/tmp/posthouse-forward-XXXXXX");
    assert_non_null(mkdtemp(fixture->home));
    arena_init(&fixture->arena, 16 << 20, 0); /* as a message's */
    fixture->settings = (struct conf_local){.forward_path = SPAN("$home/.forward")};
    fixture->attributes = (struct attributes){.home = span_from_string(fixture->home)};
    expansion_init(&fixture->expansion, &fixture->arena);
    *state = fixture;
    return 0;
}

static char *path_of(const struct fixture *fixture, char path[96])
{
    (void)snprintf(path, 96, "%s/.forward", fixture->home);
    return path;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char path[96];
    expansion_release(&fixture->expansion);
    arena_destroy(&fixture->arena);
    (void)unlink(path_of(fixture, path)); /* or it is not there */
    assert_int_equal(rmdir(fixture->home), 0);
    test_free(fixture);
    return 0;
}

static void write_forward(const struct fixture *fixture, mode_t mode)
{
    char path[96];
    const int file = open(path_of(fixture, path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(file, "carol\n", 6), 6);
    assert_int_equal(fchmod(file, mode), 0);
    file_close(file);
}

static bool read_forward(struct fixture *fixture)
{
    bool has_extension = false;
    return expansion_read_forward(&fixture->expansion, &fixture->attributes, &fixture->settings,
                                  &has_extension);
}

static void there(void **state)
{
    struct fixture *fixture = *state;
    write_forward(fixture, 0600);
    assert_true(read_forward(fixture));
    assert_true(outcome_is_ok(&fixture->expansion.outcome));
    assert_int_equal(fixture->expansion.action_count, 1);
    assert_span_is("address", fixture->expansion.actions[0].text, "carol");
}

static void not_there(void **state)
{
    struct fixture *fixture = *state;
    assert_false(read_forward(fixture));
    assert_true(span_is_empty(fixture->expansion.note));
}

static void not_safe(void **state)
{
    struct fixture *fixture = *state;
    write_forward(fixture, 0666);
    assert_false(read_forward(fixture));
    assert_false(span_is_empty(fixture->expansion.note));
}

/* No more descriptors, as a name server or a disk that is away for a while. */
static void not_now(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before;
    write_forward(fixture, 0600);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const bool is_forwarded = read_forward(fixture);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(is_forwarded);
    assert_int_equal(fixture->expansion.outcome.kind, OUTCOME_TEMPORARY);
}

static void write_members(const struct fixture *fixture, int count)
{
    char path[96];
    const int file = open(path_of(fixture, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (int i = 0; i < count; i++)
        assert_int_equal(dprintf(file,
                                 "member%05d.%0*d@a.department.with.a.long.name.example.test\n", i,
                                 100, 0),
                         156);
    file_close(file);
}

/* Fifty thousand long addresses, nearly as much as a file may have, find room. */
static void a_large_list(void **state)
{
    struct fixture *fixture = *state;
    write_members(fixture, EXPANSION_ACTIONS_MAX);
    assert_true(read_forward(fixture));
    assert_true(outcome_is_ok(&fixture->expansion.outcome));
    assert_int_equal(fixture->expansion.action_count, EXPANSION_ACTIONS_MAX);
}

/* What is too long for us waits, and the log says what for. */
static void a_list_that_is_too_large(void **state)
{
    struct fixture *fixture = *state;
    write_members(fixture, EXPANSION_ACTIONS_MAX + 1);
    assert_true(read_forward(fixture));
    assert_int_equal(fixture->expansion.outcome.kind, OUTCOME_TEMPORARY);
    assert_span_is("why", fixture->expansion.outcome.reason, "more than 50000 destinations");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_safe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_now, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_that_is_too_large, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
