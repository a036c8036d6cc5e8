/* tests/local/mbox - what is written, locks, limits, repetitions, and files that are not to be
 * written to. */
#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../local/mbox.h"
#include "queuefile/digest.h"
#include "system/file.h"

#define QUEUE_ID "4YcWkm0ZqTz1B2C3D4F5G6H7J8K9L0"
#define HEADER "Received: by x (Posthouse)\r\n\tid " QUEUE_ID "; Sun\r\nSubject: test\r\n\r\n"
#define FIELDS                                                                                     \
    "Return-Path: <sender@example.net>\nX-Original-To: list@example.org\n"                         \
    "Delivered-To: user@example.org\n"
#define HEADER_LF "Received: by x (Posthouse)\n\tid " QUEUE_ID "; Sun\nSubject: test\n\n"

struct fixture {
    char directory[48];
    char path[64];
    struct message_content content;
    struct mbox_request request;
    struct rendition_space *space;
    struct maildir_result result;
};

static void set_content(struct fixture *fixture, struct span header, struct span body)
{
    char path[] = "/tmp/posthouse-content-XXXXXX";
    struct digest digest;
    struct span parts[2] = {header, body};
    uint64_t offset = QUEUE_FILE_CONTENT_OFFSET;
    if (fixture->content.descriptor > 0)
        assert_int_equal(close(fixture->content.descriptor), 0);
    fixture->content = (struct message_content){.descriptor = mkstemp(path), .extent_count = 2};
    assert_int_equal(unlink(path), 0);
    assert_true(digest_init(&digest));
    for (size_t i = 0; i < 2; i++) {
        struct queue_extent *extent = &fixture->content.extents[i];
        digest_start(&digest);
        digest_update(&digest, parts[i]);
        assert_true(digest_finish(&digest, extent->digest));
        extent->offset = offset;
        extent->length = parts[i].length;
        assert_int_equal(
            file_pwrite_all(fixture->content.descriptor, parts[i].bytes, parts[i].length, offset),
            0);
        offset += parts[i].length;
        fixture->content.size_bytes += parts[i].length;
    }
    digest_destroy(&digest);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/posthouse-mbox-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/box", fixture->directory);
    set_content(fixture, SPAN(HEADER), SPAN("hello\r\n"));
    fixture->space = rendition_space_create();
    fixture->request =
        (struct mbox_request){.content = &fixture->content,
                              .queue_id = SPAN(QUEUE_ID),
                              .reverse_path = SPAN("sender@example.net"),
                              .original_recipient = SPAN("list@example.org"),
                              .delivered_to = SPAN("user@example.org"),
                              .path = fixture->path,
                              .locks = {.kinds = FILELOCK_FCNTL | FILELOCK_FLOCK | FILELOCK_DOTLOCK,
                                        .attempts = 2,
                                        .delay_ms = 10,
                                        .stale_ms = 500000},
                              .must_be_owner = true};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[80];
    (void)snprintf(command, sizeof(command), "rm -rf %s", fixture->directory);
    rendition_space_destroy(&fixture->space);
    (void)close(fixture->content.descriptor);
    free(fixture);
    return system(command);
}

static void deliver(struct fixture *fixture)
{
    mbox_deliver(&fixture->request, fixture->space, &fixture->result);
}

static void expect_delivered(struct fixture *fixture)
{
    deliver(fixture);
    if (fixture->result.outcome.kind != OUTCOME_OK)
        fail_msg("%s", fixture->result.text);
}

static void expect_failure(struct fixture *fixture, enum outcome_kind kind, const char *part)
{
    deliver(fixture);
    if (fixture->result.outcome.kind != kind || !strstr(fixture->result.text, part))
        fail_msg("%d %s", (int)fixture->result.outcome.kind, fixture->result.text);
}

/* The file with the dates of its From_ lines made one. */
static void expect_file(const struct fixture *fixture, const char *wanted)
{
    struct arena arena;
    struct span bytes;
    struct buffer clean;
    arena_init(&arena, 8 << 20, 0);
    buffer_init(&clean, NULL, 8 << 20);
    assert_int_equal(file_read_whole(AT_FDCWD, fixture->path, 4 << 20, &arena, &bytes), 0);
    while (bytes.length > 0) {
        struct span line;
        const bool has_end = span_split_once(bytes, '\n', &line, &bytes);
        if (span_starts_with(line, SPAN("From ")) && span_find(line, SPAN("  ")) < line.length)
            line = span_first(line, span_find(line, SPAN("  ")));
        buffer_append_span(&clean, line);
        if (has_end)
            buffer_append_byte(&clean, '\n');
    }
    assert_span_is("mailbox", buffer_span(&clean), wanted);
    buffer_release(&clean);
    arena_destroy(&arena);
}

#define MESSAGE "From sender@example.net\n" FIELDS HEADER_LF "hello\n\n"

