/* tests/local/maildir - names, places, what is written, repeated deliveries, groups, and faults. */
#include "../test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../local/commit.h"
#include "content.h"
#include "queuefile/id.h"
#include "system/file.h"

#define QUEUE_ID "4YcWkm0ZqTz1B2C3D4F5G6H7J8K9L0"
#define HOST "mail.example.org"

struct fixture {
    char directory[40];
    int base;
    struct message_content content;
    struct loop *loop;
    struct pool *pool;
    size_t done_count;
    size_t wanted_count;
};

/* ---- names and places ---- */

static void test_names(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    const uint8_t random[QUEUE_ID_RANDOM_BYTES] = {1, 2, 3};
    const size_t id_length = queue_id_make(UINT64_C(1795313634123456), random, id);
    struct buffer name, again;
    buffer_init(&name, NULL, 255);
    buffer_init(&again, NULL, 255);
    maildir_name_put_base(&name, span_of(id, id_length), SPAN("user@example.org"), 0,
                          SPAN("a/b:c,d"));
    const struct span base = buffer_span(&name);
    assert_true(span_equals(span_first(base, 12), SPAN("1795313634.Q")));
    assert_true(span_ends_with(base, SPAN("A0.a\\057b\\072c\\054d")));
    maildir_name_put_base(&again, span_of(id, id_length), SPAN("user@example.org"), 0,
                          SPAN("a/b:c,d"));
    assert_true(span_equals(base, buffer_span(&again)));
    buffer_reset(&again);
    maildir_name_put_base(&again, span_of(id, id_length), SPAN("user@example.com"), 0,
                          SPAN("a/b:c,d"));
    assert_false(span_equals(base, buffer_span(&again)));
    maildir_name_put_size(&name, 2048);
    assert_true(span_ends_with(buffer_span(&name), SPAN(",S=2048")));
    buffer_release(&name);
    buffer_release(&again);

    static const struct {
        const char *entry;
        bool is_same;
    } rows[] = {
        {"1.Qx.h", true},     {"1.Qx.h,S=3", true}, {"1.Qx.h:2,S", true}, {"1.Qx.h,S=3:2,", true},
        {"1.Qx.host", false}, {"1.Qx", false},      {"", false},          {"2.Qx.h,S=3", false}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (maildir_name_has_base(span_from_string(rows[i].entry), SPAN("1.Qx.h")) !=
            rows[i].is_same)
            fail_msg("%s", rows[i].entry);
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum maildir_path_result result;
        const char *kept;
    } rows[] = {
        {"example.org/user/", MAILDIR_PATH_OK, "example.org/user"},
        {"/user", MAILDIR_PATH_OK, "user"},
        {"a/.hidden..b", MAILDIR_PATH_OK, "a/.hidden..b"},
        {"", MAILDIR_PATH_REFUSED, NULL},
        {"/", MAILDIR_PATH_REFUSED, NULL},
        {"..", MAILDIR_PATH_REFUSED, NULL},
        {"../user", MAILDIR_PATH_REFUSED, NULL},
        {"a/../b", MAILDIR_PATH_REFUSED, NULL},
        {"a/..", MAILDIR_PATH_REFUSED, NULL},
        {"a//b", MAILDIR_PATH_REFUSED, NULL},
        {"./a", MAILDIR_PATH_REFUSED, NULL},
        {"a\nb", MAILDIR_PATH_REFUSED, NULL},
    };
    struct maildir_place place;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (maildir_place_set_path(&place, span_from_string(rows[i].path)) != rows[i].result)
            fail_msg("path %s", rows[i].path);
        if (rows[i].kept)
            assert_string_equal(place.path, rows[i].kept);
    }
    char large[MAILDIR_PATH_MAX_BYTES + 2];
    memset(large, 'a', sizeof(large));
    assert_int_equal(maildir_place_set_path(&place, span_of(large, sizeof(large))),
                     MAILDIR_PATH_TOO_LONG);
}

/* ---- a message in a queue file ---- */

