/* tests/lib/system/file_watch - what is news of a file: the ways in which tools renew certificates.
 */
#include "../../test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file_watch.h"

static char place[64];

static int run(const char *command)
{
    char line[1200];
    (void)snprintf(line, sizeof(line), "cd %s && { %s; }", place, command);
    return system(line);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(place, sizeof(place), "/tmp/posthouse-watch-test.XXXXXX");
    return mkdtemp(place) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[100];
    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", place);
    return system(command);
}

static const struct {
    const char *name;
    const char *before; /* how the files come to be there */
    const char *file;
    const char *change;
    bool is_news;
} rows[] = {
    {"nothing", "echo a > f", "f", "true", false},
    {"written in place", "echo a > f", "f", "echo b > f", true},
    {"replaced", "echo a > f", "f", "echo b > g && mv g f", true},
    {"made readable", "echo a > f", "f", "chmod 600 f", true},
    {"another file", "echo a > f", "f", "echo b > g && mv g h && rm h", false},
    {"removed", "echo a > f", "f", "rm f", false},
    {"removed and made", "echo a > f", "f", "rm f && echo b > f", true},
    {"not there yet", "true", "f", "echo a > f", true},
    {"nor its directory", "true", "d/e/f", "mkdir -p d/e", true},
    {"read", "echo a > f", "f", "cat f > /dev/null", false},
    /* certbot: links from live/ into archive/. */
    {"a link is turned",
     "mkdir -p live/x archive/x && echo a > archive/x/f1 && ln -s ../../archive/x/f1 live/x/f",
     "live/x/f", "echo b > archive/x/f2 && rm live/x/f && ln -s ../../archive/x/f2 live/x/f", true},
    {"behind the link",
     "mkdir -p live/x archive/x && echo a > archive/x/f1 && ln -s ../../archive/x/f1 live/x/f",
     "live/x/f", "echo b > archive/x/f1", true},
    {"beside the link",
     "mkdir -p live/x archive/x && echo a > archive/x/f1 && ln -s ../../archive/x/f1 live/x/f",
     "live/x/f", "echo b > archive/x/f2", false},
    /* Mounted secrets: a link to a directory is replaced. */
    {"a directory is turned", "mkdir ..1 && echo a > ..1/f && ln -s ..1 ..data && ln -s ..data/f f",
     "f", "mkdir ..2 && echo b > ..2/f && ln -s ..2 ..new && mv -T ..new ..data", true},
    {"a directory goes", "mkdir d && echo a > d/f", "d/f", "mv d e", true},
    {"odd ways", "mkdir d && echo a > f", "./d/..//f", "echo b > f", true},
    {"a circle", "ln -s f g && ln -s g f", "f", "rm f && echo b > f", true},
};

static void test_rows(void **state)
{
    char path[256];
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct file_watch watch;
        (void)snprintf(path, sizeof(path), "%s/%s", place, rows[i].file);
        assert_int_equal(run(rows[i].before), 0);
        assert_true(file_watch_open(&watch));
        (void)!file_watch_add(&watch,
                              path); /* a circle is none, and is watched as far as it goes */
        assert_false(file_watch_has_news(&watch));
        assert_int_equal(run(rows[i].change), 0);
        if (file_watch_has_news(&watch) != rows[i].is_news)
            fail_msg("%s", rows[i].name);
        assert_false(file_watch_has_news(&watch));
        file_watch_close(&watch);
        assert_int_equal(run("rm -rf -- * ..?*"), 0);
    }
}

static void test_bad_paths(void **state)
{
    (void)state;
    struct file_watch watch;
    char *path = malloc(20000);
    assert_non_null(path);
    memset(path, 'a', 19999);
    path[0] = '/';
    path[19999] = '\0';
    assert_true(file_watch_open(&watch));
    assert_int_equal(file_watch_add(&watch, ""), -1);
    assert_int_equal(file_watch_add(&watch, "/"), -1);
    assert_int_equal(file_watch_add(&watch, path), -1);
    path[300] = '\0';
    assert_int_equal(file_watch_add(&watch, path), -1);
    file_watch_close(&watch);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test(test_bad_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
