/* tests/local/batch - one message for many mailboxes: few jobs, one reading, a file for each. */
#include "../test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../local/commit_private.h"
#include "content.h"
#include "system/file.h"

enum { BOXES = 20, LARGE_BYTES = 100000 };

struct fixture {
    char directory[40];
    int base;
    struct message_content content;
    struct loop *loop;
    struct pool *pool;
    struct commit *commit;
    struct commit_delivery deliveries[BOXES];
    char recipients[BOXES][32];
    size_t open_count;
};

static struct fixture *running;

#define HEADER "Subject: test\r\nDelivered-To: box4@example.org\r\n\r\n"
#define BODY "one\r\n\r\n.two\r\r\nlast\r"
#define TEXT "Subject: test\nDelivered-To: box4@example.org\n\none\n\n.two\r\nlast\r"

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/posthouse-batch-XXXXXX");
    if (!mkdtemp(fixture->directory))
        return -1;
    fixture->base = open(fixture->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_content(&fixture->content, SPAN(HEADER), SPAN(BODY));
    fixture->loop = loop_create();
    fixture->pool = pool_create(fixture->loop, 4);
    fixture->commit = commit_create(fixture->loop, fixture->pool, COMMIT_SYNCFS);
    *state = running = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[80];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
    commit_destroy(&fixture->commit);
    pool_destroy(&fixture->pool);
    loop_destroy(&fixture->loop);
    (void)close(fixture->base);
    (void)close(fixture->content.descriptor);
    const int result = system(command);
    free(fixture);
    return result;
}

static void on_done(struct commit_delivery *delivery)
{
    (void)delivery;
    if (--running->open_count == 0)
        loop_stop(running->loop);
}

/* All boxes at once; how many jobs that took. */
static uint64_t deliver_to_all(struct fixture *fixture, const char *queue_id)
{
    struct commit_delivery *all[BOXES];
    const uint64_t before = commit_get_counts(fixture->commit).job_count;
    for (size_t i = 0; i < BOXES; i++) {
        struct commit_delivery *delivery = all[i] = &fixture->deliveries[i];
        char path[32];
        (void)snprintf(path, sizeof(path), "box%zu", i);
        (void)snprintf(fixture->recipients[i], sizeof(fixture->recipients[i]), "box%zu@example.org",
                       i);
        *delivery = (struct commit_delivery){
            .request = {.content = &fixture->content,
                        .queue_id = span_from_string(queue_id),
                        .reverse_path = SPAN("sender@example.net"),
                        .recipient = span_from_string(fixture->recipients[i]),
                        .host = SPAN("mx.example.org"),
                        .has_delivered_to = true,
                        .refuses_loops = true},
            .done = on_done};
        assert_int_equal(maildir_place_set_path(&delivery->request.place, span_from_string(path)),
                         MAILDIR_PATH_OK);
        delivery->request.place.base = fixture->base;
        delivery->request.place.owner = geteuid();
    }
    fixture->open_count = BOXES;
    commit_deliver_each(fixture->commit, all, BOXES);
    loop_run(fixture->loop);
    assert_int_equal(commit_pending_count(fixture->commit), 0);
    return commit_get_counts(fixture->commit).job_count - before;
}

static void expect_file(const struct fixture *fixture, size_t box, const char *queue_id,
                        struct span text)
{
    struct arena arena;
    struct buffer wanted, path;
    struct span bytes;
    const struct commit_delivery *delivery = &fixture->deliveries[box];
    assert_string_equal(delivery->result.text, "delivered to maildir");
    arena_init(&arena, 4 << 20, 0);
    buffer_init(&wanted, &arena, 2 << 20);
    buffer_init(&path, &arena, 1024);
    buffer_append_format(
        &wanted, "Return-Path: <sender@example.net>\nDelivered-To: box%zu@example.org\n", box);
    buffer_append_span(&wanted, text);
    buffer_append_format(&path, "%s/box%zu/new/", fixture->directory, box);
    maildir_name_put_base(&path, span_from_string(queue_id), delivery->request.recipient, 0,
                          SPAN("mx.example.org"));
    maildir_name_put_size(&path, wanted.length);
    buffer_append_byte(&path, 0);
    assert_int_equal(file_read_whole(AT_FDCWD, (const char *)path.bytes, 2 << 20, &arena, &bytes),
                     0);
    assert_int_equal(bytes.length, wanted.length);
    assert_memory_equal(bytes.bytes, wanted.bytes, wanted.length);
    arena_destroy(&arena);
}