#define HEADER "Subject: test\r\nDelivered-To: other@example.org\r\n\r\n"
#define BODY "line one\r\n\r\n.dot\r\nlast\r\n"
#define EXPECTED                                                                                   \
    "Return-Path: <sender@example.net>\n"                                                          \
    "X-Original-To: alias@example.org\n"                                                           \
    "Delivered-To: user@example.org\n"                                                             \
    "Subject: test\nDelivered-To: other@example.org\n\n"                                           \
    "line one\n\n.dot\nlast\n"

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/posthouse-maildir-XXXXXX");
    if (!mkdtemp(fixture->directory))
        return -1;
    fixture->base = open(fixture->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_content(&fixture->content, SPAN(HEADER), SPAN(BODY));
    fixture->loop = loop_create();
    fixture->pool = pool_create(fixture->loop, 16);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[80];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
    pool_destroy(&fixture->pool);
    loop_destroy(&fixture->loop);
    (void)close(fixture->base);
    (void)close(fixture->content.descriptor);
    const int result = system(command);
    free(fixture);
    return result;
}

static void on_done(struct commit_delivery *delivery);

static void init_delivery(struct commit_delivery *delivery, struct fixture *fixture,
                          const char *path)
{
    *delivery =
        (struct commit_delivery){.request = {.content = &fixture->content,
                                             .queue_id = SPAN(QUEUE_ID),
                                             .reverse_path = SPAN("sender@example.net"),
                                             .recipient = SPAN("user@example.org"),
                                             .original_recipient = SPAN("alias@example.org"),
                                             .host = SPAN(HOST),
                                             .has_delivered_to = true},
                                 .done = on_done};
    assert_int_equal(maildir_place_set_path(&delivery->request.place, span_from_string(path)),
                     MAILDIR_PATH_OK);
    delivery->request.place.base = fixture->base;
    delivery->request.place.is_confined = true;
    delivery->request.place.owner = geteuid();
}

static struct fixture *running;

static void on_done(struct commit_delivery *delivery)
{
    (void)delivery;
    if (++running->done_count == running->wanted_count)
        loop_stop(running->loop);
}

static struct commit_counts deliver_all(struct fixture *fixture, enum commit_policy policy,
                                        struct commit_delivery *deliveries, size_t count)
{
    struct commit *commit = commit_create(fixture->loop, fixture->pool, policy);
    assert_non_null(commit);
    running = fixture;
    fixture->done_count = 0;
    fixture->wanted_count = count;
    for (size_t i = 0; i < count; i++)
        commit_deliver(commit, &deliveries[i]);
    loop_run(fixture->loop);
    assert_int_equal(commit_pending_count(commit), 0);
    const struct commit_counts counts = commit_get_counts(commit);
    commit_destroy(&commit);
    return counts;
}

static void deliver(struct fixture *fixture, struct commit_delivery *delivery)
{
    (void)deliver_all(fixture, COMMIT_AUTO, delivery, 1);
}

/* How many entries a directory has, and the name of one. */
static size_t list_entries(const struct fixture *fixture, const char *path, char *name, size_t size)
{
    char whole[256];
    size_t count = 0;
    (void)snprintf(whole, sizeof(whole), "%s/%s", fixture->directory, path);
    DIR *directory = opendir(whole);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.') {
            count++;
            if (name)
                (void)snprintf(name, size, "%s/%s/%s", fixture->directory, path, entry->d_name);
        }
    (void)closedir(directory);
    return count;
}

static size_t count_entries(const struct fixture *fixture, const char *path)
{
    return list_entries(fixture, path, NULL, 0);
}

static void expect_file(const char *path, struct span wanted)
{
    struct arena arena;
    struct span bytes;
    arena_init(&arena, 4 << 20, 0);
    assert_int_equal(file_read_whole(AT_FDCWD, path, 2 << 20, &arena, &bytes), 0);
    assert_int_equal(bytes.length, wanted.length);
    assert_memory_equal(bytes.bytes, wanted.bytes, wanted.length);
    arena_destroy(&arena);
}

