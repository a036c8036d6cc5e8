/* tests/lib/queuestore - a queue in a directory of its own: commit, deliver, defer, remove, and
 * every state that a crash or a meddler can leave behind. */
#include "../../test.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "queuestore/alter.h"
#include "queuestore/walk.h"
#include "system/file.h"

static char root[] = "/tmp/posthouse-store-XXXXXX";
static struct store store;
static struct arena arena;
static uint64_t next_time_us = UINT64_C(1800000000000000);

/* A signal ends the next calls of renameat, before or after their work is done. */
static int interruptions;
static bool is_done_before;

int __real_renameat(int from_directory, const char *from, int to_directory, const char *to);
int __wrap_renameat(int from_directory, const char *from, int to_directory, const char *to);

int __wrap_renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    if (interruptions == 0)
        return __real_renameat(from_directory, from, to_directory, to);
    interruptions--;
    if (is_done_before)
        (void)__real_renameat(from_directory, from, to_directory, to);
    errno = EINTR;
    return -1;
}

static int open_directory(const char *name)
{
    (void)mkdirat(store.queue, name, 0700);
    return openat(store.queue, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
    if (!mkdtemp(root))
        return -1;
    store = (struct store){.queue = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    store.tmp = open_directory("tmp");
    store.new = open_directory("new");
    store.deferred = open_directory("deferred");
    (void)mkdirat(store.queue, "hold", 0700);
    (void)mkdirat(store.queue, "corrupt", 0700);
    memset(store.key_bytes, 7, sizeof(store.key_bytes));
    arena_init(&arena, 16 << 20, 0);
    return store.queue >= 0 && store.tmp >= 0 && store.new >= 0 && store.deferred >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[64];
    (void)state;
    arena_destroy(&arena);
    file_close(store.tmp);
    file_close(store.new);
    file_close(store.deferred);
    file_close(store.queue);
    (void)snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

static void make_id(char id[QUEUE_ID_MAX_BYTES + 1])
{
    const uint8_t random[QUEUE_ID_RANDOM_BYTES] = {1, 2, 3};
    (void)queue_id_make(next_time_us++, random, id);
}

static bool exists(const char *directory, const char *id)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, id);
    return faccessat(store.queue, path, F_OK, 0) == 0;
}

static void make_envelope(struct buffer *envelope, size_t recipient_count)
{
    const struct queue_envelope header = {.arrival_us = next_time_us,
                                          .reverse_path = SPAN("sender@example.org"),
                                          .facts = {.size_bytes = 14}};
    queue_envelope_encode_header(&header, envelope);
    for (size_t i = 0; i < recipient_count; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "somebody-with-a-long-name-%zu@list.example.net", i);
        const struct queue_recipient recipient = {.forward_path = span_from_string(path)};
        queue_envelope_append_recipient(&recipient, envelope);
    }
    assert_true(buffer_ok(envelope));
}

/* Content "Header\r\n\r\nBody\r\n" in one extent. Returns store_commit()'s result. */
static int commit(char id[QUEUE_ID_MAX_BYTES + 1], size_t recipient_count, uint64_t claimed_length)
{
    static const char content[] = "Subject: x\r\n\r\nBody\r\n";
    struct buffer envelope;
    struct queue_preamble preamble = {.extent_count = 0};
    const struct queue_extent extent = {.offset = QUEUE_FILE_CONTENT_OFFSET,
                                        .length =
                                            claimed_length ? claimed_length : sizeof(content) - 1};
    int delivery = -1;
    make_id(id);
    const int descriptor = store_create(&store, id);
    assert_true(descriptor >= 0);
    assert_int_equal(
        file_pwrite_all(descriptor, content, sizeof(content) - 1, QUEUE_FILE_CONTENT_OFFSET), 0);
    buffer_init(&envelope, NULL, QUEUE_ENVELOPE_MAX_BYTES);
    make_envelope(&envelope, recipient_count);
    assert_true(queue_preamble_add_extent(&preamble, &extent));
    const int result = store_commit(&store, id, descriptor, &preamble, buffer_span(&envelope),
                                    (uint32_t)recipient_count, true, &delivery);
    if (result == 0) {
        char read_back[sizeof(content)] = "";
        assert_true(delivery >= 0);
        assert_int_equal(
            file_pread_all(delivery, read_back, sizeof(content) - 1, QUEUE_FILE_CONTENT_OFFSET), 0);
        assert_string_equal(read_back, content);
        /* The agent's descriptor cannot change the message. */
        assert_int_equal(pwrite(delivery, "x", 1, 0), -1);
    }
    file_close(delivery);
    buffer_release(&envelope);
    return result;
}

