/* tests/local/quota - the text of maildirsize, and mailboxes that are full. */
#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../local/quota.h"

static void definitions(void **state)
{
    static const struct {
        const char *text;
        bool is_one;
        struct quota quota;
    } rows[] = {
        {"1000S", true, {1000, 0}},
        {"1000S,10C", true, {1000, 10}},
        {"10C,1000S", true, {1000, 10}},
        {"0S", true, {0, 0}},
        {"5X,1000S", true, {1000, 0}},
        {"", false, {0, 0}},
        {"S", false, {0, 0}},
        {"-1S", false, {0, 0}},
        {"1000", false, {0, 0}},
        {"1000S,", false, {0, 0}},
        {"1000 S", false, {0, 0}},
        {"1000SC", false, {0, 0}},
        {"9999999999999999999S", false, {0, 0}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct quota quota = {0, 0};
        if (quota_parse(span_from_string(rows[i].text), &quota) != rows[i].is_one ||
            quota.size_bytes != rows[i].quota.size_bytes ||
            quota.message_count != rows[i].quota.message_count)
            fail_msg("%s", rows[i].text);
    }
}

static void files(void **state)
{
    static const struct {
        const char *text;
        bool is_one;
        int64_t size_bytes, count;
    } rows[] = {
        {"1000S\n100 1\n", true, 100, 1},
        {"1000S\n", true, 0, 0},
        {"1000S,5C\n   100    1   \n-40 -1\n", true, 60, 0},
        {"1000S\n100 1\n50 ", true, 100, 1}, /* somebody is writing */
        {"1000S", false, 0, 0},
        {"\n100 1\n", false, 0, 0},
        {"1000S\nhello\n", false, 0, 0},
        {"1000S\n1 2 3\n", false, 0, 0},
        {"1000S\n1\n", false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct quota quota;
        struct quota_usage usage = {0, 0};
        if (quota_parse_file(span_from_string(rows[i].text), &quota, &usage) != rows[i].is_one ||
            usage.size_bytes != rows[i].size_bytes || usage.message_count != rows[i].count)
            fail_msg("%s", rows[i].text);
    }
}

struct mailbox {
    char path[64];
    int directory;
};

static void make_mailbox(struct mailbox *mailbox)
{
    (void)snprintf(mailbox->path, sizeof(mailbox->path), "/tmp/posthouse-quota-XXXXXX");
    assert_non_null(mkdtemp(mailbox->path));
    mailbox->directory = open(mailbox->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(mailbox->directory >= 0);
    static const char *const parts[] = {"tmp",    "new",        "cur",
                                        ".Sent",  ".Sent/new",  ".Sent/cur",
                                        ".Trash", ".Trash/cur", ".Trash/new"};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        assert_int_equal(mkdirat(mailbox->directory, parts[i], 0700), 0);
}

static void put(const struct mailbox *mailbox, const char *name, const char *text)
{
    const int file =
        openat(mailbox->directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(file), 0);
}

static void remove_mailbox(struct mailbox *mailbox)
{
    char command[128];
    assert_int_equal(close(mailbox->directory), 0);
    (void)snprintf(command, sizeof(command), "rm -rf %s", mailbox->path);
    assert_int_equal(system(command), 0);
}

static const struct quota none = {0, 0};

static void what_fits(void **state)
{
    struct mailbox mailbox;
    const struct quota small = {300, 0}, few = {0, 3};
    (void)state;
    make_mailbox(&mailbox);
    const int directory = mailbox.directory;
    assert_int_equal(quota_check(directory, &none, UINT64_MAX), QUOTA_NONE);
    assert_int_equal(faccessat(directory, "maildirsize", F_OK, 0), -1);

    /* Sizes from names and from files, folders but the trash, nothing that is marked trashed. */
    put(&mailbox, "new/1.a,S=100", "x");
    put(&mailbox, "cur/2.b:2,S", "0123456789");
    put(&mailbox, "cur/3.c,S=100000:2,ST", "x");
    put(&mailbox, ".Sent/cur/4.d,S=90:2,", "x");
    put(&mailbox, ".Trash/cur/5.e,S=100000:2,", "x");
    assert_int_equal(quota_check(directory, &small, 100), QUOTA_FITS);
    assert_int_equal(quota_check(directory, &small, 101), QUOTA_EXCEEDED);
    assert_int_equal(quota_check(directory, &small, UINT64_MAX), QUOTA_EXCEEDED);
    quota_note(directory, 60);
    assert_int_equal(quota_check(directory, &small, 40), QUOTA_FITS);
    assert_int_equal(quota_check(directory, &small, 41), QUOTA_EXCEEDED);
    /* The file's own quota holds where no setting speaks. */
    assert_int_equal(quota_check(directory, &none, 41), QUOTA_EXCEEDED);
    /* Another setting: counted anew. */
    assert_int_equal(quota_check(directory, &few, 1000), QUOTA_EXCEEDED);
    assert_int_equal(unlinkat(directory, "new/1.a,S=100", 0), 0);
    assert_int_equal(quota_check(directory, &small, 200), QUOTA_FITS);
    remove_mailbox(&mailbox);
}

static void files_that_are_odd(void **state)
{
    struct mailbox mailbox;
    static char line[QUOTA_FILE_MAX_BYTES + 64];
    (void)state;
    make_mailbox(&mailbox);
    put(&mailbox, "new/1.a,S=10", "x");
    /* Too long and wrong: counted anew. */
    size_t length = (size_t)snprintf(line, sizeof(line), "100S\n90 1\n");
    while (length < QUOTA_FILE_MAX_BYTES + 4) {
        memcpy(line + length, "0 0\n", 4);
        length += 4;
    }
    line[length] = '\0';
    put(&mailbox, "maildirsize", line);
    assert_int_equal(quota_check(mailbox.directory, &none, 90), QUOTA_FITS);
    assert_int_equal(quota_check(mailbox.directory, &none, 91), QUOTA_EXCEEDED);
    /* Full by its own account, but that is old. */
    put(&mailbox, "maildirsize", "100S\n100 1\n");
    assert_int_equal(quota_check(mailbox.directory, &none, 10), QUOTA_EXCEEDED);
    const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimensat(mailbox.directory, "maildirsize", old, 0), 0);
    assert_int_equal(quota_check(mailbox.directory, &none, 10), QUOTA_FITS);
    /* As full, and from a clock that was ahead: it would not be old for years. */
    put(&mailbox, "maildirsize", "100S\n100 1\n");
    const struct timespec ahead[2] = {{4000000000, 0}, {4000000000, 0}};
    assert_int_equal(utimensat(mailbox.directory, "maildirsize", ahead, 0), 0);
    assert_int_equal(quota_check(mailbox.directory, &none, 10), QUOTA_FITS);
    /* Not a file of the mailbox. */
    assert_int_equal(unlinkat(mailbox.directory, "maildirsize", 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", mailbox.directory, "maildirsize"), 0);
    assert_int_equal(quota_check(mailbox.directory, &none, 10), QUOTA_FAILED);
    quota_note(mailbox.directory, 10);
    /* Garbage, and no setting: no quota. */
    assert_int_equal(unlinkat(mailbox.directory, "maildirsize", 0), 0);
    put(&mailbox, "maildirsize", "what\n");
    assert_int_equal(quota_check(mailbox.directory, &none, 100000), QUOTA_NONE);
    remove_mailbox(&mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions),
        cmocka_unit_test(files),
        cmocka_unit_test(what_fits),
        cmocka_unit_test(files_that_are_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