static void expect_delivered(const struct commit_delivery *delivery)
{
    assert_string_equal(delivery->result.text, "delivered to maildir");
    assert_int_equal(delivery->result.outcome.kind, OUTCOME_OK);
}

static void expect_failure(const struct commit_delivery *delivery, enum outcome_kind kind,
                           unsigned subject, unsigned detail)
{
    if (delivery->result.outcome.kind != kind ||
        delivery->result.outcome.status.subject != subject ||
        delivery->result.outcome.status.detail != detail)
        fail_msg("%u.%u.%u %s", delivery->result.outcome.status.class,
                 delivery->result.outcome.status.subject, delivery->result.outcome.status.detail,
                 delivery->result.text);
}

/* ---- deliveries ---- */

static void test_delivers_into_a_new_mailbox(void **state)
{
    struct fixture *fixture = *state;
    char name[400];
    struct stat status;
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "example.org/user/");
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    assert_int_equal(list_entries(fixture, "example.org/user/new", name, sizeof(name)), 1);
    assert_int_equal(count_entries(fixture, "example.org/user/tmp"), 0);
    assert_int_equal(count_entries(fixture, "example.org/user/cur"), 0);
    expect_file(name, SPAN(EXPECTED));
    assert_int_equal(stat(name, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    char size[32];
    (void)snprintf(size, sizeof(size), ",S=%zu", sizeof(EXPECTED) - 1);
    assert_true(span_ends_with(span_from_string(name), span_from_string(size)));
    (void)snprintf(name, sizeof(name), "%s/example.org/user", fixture->directory);
    assert_int_equal(stat(name, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
}

/* Every extent layout and size gives the same text: one read, pieces, and pieces cut inside CRLF.
 */
static void test_large_and_scattered_content(void **state)
{
    struct fixture *fixture = *state;
    static const size_t sizes[] = {1, 2, 65534, 65535, 65536, 65537, 131071, 131072, 500000};
    uint8_t *wire = malloc(600000), *text = malloc(600000);
    char name[400];
    for (size_t row = 0; row < ARRAY_LENGTH(sizes); row++) {
        size_t text_length = 0, wire_length = 0;
        for (size_t i = 0; wire_length < sizes[row]; i++) {
            const bool is_end = i % 3 == 2;
            if (is_end)
                wire[wire_length++] = '\r';
            wire[wire_length++] = text[text_length++] = is_end ? '\n' : 'x';
        }
        struct commit_delivery delivery;
        init_delivery(&delivery, fixture, "large");
        struct message_content content;
        make_content(&content, SPAN("A: b\r\n\r\n"), span_of(wire, wire_length / 2));
        /* The rest with a hole before it, begun perhaps between CR and LF. */
        add_extent(&content, QUEUE_FILE_CONTENT_OFFSET + 700000,
                   span_of(wire + wire_length / 2, wire_length - wire_length / 2));
        if (content.extents[1].length == 0) {
            content.extents[1] = content.extents[2];
            content.extent_count = 2;
        }
        delivery.request.content = &content;
        delivery.request.has_delivered_to = false;
        delivery.request.original_recipient = span_empty();
        delivery.request.action = (unsigned)row;
        deliver(fixture, &delivery);
        expect_delivered(&delivery);
        assert_int_equal(list_entries(fixture, "large/new", name, sizeof(name)), 1);
        static const char fields[] = "Return-Path: <sender@example.net>\nA: b\n\n";
        const size_t fields_length = sizeof(fields) - 1;
        uint8_t *whole = malloc(fields_length + text_length);
        memcpy(whole, fields, fields_length);
        memcpy(whole + fields_length, text, text_length);
        expect_file(name, span_of(whole, fields_length + text_length));
        free(whole);
        assert_int_equal(unlink(name), 0);
        (void)close(content.descriptor);
    }
    free(wire);
    free(text);
}

static void test_refuses_what_is_not_as_queued(void **state)
{
    struct fixture *fixture = *state;
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "user");
    fixture->content.extents[1].digest[5] ^= 1;
    deliver(fixture, &delivery);
    expect_failure(&delivery, OUTCOME_TEMPORARY, 3, 0);
    assert_true(delivery.result.is_corrupt);
    fixture->content.extents[1].digest[5] ^= 1;
    fixture->content.extents[1].length += 10;
    fixture->content.size_bytes += 10;
    deliver(fixture, &delivery);
    expect_failure(&delivery, OUTCOME_TEMPORARY, 3, 0);
    assert_int_equal(count_entries(fixture, "user/new"), 0);
    assert_int_equal(count_entries(fixture, "user/tmp"), 0);
}

static void test_limits_and_loops(void **state)
{
    struct fixture *fixture = *state;
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "user");
    delivery.request.size_limit_bytes = fixture->content.size_bytes - 1;
    deliver(fixture, &delivery);
    expect_failure(&delivery, OUTCOME_PERMANENT, 2, 2);
    init_delivery(&delivery, fixture, "user");
    delivery.request.size_limit_bytes = fixture->content.size_bytes;
    delivery.request.refuses_loops = true;
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    delivery.request.recipient = SPAN("OTHER@example.org");
    deliver(fixture, &delivery);
    expect_failure(&delivery, OUTCOME_PERMANENT, 4, 6);
    assert_string_equal(delivery.result.text, "mail forwarding loop for OTHER@example.org");
    delivery.request.refuses_loops = false;
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    assert_int_equal(count_entries(fixture, "user/new"), 2);
}

static void test_quota(void **state)
{
    struct fixture *fixture = *state;
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "box");
    delivery.request.quota = (struct quota){2 * (sizeof(EXPECTED) - 1) - 1, 0};
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    /* The same again finds itself, and is not counted twice. */
    delivery.request.is_maybe_repeated = true;
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    delivery.request.action = 1;
    deliver(fixture, &delivery); /* and one that might have, but does not, is */
    expect_failure(&delivery, OUTCOME_TEMPORARY, 2, 2);
    delivery.request.is_maybe_repeated = false;
    deliver(fixture, &delivery);
    expect_failure(&delivery, OUTCOME_TEMPORARY, 2, 2);
    delivery.request.is_full_for_good = true;
    deliver(fixture, &delivery);
    expect_failure(&delivery, OUTCOME_PERMANENT, 2, 2);
    assert_int_equal(count_entries(fixture, "box/new"), 1);
    assert_int_equal(count_entries(fixture, "box/tmp"), 0);
    /* One byte more, by setting. */
    delivery.request.quota.size_bytes++;
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    assert_int_equal(count_entries(fixture, "box/new"), 2);
}