static struct store_place place_of(const char *id, uint32_t bucket)
{
    struct store_place place = {.bucket = bucket};
    memcpy(place.queue_id, id, strlen(id) + 1);
    return place;
}

static enum store_load_result load(const char *id, uint32_t bucket, struct store_message *message)
{
    const struct store_place place = place_of(id, bucket);
    return store_load(&store, &place, false, true, &arena, message);
}

static void test_commit_and_load(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    struct store_message message;
    assert_int_equal(commit(id, 3, 0), 0);
    assert_false(exists("tmp", id));
    assert_int_equal(load(id, 0, &message), STORE_LOADED);
    assert_int_equal(message.decoded.recipient_count, 3);
    assert_span_is("sender", message.decoded.reverse_path, "sender@example.org");
    assert_span_is("statuses", message.statuses, "ppp");
    const struct store_place place = place_of(id, 0);
    assert_int_equal(store_remove(&store, &place), 0);
    assert_int_equal(store_remove(&store, &place), 0); /* twice is fine */
    assert_int_equal(load(id, 0, &message), STORE_GONE);
}

/* Intake lies about where its content is: nothing is accepted, nothing stays. */
static void test_commit_beyond_the_file(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    assert_int_equal(commit(id, 1, 5000), -1);
    assert_false(exists("tmp", id));
    assert_false(exists("new", id));
}

static void test_marks_and_deferral(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    struct store_message message;
    assert_int_equal(commit(id, 3, 0), 0);
    assert_int_equal(load(id, 0, &message), STORE_LOADED);
    struct store_place place = place_of(id, 0);
    const struct store_mark marks[] = {{1, QUEUE_STATUS_DELIVERED}};
    const struct queue_record record = {.kind = QUEUE_RECORD_ATTEMPT,
                                        .first_recipient = 0,
                                        .recipient_count = 1,
                                        .has_outcome = true,
                                        .outcome = outcome_temporary(450, 2, 0, "mailbox busy")};
    struct buffer journal;
    buffer_init(&journal, NULL, 4096);
    queue_journal_append(&record, &journal);
    uint64_t end = message.journal_end;
    assert_int_equal(
        store_mark(&store, &place, &message.preamble, marks, 1, buffer_span(&journal), &end), 0);
    const struct store_mark durable = {2, QUEUE_STATUS_SUCCEEDED};
    assert_int_equal(store_mark_durably(&store, &place, &message.preamble, &durable, 1), 0);
    const struct store_mark undone = {2, QUEUE_STATUS_PENDING};
    assert_int_equal(load(id, 0, &message), STORE_LOADED);
    assert_span_is("durably marked", message.statuses, "pds");
    assert_int_equal(store_mark_durably(&store, &place, &message.preamble, &undone, 1), 0);
    assert_int_equal(store_defer(&store, &place, 77), 0);
    assert_int_equal(place.bucket, 77);
    assert_int_equal(store_defer(&store, &place, 78), 0); /* from bucket to bucket */
    assert_false(exists("new", id));
    assert_int_equal(load(id, 78, &message), STORE_LOADED);
    assert_span_is("statuses", message.statuses, "pdp");
    struct span rest = message.journal;
    struct queue_record read_back;
    assert_true(queue_journal_next(&rest, &read_back));
    assert_span_is("reason", read_back.outcome.reason, "mailbox busy");
    assert_int_equal(message.journal_end, end);
    buffer_release(&journal);
}

static void test_signals_do_not_refuse_mail(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        char id[QUEUE_ID_MAX_BYTES + 1];
        struct store_message message;
        is_done_before = i == 1;
        interruptions = 3;
        assert_int_equal(commit(id, 1, 0), 0);
        assert_int_equal(interruptions, 0);
        assert_int_equal(load(id, 0, &message), STORE_LOADED);
        struct store_place place = place_of(id, 0);
        interruptions = 2; /* the bucket is not there yet, either */
        assert_int_equal(store_defer(&store, &place, 80 + (uint32_t)i), 0);
        assert_int_equal(load(id, 80 + (uint32_t)i, &message), STORE_LOADED);
        interruptions = 1;
        assert_int_equal(store_set_aside(&store, &place, "hold"), 0);
        assert_true(exists("hold", id));
    }
    interruptions = 0;
    struct store_place nowhere = place_of("4QZzZzZzZzZzzzzzzzzzzzzzzzz", 0);
    interruptions = 1;
    assert_int_equal(store_set_aside(&store, &nowhere, "hold"), -1);
    assert_int_equal(errno, ENOENT);
}

