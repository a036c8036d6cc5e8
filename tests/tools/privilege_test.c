/* tests/tools/privilege - whose configuration a setgid command believes. */
#include "../test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/tool_privilege.h"

enum { SOMEBODY = 57911 };

struct tree {
    char top[48], directory[64], main_cf[80];
};

static void make_tree(struct tree *tree)
{
    (void)snprintf(tree->top, sizeof(tree->top), "/tmp/posthouse-privilege-XXXXXX");
    assert_non_null(mkdtemp(tree->top));
    (void)snprintf(tree->directory, sizeof(tree->directory), "%s/etc", tree->top);
    (void)snprintf(tree->main_cf, sizeof(tree->main_cf), "%s/main.cf", tree->directory);
    assert_int_equal(mkdir(tree->directory, 0755), 0);
    assert_int_equal(close(open(tree->main_cf, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)), 0);
}

static void remove_tree(const struct tree *tree)
{
    assert_int_equal(unlink(tree->main_cf), 0);
    assert_int_equal(rmdir(tree->directory), 0);
    assert_int_equal(rmdir(tree->top), 0);
}

static void test_trust(void **state)
{
    struct tree tree;
    (void)state;
    if (geteuid() != 0)
        skip();
    make_tree(&tree);
    assert_true(tool_privilege_trusts(tree.directory));
    assert_false(tool_privilege_trusts(tree.top)); /* no main.cf */
    assert_false(tool_privilege_trusts("etc"));
    /* Its owner can put another directory in the place of root's. */
    assert_int_equal(chown(tree.top, SOMEBODY, 0), 0);
    assert_false(tool_privilege_trusts(tree.directory));
    assert_int_equal(chown(tree.top, 0, 0), 0);
    assert_int_equal(chmod(tree.top, 0777), 0);
    assert_false(tool_privilege_trusts(tree.directory));
    assert_int_equal(chmod(tree.top, 01777), 0);
    assert_true(tool_privilege_trusts(tree.directory));
    assert_int_equal(chmod(tree.directory, 01777), 0); /* files could be added to it */
    assert_false(tool_privilege_trusts(tree.directory));
    assert_int_equal(chmod(tree.directory, 0755), 0);
    assert_int_equal(chown(tree.main_cf, SOMEBODY, 0), 0);
    assert_false(tool_privilege_trusts(tree.directory));
    remove_tree(&tree);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Another configuration of root's may say less of who may do what: the installation names those
 * that count. */
static void test_listed(void **state)
{
    struct tree own;
    (void)state;
    if (geteuid() != 0)
        skip();
    make_tree(&own);
    assert_true(tool_privilege_is_listed(own.directory, own.directory));
    assert_true(tool_privilege_is_listed("/nonexistent/etc", "/etc/other"));
    assert_false(tool_privilege_is_listed(own.directory, "/etc/other"));
    write_file(own.main_cf, "alternate_config_directories = /etc/one, /etc/other\n");
    assert_true(tool_privilege_is_listed(own.directory, "/etc/other"));
    assert_false(tool_privilege_is_listed(own.directory, "/etc/oth"));
    write_file(own.main_cf, "multi_instance_directories = /etc/other /etc/one\n");
    assert_true(tool_privilege_is_listed(own.directory, "/etc/other"));
    write_file(own.main_cf, "multi_instance_directories = ${broken\n");
    assert_false(tool_privilege_is_listed(own.directory, "/etc/other"));
    write_file(own.main_cf, "alternate_config_directories = /etc/other\n");
    assert_int_equal(chown(own.main_cf, SOMEBODY, 0), 0);
    assert_false(tool_privilege_is_listed(own.directory, "/etc/other"));
    remove_tree(&own);
}

/* A command without a group of its own, as here, looks nowhere and leaves the name as it is. */
static void test_settle(void **state)
{
    const char *directory = "/nowhere";
    (void)state;
    assert_true(tool_privilege_begin());
    assert_true(tool_privilege_settle(&directory));
    assert_string_equal(directory, "/nowhere");
    assert_true(tool_privilege_resume());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_listed),
        cmocka_unit_test(test_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