static void test_repeated_delivery_finds_itself(void **state)
{
    struct fixture *fixture = *state;
    char name[300], other[400];
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "user");
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    /* In new/ it is met in any case, by its name. */
    for (int round = 0; round < 2; round++) {
        delivery.request.is_maybe_repeated = round == 1;
        deliver(fixture, &delivery);
        expect_delivered(&delivery);
        assert_int_equal(list_entries(fixture, "user/new", name, sizeof(name)), 1);
        assert_int_equal(count_entries(fixture, "user/tmp"), 0);
    }
    /* Its reader has moved it to cur/. */
    (void)snprintf(other, sizeof(other), "%s/user/cur/%s:2,RS", fixture->directory,
                   strrchr(name, '/') + 1);
    assert_int_equal(rename(name, other), 0);
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    assert_int_equal(count_entries(fixture, "user/new"), 0);
    /* A power cut left it short: replaced where it stands, flags kept. */
    assert_int_equal(truncate(other, 7), 0);
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    assert_int_equal(count_entries(fixture, "user/new"), 0);
    assert_int_equal(count_entries(fixture, "user/tmp"), 0);
    expect_file(other, SPAN(EXPECTED));
    /* The right length but not the bytes, as when blocks were never written. */
    const int fd = open(other, O_WRONLY);
    assert_int_equal(pwrite(fd, "\0\0\0\0", 4, 20), 4);
    assert_int_equal(close(fd), 0);
    deliver(fixture, &delivery);
    expect_file(other, SPAN(EXPECTED));
    /* Without "maybe repeated" nobody looks into cur/. */
    delivery.request.is_maybe_repeated = false;
    deliver(fixture, &delivery);
    assert_int_equal(count_entries(fixture, "user/new"), 1);
}