static void test_lock_shows_a_delivery(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    struct store_message message;
    assert_int_equal(commit(id, 1, 0), 0);
    const struct store_place place = place_of(id, 0);
    const int delivery = store_open_delivery(&store, &place);
    const int second = store_open_delivery(&store, &place); /* several at once are fine */
    assert_true(delivery >= 0 && second >= 0);
    assert_int_equal(load(id, 0, &message), STORE_LOCKED);
    assert_int_equal(store_load(&store, &place, true, true, &arena, &message), STORE_LOADED);
    assert_true(message.is_locked);
    file_close(delivery);
    assert_int_equal(load(id, 0, &message), STORE_LOCKED);
    file_close(second);
    assert_int_equal(load(id, 0, &message), STORE_LOADED);
    assert_false(message.is_locked);
    assert_int_equal(store_load(&store, &place, true, true, &arena, &message), STORE_LOADED);
    assert_false(message.is_locked);
}

/* What a crash before the commit leaves under a name in new/ was never acknowledged. */
static void test_uncommitted_goes(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    struct store_message message;
    make_id(id);
    const int descriptor = store_create(&store, id);
    assert_int_equal(file_pwrite_all(descriptor, "content", 7, QUEUE_FILE_CONTENT_OFFSET), 0);
    assert_int_equal(renameat(store.tmp, id, store.new, id), 0);
    file_close(descriptor);
    assert_int_equal(load(id, 0, &message), STORE_UNCOMMITTED);
    assert_false(exists("new", id));
}

static void change_byte(const char *id, uint64_t offset)
{
    uint8_t byte;
    const int descriptor = openat(store.new, id, O_RDWR | O_CLOEXEC);
    assert_int_equal(file_pread_all(descriptor, &byte, 1, offset), 0);
    byte ^= 0x40;
    assert_int_equal(file_pwrite_all(descriptor, &byte, 1, offset), 0);
    file_close(descriptor);
}

static void test_damage_is_set_aside(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_in_envelope;
        uint64_t offset;
    } rows[] = {{"magic", false, 0},
                {"middle of the preamble", false, 100},
                {"MAC", false, 500},
                {"envelope", true, 12}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char id[QUEUE_ID_MAX_BYTES + 1];
        struct store_message message;
        assert_int_equal(commit(id, 2, 0), 0);
        assert_int_equal(load(id, 0, &message), STORE_LOADED);
        change_byte(id, rows[i].offset +
                            (rows[i].is_in_envelope ? message.preamble.envelope_offset : 0));
        const enum store_load_result result = load(id, 0, &message);
        if ((result != STORE_CORRUPT && result != STORE_HELD) || exists("new", id) ||
            !(exists("corrupt", id) || exists("hold", id)))
            fail_msg("%s: result %d", rows[i].name, (int)result);
    }
}

static void test_what_is_no_file_is_set_aside(void **state)
{
    (void)state;
    char ids[4][QUEUE_ID_MAX_BYTES + 1];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++)
        make_id(ids[i]);
    assert_int_equal(mkfifoat(store.new, ids[0], 0600), 0);
    assert_int_equal(mkdirat(store.new, ids[1], 0700), 0);
    assert_int_equal(symlinkat("/etc/passwd", store.new, ids[2]), 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/new/%s", root, ids[3]);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        const struct store_place place = place_of(ids[i], 0);
        struct store_message message;
        assert_int_equal(store_load(&store, &place, true, false, &arena, &message), STORE_CORRUPT);
        assert_int_equal(load(ids[i], 0, &message), STORE_CORRUPT);
        assert_int_equal(load(ids[i], 0, &message), STORE_GONE);
    }
    file_close(listener);
}

/* Nor does one that lies where nobody looks keep those waiting who would alter it. */
static void test_what_is_no_file_is_altered_at_once(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    make_id(id);
    struct store_place place = place_of(id, 0);
    place.is_held = true;
    char path[QUEUE_ID_MAX_BYTES + 8];
    (void)snprintf(path, sizeof(path), "hold/%s", id);
    assert_int_equal(mkfifoat(store.queue, path, 0600), 0);
    assert_int_not_equal(store_alter(&store, STORE_ALTER_EXPIRE, 0, &place), STORE_ALTERED);
    assert_int_equal(store_alter(&store, STORE_ALTER_DELETE, 0, &place), STORE_ALTERED);
}