static void two_messages(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    expect_delivered(fixture);
    expect_delivered(fixture);
    expect_file(fixture, MESSAGE MESSAGE);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    char lock[80];
    (void)snprintf(lock, sizeof(lock), "%s.lock", fixture->path);
    assert_int_equal(access(lock, F_OK), -1);
}

/* Lines that begin like a new message, wherever a piece of reading ends; no end of line at the
 * end; a null sender. */
static void from_lines(void **state)
{
    struct fixture *fixture = *state;
    fixture->request.reverse_path = span_empty();
    fixture->request.delivered_to = fixture->request.original_recipient = span_empty();
    set_content(
        fixture, SPAN("Subject: x\r\n\r\n"),
        SPAN("From here\r\n>From there\r\nFromage\r\nfrom x\r\n From y\r\n\r\nFrom \r\nFrom"));
    expect_delivered(fixture);
    expect_file(fixture,
                "From MAILER-DAEMON\nReturn-Path: <>\nSubject: x\n\n>From here\n>From there\n"
                "Fromage\nfrom x\n From y\n\n>From \nFrom\n\n");
    for (size_t i = 65520; i < 65560; i++) {
        struct buffer body, wanted;
        buffer_init(&body, NULL, 1 << 20);
        buffer_init(&wanted, NULL, 1 << 20);
        assert_int_equal(unlink(fixture->path), 0);
        for (size_t filled = 0; filled < i; filled++)
            buffer_append_byte(&body, 'x');
        buffer_append_string(&wanted, "From MAILER-DAEMON\nReturn-Path: <>\nSubject: x\n\n");
        buffer_append_span(&wanted, buffer_span(&body));
        buffer_append_string(&body, "\r\nFrom a\r\nFrom b\r\n");
        buffer_append_string(&wanted, "\n>From a\n>From b\n\n");
        buffer_append_byte(&wanted, '\0');
        set_content(fixture, SPAN("Subject: x\r\n\r\n"), buffer_span(&body));
        expect_delivered(fixture);
        expect_file(fixture, (const char *)wanted.bytes);
        buffer_release(&body);
        buffer_release(&wanted);
    }
    /* Many of them: the text grows. */
    struct buffer body, wanted;
    buffer_init(&body, NULL, 4 << 20);
    buffer_init(&wanted, NULL, 4 << 20);
    assert_int_equal(unlink(fixture->path), 0);
    buffer_append_string(&wanted, "From MAILER-DAEMON\nReturn-Path: <>\nSubject: x\n\n");
    for (size_t i = 0; i < 60000; i++) {
        buffer_append_string(&body, "From \r\n");
        buffer_append_string(&wanted, ">From \n");
    }
    buffer_append(&wanted, "\n\0", 2);
    set_content(fixture, SPAN("Subject: x\r\n\r\n"), buffer_span(&body));
    expect_delivered(fixture);
    expect_file(fixture, (const char *)wanted.bytes);
    buffer_release(&body);
    buffer_release(&wanted);
}