static void test_crash_leftovers(void **state)
{
    struct fixture *fixture = *state;
    char name[400], wanted[400];
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "user");
    deliver(fixture, &delivery);
    assert_int_equal(list_entries(fixture, "user/new", name, sizeof(name)), 1);
    (void)snprintf(wanted, sizeof(wanted), "%s", name);
    assert_int_equal(truncate(name, 0), 0);
    delivery.request.is_maybe_repeated = true;
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    assert_int_equal(list_entries(fixture, "user/new", name, sizeof(name)), 1);
    assert_string_equal(name, wanted);
    expect_file(name, SPAN(EXPECTED));
    /* A file of our own name in tmp/ is in nobody's way. */
    struct buffer leftover;
    buffer_init(&leftover, NULL, 1024);
    buffer_append_format(&leftover, "%s/user/tmp/%.*s.P%ld_0", fixture->directory,
                         (int)(strchr(strrchr(name, '/'), ',') - strrchr(name, '/') - 1),
                         strrchr(name, '/') + 1, (long)getpid());
    buffer_append_byte(&leftover, 0);
    assert_int_equal(unlink(name), 0);
    const int fd = open((const char *)leftover.bytes, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    delivery.request.is_maybe_repeated = false;
    delivery.request.avoids_unnamed = true;
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
    assert_int_equal(count_entries(fixture, "user/tmp"), 0);
    buffer_release(&leftover);
}

enum { MANY = 100 };

static void deliver_many(struct fixture *fixture, enum commit_policy policy,
                         struct commit_counts *counts)
{
    struct commit_delivery *deliveries = calloc(MANY, sizeof(*deliveries));
    for (size_t i = 0; i < MANY; i++) {
        init_delivery(&deliveries[i], fixture, i % 2 ? "even" : "odd");
        deliveries[i].request.action = (unsigned)i;
    }
    *counts = deliver_all(fixture, policy, deliveries, MANY);
    for (size_t i = 0; i < MANY; i++)
        expect_delivered(&deliveries[i]);
    assert_int_equal(count_entries(fixture, "even/new") + count_entries(fixture, "odd/new"), MANY);
    assert_int_equal(count_entries(fixture, "even/tmp") + count_entries(fixture, "odd/tmp"), 0);
    free(deliveries);
}

static void test_groups(void **state)
{
    struct fixture *fixture = *state;
    struct commit_counts counts;
    deliver_many(fixture, COMMIT_AUTO, &counts);
    assert_int_equal(counts.fsync_count, COMMIT_GROUP_MINIMUM);
    assert_true(counts.syncfs_count > 0);
}

static void test_policies(void **state)
{
    struct fixture *fixture = *state;
    struct commit_counts counts;
    deliver_many(fixture, COMMIT_FSYNC, &counts);
    assert_int_equal(counts.fsync_count, MANY);
    assert_int_equal(counts.syncfs_count, 0);
    (void)tear_down(state);
    assert_int_equal(set_up(state), 0);
    deliver_many(*state, COMMIT_SYNCFS, &counts);
    assert_int_equal(counts.fsync_count, 0);
    assert_true(counts.syncfs_count > 0);
    (void)tear_down(state);
    assert_int_equal(set_up(state), 0);
    deliver_many(*state, COMMIT_NO, &counts);
    assert_int_equal(counts.fsync_count + counts.syncfs_count, 0);
    assert_int_equal(commit_policy_from_name(SPAN("auto")), COMMIT_AUTO);
    assert_int_equal(commit_policy_from_name(SPAN("fsync")), COMMIT_FSYNC);
    assert_int_equal(commit_policy_from_name(SPAN("syncfs")), COMMIT_SYNCFS);
    assert_int_equal(commit_policy_from_name(SPAN("no")), COMMIT_NO);
}