/* libcrypto's memory, of which so many pieces are left; negative: any number. */
static int pieces_left = -1;

static bool take_piece(void)
{
    if (pieces_left > 0)
        pieces_left--;
    return pieces_left != 0;
}

static void *crypto_malloc(size_t size, const char *file UNUSED, int line UNUSED)
{
    return take_piece() ? malloc(size) : NULL;
}

static void *crypto_realloc(void *old, size_t size, const char *file UNUSED, int line UNUSED)
{
    return take_piece() ? realloc(old, size) : NULL;
}

static void crypto_free(void *old, const char *file UNUSED, int line UNUSED)
{
    free(old);
}

/* What there is no memory for is neither damaged nor foreign: it stays where it is. */
static void test_memory_runs_out(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    struct store_message message;
    struct arena small;
    size_t cap = 0;
    enum store_load_result result;
    assert_int_equal(commit(id, 100, 0), 0);
    const struct store_place place = place_of(id, 0);
    do {
        arena_init(&small, cap, 0);
        result = store_load(&store, &place, false, true, &small, &message);
        arena_destroy(&small);
        if (result != STORE_LOADED && (result != STORE_FAILED || message.error != ENOMEM))
            fail_msg("%zu bytes: result %d, error %d", cap, (int)result, message.error);
        cap += 512;
    } while (result != STORE_LOADED);
    assert_true(cap > 512);
    for (int count = 1; count < 10; count++) {
        arena_reset(&arena);
        pieces_left = count;
        result = load(id, 0, &message);
        pieces_left = -1;
        if (result != STORE_LOADED && result != STORE_FAILED)
            fail_msg("%d pieces for libcrypto: result %d", count - 1, (int)result);
    }
    assert_true(exists("new", id));
}

static void test_another_name_is_no_message(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1], other[QUEUE_ID_MAX_BYTES + 1];
    struct store_message message;
    assert_int_equal(commit(id, 1, 0), 0);
    make_id(other);
    assert_int_equal(renameat(store.new, id, store.new, other), 0);
    assert_int_equal(load(other, 0, &message), STORE_CORRUPT);
    assert_true(exists("corrupt", other));
}

static void test_another_key_is_held(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    struct store_message message;
    assert_int_equal(commit(id, 1, 0), 0);
    /* Bytes 1 to 8 of what names the key: found by trying, the layout is the format's affair. */
    assert_int_equal(load(id, 0, &message), STORE_LOADED);
    uint8_t sector[QUEUE_FILE_PREAMBLE_BYTES];
    const int descriptor = openat(store.new, id, O_RDWR | O_CLOEXEC);
    assert_int_equal(file_pread_all(descriptor, sector, sizeof(sector), 0), 0);
    const size_t at = span_find(span_of(sector, sizeof(sector)),
                                span_of(message.preamble.key_id, QUEUE_KEY_ID_BYTES));
    assert_true(at < sizeof(sector));
    file_close(descriptor);
    change_byte(id, at);
    assert_int_equal(load(id, 0, &message), STORE_HELD);
    assert_true(exists("hold", id));
}

static void test_walk(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1];
    size_t seen = 0, deferred = 0;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(commit(id, 1, 0), 0);
        struct store_place place = place_of(id, 0);
        if (i % 2)
            assert_int_equal(store_defer(&store, &place, 100 + (uint32_t)i % 5), 0);
    }
    struct walk *walk = walk_create(&store);
    assert_non_null(walk);
    while (!walk_is_at_end(walk)) {
        size_t count;
        walk_read_page(walk);
        const struct walk_message *page = walk_page(walk, &count);
        assert_true(count <= WALK_PAGE_MESSAGES);
        for (size_t i = 0; i < count; i++)
            deferred += page[i].place.bucket != 0;
        seen += count;
    }
    walk_destroy(&walk);
    assert_int_equal(seen, 100);
    assert_int_equal(deferred, 50);
}