static void locks_of_others(void **state)
{
    struct fixture *fixture = *state;
    char lock[80];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    expect_delivered(fixture);
    const int other = open(fixture->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(fcntl(other, F_OFD_SETLK, &whole), 0);
    expect_failure(fixture, OUTCOME_TEMPORARY, "lock it");
    whole.l_type = F_UNLCK;
    assert_int_equal(fcntl(other, F_OFD_SETLK, &whole), 0);
    assert_int_equal(flock(other, LOCK_EX), 0);
    expect_failure(fixture, OUTCOME_TEMPORARY, "lock it");
    assert_int_equal(close(other), 0);
    (void)snprintf(lock, sizeof(lock), "%s.lock", fixture->path);
    assert_int_equal(close(open(lock, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    expect_failure(fixture, OUTCOME_TEMPORARY, "create its lock file");
    fixture->request.locks.stale_ms = -1; /* older than that it is */
    expect_delivered(fixture);
    expect_file(fixture, MESSAGE MESSAGE);
    assert_int_equal(access(lock, F_OK), -1);
}

static void limits(void **state)
{
    struct fixture *fixture = *state;
    expect_delivered(fixture);
    fixture->request.size_limit_bytes = sizeof(MESSAGE) + 40;
    expect_failure(fixture, OUTCOME_PERMANENT, "File too large");
    expect_file(fixture, MESSAGE);
    fixture->request.size_limit_bytes = 1 << 20;
    expect_delivered(fixture);
}

/* What a failed write leaves is cut off again. */
static void content_that_is_damaged(void **state)
{
    struct fixture *fixture = *state;
    expect_delivered(fixture);
    fixture->content.extents[1].digest[0] ^= 1;
    expect_failure(fixture, OUTCOME_TEMPORARY, "checksum");
    assert_true(fixture->result.is_corrupt);
    expect_file(fixture, MESSAGE);
}

static void repetitions(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    expect_delivered(fixture);
    fixture->request.is_maybe_repeated = true;
    expect_delivered(fixture);
    expect_file(fixture, MESSAGE);
    /* The earlier self was cut short by a crash. */
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(truncate(fixture->path, status.st_size - 5), 0);
    expect_delivered(fixture);
    expect_file(fixture, MESSAGE);
    /* Another recipient's copy, or another message, is somebody else. */
    fixture->request.delivered_to = SPAN("user@example.or");
    expect_delivered(fixture);
    fixture->request.delivered_to = SPAN("user@example.org");
    fixture->request.queue_id = SPAN("4YcWkm0ZqTz1B2C3D4F5G6H7J8K9L1");
    expect_delivered(fixture);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_true(status.st_size > 2 * (off_t)sizeof(MESSAGE));
}

/* What a crash left of ours, wherever it was cut, and then another's message: that one stays when
 * ours comes again. */
static void repetitions_behind_what_a_crash_left(void **state)
{
    static const char ours[] = MESSAGE;
    static const char other[] = "From sender@example.net\n" FIELDS "Subject: other\n\nother\n\n";
    struct fixture *fixture = *state;
    for (size_t kept = 1; kept < sizeof(ours); kept++) {
        char wanted[1024];
        const char *between = ours[kept - 1] != '\n'               ? "\n\n"
                              : kept > 1 && ours[kept - 2] == '\n' ? ""
                                                                   : "\n";
        const int file = open(fixture->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(file, ours, kept), (ssize_t)kept);
        assert_int_equal(close(file), 0);
        fixture->request.queue_id = SPAN("4YcWkm0ZqTz1B2C3D4F5G6H7J8K9L1");
        fixture->request.is_maybe_repeated = false;
        set_content(fixture, SPAN("Subject: other\r\n\r\n"), SPAN("other\r\n"));
        expect_delivered(fixture);
        assert_int_equal(fixture->result.offset,
                         kept + strlen(between)); /* biff reads from there */
        fixture->request.queue_id = SPAN(QUEUE_ID);
        fixture->request.is_maybe_repeated = true;
        set_content(fixture, SPAN(HEADER), SPAN("hello\r\n"));
        expect_delivered(fixture);
        (void)snprintf(wanted, sizeof(wanted), "%.*s%s%s%s", (int)kept, ours, between, other, ours);
        expect_file(fixture, wanted);
    }
}

/* A report on the message says its id, and so does a copy that somebody forwarded: they stay. */
static void repetitions_behind_a_message_that_quotes_us(void **state)
{
    static const char *const others[] = {
        "Received: by x (Posthouse)\n\tid 4YcWkm0ZqTz1B2C3D4F5G6H7J8K9L9; Sun\n"
        "Subject: Delayed Mail\n\nX-Posthouse-Queue-ID: " QUEUE_ID "\n\n",
        "Received: by x (Posthouse)\n\tid 4YcWkm0ZqTz1B2C3D4F5G6H7J8K9L9; Sun\n" HEADER_LF
        "forwarded\n\n",
        "Subject: no trace\n\nReceived: id " QUEUE_ID "\n\n",
    };
    struct fixture *fixture = *state;
    fixture->request.is_maybe_repeated = true;
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        char text[640], whole[1024];
        (void)snprintf(text, sizeof(text), "From a@b Sun Nov 22 06:00:00 2026\n" FIELDS "%s",
                       others[i]);
        (void)snprintf(whole, sizeof(whole), "%s" MESSAGE, text);
        const int file = open(fixture->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
        assert_int_equal(close(file), 0);
        expect_delivered(fixture);
        expect_file(fixture, whole);
        expect_delivered(fixture); /* and our own goes still */
        expect_file(fixture, whole);
    }
}

static void files_that_are_refused(void **state)
{
    struct fixture *fixture = *state;
    char other[80];
    (void)snprintf(other, sizeof(other), "%s/other", fixture->directory);
    assert_int_equal(close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    assert_int_equal(symlink(other, fixture->path), 0);
    expect_failure(fixture, OUTCOME_TEMPORARY, "cannot update mailbox");
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(link(other, fixture->path), 0);
    expect_failure(fixture, OUTCOME_TEMPORARY, "more than one name");
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    expect_failure(fixture, OUTCOME_TEMPORARY, "not a regular file");
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    expect_failure(fixture, OUTCOME_TEMPORARY, "cannot update mailbox");
    assert_int_equal(rmdir(fixture->path), 0);
    if (geteuid() == 0) {
        expect_delivered(fixture);
        assert_int_equal(chown(fixture->path, 57911, 57911), 0);
        expect_failure(fixture, OUTCOME_TEMPORARY, "not owned by the recipient");
        fixture->request.must_be_owner = false;
        expect_delivered(fixture);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(two_messages),
        T(from_lines),
        T(locks_of_others),
        T(limits),
        T(repetitions),
        T(repetitions_behind_what_a_crash_left),
        T(repetitions_behind_a_message_that_quotes_us),
        T(content_that_is_damaged),
        T(files_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