/* ---- faults and attacks ---- */

static void make_link(const struct fixture *fixture, const char *target, const char *path)
{
    assert_int_equal(symlinkat(target, fixture->base, path), 0);
}

static void test_nothing_leads_out_of_the_base(void **state)
{
    struct fixture *fixture = *state;
    char outside[] = "/tmp/posthouse-outside-XXXXXX";
    assert_non_null(mkdtemp(outside));
    static const char *const victims[] = {"link", "plain"};
    assert_int_equal(mkdirat(fixture->base, "plain", 0700), 0);
    assert_int_equal(mkdirat(fixture->base, "plain/tmp", 0700), 0);
    make_link(fixture, outside, "link");
    make_link(fixture, outside, "plain/new");
    for (size_t i = 0; i < ARRAY_LENGTH(victims); i++) {
        struct commit_delivery delivery;
        init_delivery(&delivery, fixture, victims[i]);
        deliver(fixture, &delivery);
        expect_failure(&delivery, OUTCOME_TEMPORARY, 2, 0);
        delivery.request.is_maybe_repeated = true;
        deliver(fixture, &delivery);
        expect_failure(&delivery, OUTCOME_TEMPORARY, 2, 0);
    }
    assert_int_equal(rmdir(outside), 0); /* still empty */
    /* Within the base a link may lead elsewhere. */
    make_link(fixture, "plain2", "inside");
    assert_int_equal(mkdirat(fixture->base, "plain2", 0700), 0);
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "inside");
    deliver(fixture, &delivery);
    expect_delivered(&delivery);
}

static void test_a_link_in_place_of_a_message(void **state)
{
    struct fixture *fixture = *state;
    char name[400];
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "user");
    deliver(fixture, &delivery);
    assert_int_equal(list_entries(fixture, "user/new", name, sizeof(name)), 1);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(symlink("/etc/passwd", name), 0);
    delivery.request.is_maybe_repeated = true;
    deliver(fixture, &delivery);
    assert_int_equal(delivery.result.outcome.kind, OUTCOME_TEMPORARY);
    assert_int_equal(count_entries(fixture, "user/tmp"), 0);
}

static void test_foreign_owner(void **state)
{
    struct fixture *fixture = *state;
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "user");
    assert_int_equal(mkdirat(fixture->base, "user", 0700), 0);
    delivery.request.place.owner = geteuid() + 1;
    deliver(fixture, &delivery);
    expect_failure(&delivery, OUTCOME_TEMPORARY, 2, 0);
    assert_non_null(strstr(delivery.result.text, "another owner"));
}

static void test_mailbox_vanishes_between_deliveries(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "user");
    struct commit *commit = commit_create(fixture->loop, fixture->pool, COMMIT_AUTO);
    running = fixture;
    for (int round = 0; round < 2; round++) {
        fixture->done_count = 0;
        fixture->wanted_count = 1;
        commit_deliver(commit, &delivery);
        loop_run(fixture->loop);
        expect_delivered(&delivery);
        assert_int_equal(count_entries(fixture, "user/new"), 1);
        (void)snprintf(command, sizeof(command), "rm -rf '%s/user'", fixture->directory);
        if (round == 0)
            assert_int_equal(system(command), 0);
    }
    commit_destroy(&commit);
}