/* The fifth would loop, and is refused in the midst of the others. */
static void expect_all_but_one(const struct fixture *fixture, const char *queue_id,
                               struct span text)
{
    for (size_t i = 0; i < BOXES; i++)
        if (i != 4)
            expect_file(fixture, i, queue_id, text);
    assert_string_equal(fixture->deliveries[4].result.text,
                        "mail forwarding loop for box4@example.org");
}

static void test_open_mailboxes_are_written_together(void **state)
{
    struct fixture *fixture = *state;
    /* Each is made first, which may take long: by itself. */
    assert_int_equal(deliver_to_all(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3s"), BOXES);
    expect_all_but_one(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3s", SPAN(TEXT));
    assert_true(deliver_to_all(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3t") <= BOXES / 8);
    expect_all_but_one(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3t", SPAN(TEXT));
    assert_int_equal(commit_get_counts(fixture->commit).fsync_count, 0);
}

static void test_one_mailbox_vanishes(void **state)
{
    struct fixture *fixture = *state;
    char command[100];
    (void)deliver_to_all(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3s");
    (void)snprintf(command, sizeof(command), "rm -rf '%s/box7'", fixture->directory);
    assert_int_equal(system(command), 0);
    (void)deliver_to_all(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3t");
    expect_all_but_one(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3t", SPAN(TEXT));
}

static void test_corrupt_content(void **state)
{
    struct fixture *fixture = *state;
    (void)deliver_to_all(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3s");
    fixture->content.extents[1].digest[5] ^= 1;
    (void)deliver_to_all(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3t");
    for (size_t i = 0; i < BOXES; i++) {
        /* The header, where the loop stands, comes first. */
        assert_int_equal(fixture->deliveries[i].result.is_corrupt, i != 4);
        assert_true(fixture->deliveries[i].result.outcome.kind != OUTCOME_OK);
    }
}

/* One that is too large to be kept is read for each. */
static void test_large_content(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *body = malloc(LARGE_BYTES);
    struct buffer text;
    (void)close(fixture->content.descriptor);
    memset(body, 'x', LARGE_BYTES);
    make_content(&fixture->content,
                 SPAN("Subject: large\r\nDelivered-To: box4@example.org\r\n\r\n"),
                 span_of(body, LARGE_BYTES));
    buffer_init(&text, NULL, LARGE_BYTES + 100);
    buffer_append_string(&text, "Subject: large\nDelivered-To: box4@example.org\n\n");
    buffer_append(&text, body, LARGE_BYTES);
    (void)deliver_to_all(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3s");
    (void)deliver_to_all(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3t");
    expect_all_but_one(fixture, "4Qk7vBz1TfMw2hXcR9dLpNq3t", buffer_span(&text));
    buffer_release(&text);
    free(body);
}

/* What is slow for a few files is not for many: their flushes would take their turns, too. */
static void test_fair_time_grows_with_the_group(void **state)
{
    const int64_t few_us = commit_fair_syncfs_us(10000, COMMIT_GROUP_MINIMUM);
    const int64_t many_us = commit_fair_syncfs_us(10000, 200);
    (void)state;
    assert_true(few_us >= 2 * 10000);
    assert_true(few_us < 100000);
    assert_true(many_us >= 200 / 16 * few_us / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fair_time_grows_with_the_group),
        cmocka_unit_test_setup_teardown(test_open_mailboxes_are_written_together, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_one_mailbox_vanishes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_corrupt_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_content, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