/* As many recipients as are taken, and about each a reason. */
static void test_walk_finds_the_largest(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1], reason[QUEUE_RECORD_TEXT_MAX_BYTES];
    struct store_message message;
    struct buffer journal;
    struct arena large;
    size_t count;
    assert_int_equal(commit(id, 500000, 0), 0);
    arena_init(&large, 256 << 20, 0);
    buffer_init(&journal, NULL, STORE_JOURNAL_MAX_BYTES);
    memset(reason, 'x', sizeof(reason));
    const struct queue_record record = {.kind = QUEUE_RECORD_ATTEMPT,
                                        .recipient_count = 1,
                                        .has_outcome = true,
                                        .outcome = outcome_temporary(451, 3, 0, "later"),
                                        .text = span_of(reason, sizeof(reason))};
    while (journal.length < STORE_REASONS_MAX_BYTES)
        queue_journal_append(&record, &journal);
    assert_true(buffer_ok(&journal));
    const struct store_place place = place_of(id, 0);
    assert_int_equal(store_load(&store, &place, true, false, &large, &message), STORE_LOADED);
    assert_int_equal(store_mark(&store, &place, &message.preamble, NULL, 0, buffer_span(&journal),
                                &message.journal_end),
                     0);
    struct walk *walk = walk_create(&store);
    assert_non_null(walk);
    walk_read_page(walk);
    (void)walk_page(walk, &count);
    assert_int_equal(count, 1);
    walk_destroy(&walk);
    buffer_release(&journal);
    arena_destroy(&large);
}

/* Cut anywhere behind the envelope, a file is damaged for good, not for now. */
static void test_a_cut_file_is_set_aside(void **state)
{
    char id[QUEUE_ID_MAX_BYTES + 1];
    struct store_message message;
    (void)state;
    for (size_t kept_statuses = 0; kept_statuses < 3; kept_statuses++) {
        char path[256];
        assert_int_equal(commit(id, 3, 0), 0);
        assert_int_equal(load(id, 0, &message), STORE_LOADED);
        const off_t length = (off_t)(message.preamble.state_offset + kept_statuses);
        (void)snprintf(path, sizeof(path), "%s/new/%s", root, id);
        assert_int_equal(truncate(path, length), 0);
        assert_int_equal(load(id, 0, &message), STORE_CORRUPT);
        assert_true(exists("corrupt", id));
    }
}

static void test_find(void **state)
{
    char id[QUEUE_ID_MAX_BYTES + 1], other[QUEUE_ID_MAX_BYTES + 1];
    (void)state;
    assert_int_equal(commit(id, 1, 0), 0);
    assert_int_equal(commit(other, 1, 0), 0);
    struct store_place place = place_of(id, 0);
    struct store_place other_place = place_of(other, 0);
    assert_false(store_is_gone(&store, &place));
    assert_int_equal(store_defer(&store, &other_place, 7), 0);
    assert_int_equal(store_defer(&store, &place, 9), 0);

    struct store_place found = place_of(id, 0);
    assert_true(store_is_gone(&store, &found));
    assert_int_equal(store_find(&store, &found), 1);
    assert_int_equal(found.bucket, 9);
    found = place_of(other, 3);
    assert_int_equal(store_find(&store, &found), 1);
    assert_int_equal(found.bucket, 7);
    assert_int_equal(store_remove(&store, &found), 0);
    assert_int_equal(store_find(&store, &found), 0);
}

/* Whoever asks removes what the queue is said to have: where nobody can look, it is not said. */
static void test_what_cannot_be_found_is_not_there_nor_gone(void **state)
{
    (void)state;
    char id[QUEUE_ID_MAX_BYTES + 1], missing[QUEUE_ID_MAX_BYTES + 1];
    struct rlimit before;
    assert_int_equal(commit(id, 1, 0), 0);
    make_id(missing);
    struct store_place place = place_of(id, 0), nowhere = place_of(missing, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int found = store_find(&store, &place), found_nowhere = store_find(&store, &nowhere);
    const int anywhere = store_find_anywhere(&store, &nowhere);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(found, 1);
    assert_int_equal(found_nowhere, -1);
    assert_int_equal(anywhere, -1);

    struct store broken = store;
    broken.new = -1;
    assert_int_equal(store_look(&broken, &place), -1);
    assert_int_equal(store_find(&broken, &place), -1);
    assert_false(store_is_gone(&broken, &place));
    assert_int_equal(store_alter(&broken, STORE_ALTER_HOLD, 1, &place), STORE_ALTER_FAILED);
    place = place_of(id, 0);
    assert_int_equal(store_look(&store, &place), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commit_and_load, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_commit_beyond_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_marks_and_deferral, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signals_do_not_refuse_mail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_shows_a_delivery, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_uncommitted_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_is_altered_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_runs_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_name_is_no_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_key_is_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_walk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_walk_finds_the_largest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cut_file_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_found_is_not_there_nor_gone, set_up,
                                        tear_down),
    };
    /* Before libcrypto has taken any. */
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