static void test_not_a_directory(void **state)
{
    struct fixture *fixture = *state;
    struct commit_delivery delivery;
    init_delivery(&delivery, fixture, "file/user");
    const int fd = openat(fixture->base, "file", O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    deliver(fixture, &delivery);
    expect_failure(&delivery, OUTCOME_TEMPORARY, 2, 0);
}

/* On a file system of a few pages, which this process alone sees. */
static int fill_disk(void)
{
    struct fixture fixture = {.directory = "/tmp"};
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/tmp", "tmpfs", 0, "size=64k") != 0)
        return 77;
    uint8_t *large = calloc(1, 40000);
    make_content(&fixture.content, SPAN("A: b\r\n\r\n"), span_of(large, 40000));
    if (mkdir("/tmp/base", 0700) != 0)
        return 1;
    (void)snprintf(fixture.directory, sizeof(fixture.directory), "/tmp/base");
    fixture.base = open("/tmp/base", O_RDONLY | O_DIRECTORY);
    fixture.loop = loop_create();
    fixture.pool = pool_create(fixture.loop, 2);
    struct commit_delivery delivery;
    init_delivery(&delivery, &fixture, "user");
    deliver(&fixture, &delivery);
    const bool is_refused = delivery.result.outcome.kind == OUTCOME_TEMPORARY &&
                            delivery.result.outcome.status.subject == 3 &&
                            delivery.result.outcome.status.detail == 1;
    const bool is_clean =
        count_entries(&fixture, "user/tmp") == 0 && count_entries(&fixture, "user/new") == 0;
    pool_destroy(&fixture.pool);
    loop_destroy(&fixture.loop);
    free(large);
    return is_refused && is_clean ? 0 : 2;
}

static void test_full_disk(void **state)
{
    (void)state;
    int status = 0;
    if (geteuid() != 0)
        skip();
    const pid_t child = fork();
    if (child == 0)
        _exit(fill_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* no mount namespaces here */
    assert_int_equal(status, 0);
}

/* From now on files without a name get none, as before Linux 6.10. */
static bool forbid_names_for_unnamed(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    const bool is_done = filter &&
                         seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOENT), SCMP_SYS(linkat), 1,
                                          SCMP_A4(SCMP_CMP_EQ, AT_EMPTY_PATH, 0)) == 0 &&
                         seccomp_load(filter) == 0;
    seccomp_release(filter);
    return is_done;
}

static void test_without_unnamed_files(void **state)
{
    (void)state;
    assert_true(forbid_names_for_unnamed());
}

/* Each has both ways that a file can come by its name. */
#define TESTS                                                                                      \
    cmocka_unit_test(test_names), cmocka_unit_test(test_paths),                                    \
        cmocka_unit_test_setup_teardown(test_delivers_into_a_new_mailbox, set_up, tear_down),      \
        cmocka_unit_test_setup_teardown(test_large_and_scattered_content, set_up, tear_down),      \
        cmocka_unit_test_setup_teardown(test_refuses_what_is_not_as_queued, set_up, tear_down),    \
        cmocka_unit_test_setup_teardown(test_limits_and_loops, set_up, tear_down),                 \
        cmocka_unit_test_setup_teardown(test_quota, set_up, tear_down),                            \
        cmocka_unit_test_setup_teardown(test_repeated_delivery_finds_itself, set_up, tear_down),   \
        cmocka_unit_test_setup_teardown(test_crash_leftovers, set_up, tear_down),                  \
        cmocka_unit_test_setup_teardown(test_groups, set_up, tear_down),                           \
        cmocka_unit_test_setup_teardown(test_policies, set_up, tear_down),                         \
        cmocka_unit_test_setup_teardown(test_nothing_leads_out_of_the_base, set_up, tear_down),    \
        cmocka_unit_test_setup_teardown(test_a_link_in_place_of_a_message, set_up, tear_down),     \
        cmocka_unit_test_setup_teardown(test_foreign_owner, set_up, tear_down),                    \
        cmocka_unit_test_setup_teardown(test_mailbox_vanishes_between_deliveries, set_up,          \
                                        tear_down),                                                \
        cmocka_unit_test_setup_teardown(test_not_a_directory, set_up, tear_down),                  \
        cmocka_unit_test(test_full_disk)

int main(void)
{
    const struct CMUnitTest tests[] = {TESTS, cmocka_unit_test(test_without_unnamed_files), TESTS};
    return cmocka_run_group_tests_name("maildir", tests, NULL, NULL);
}
