/* tests/local/agents - local and virtual as they run, with the test in the place of master, logd
 * and qmgr. As root the test has a passwd file of its own, in its own mount namespace. */
#include "../daemon.h"
#include "../test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/local.h"
#include "conf/virtual.h"
#include "queuefile/digest.h"
#include "queuefile/envelope.h"
#include "queuefile/id.h"
#include "queuefile/preamble.h"
#include "system/file.h"

enum { OWNER_UID = 57901, OTHER_UID = 57902, USER_UID = 57905, WAIT_MS = 20000, MESSAGES_MAX = 64 };

#define TEST_USER "phtest"
#define CONTENT "Subject: hello\r\n\r\nbody\r\n"

struct result {
    uint32_t index;
    struct outcome outcome;
    char reason[256];
    uint64_t delivery;
    bool is_corrupt;
};

struct fixture {
    char base[64];
    char home[96];
    struct loop *loop;
    struct daemon daemon;
    struct ipc_channel *qmgr;
    struct result results[MESSAGES_MAX * 4];
    size_t result_count;
    size_t wanted_count;
    size_t last_count; /* results that were the last of their delivery */
    uint64_t next_delivery;
    bool acknowledges;
    bool is_corrupt; /* of messages made from now on */
};

/* Of TEST_USER, in the passwd file of the test's own. */
static char test_home[64];

static bool is_root(void)
{
    return geteuid() == 0;
}

/* ---- qmgr's side ---- */

static void on_results(struct fixture *fixture, const struct ipc_deliver_result *message)
{
    struct ipc_recipient_result one;
    struct span rest = message->results;
    fixture->last_count += message->is_last;
    while (rest.length > 0) {
        assert_int_equal(ipc_records_next(&rest, IPC_RECIPIENT_RESULT, &one), PARSE_OK);
        assert_true(fixture->result_count < ARRAY_LENGTH(fixture->results));
        struct result *result = &fixture->results[fixture->result_count++];
        *result = (struct result){.index = one.index,
                                  .outcome = one.outcome,
                                  .delivery = message->delivery,
                                  .is_corrupt = message->is_corrupt};
        (void)snprintf(result->reason, sizeof(result->reason), "%.*s",
                       SPAN_PRINTF(one.outcome.reason));
    }
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct fixture *fixture = context;
    if (delivery->type != IPC_DELIVER_RESULT)
        return;
    const struct ipc_deliver_result *message = delivery->message;
    on_results(fixture, message);
    const struct ipc_deliver_acknowledge acknowledge = {
        .queue_id = message->queue_id, .delivery = message->delivery, .serial = message->serial};
    if (fixture->acknowledges)
        (void)ipc_channel_send(channel, IPC_DELIVER_ACKNOWLEDGE, &acknowledge);
    if (fixture->result_count >= fixture->wanted_count)
        loop_stop(fixture->loop);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct fixture *fixture = context;
    (void)channel;
    (void)fprintf(stderr, "agent closed its channel: %s\n", reason);
    ipc_channel_destroy(&fixture->qmgr);
    loop_stop(fixture->loop);
}

static const struct ipc_permission permissions[] = {
    {IPC_DELIVER_RESULT, UINT32_MAX}, {IPC_DELIVER_CAPACITY, UINT32_MAX}, {0, 0}};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

static void connect_qmgr(struct fixture *fixture)
{
    ipc_channel_destroy(&fixture->qmgr);
    const int end = daemon_give_peer(&fixture->daemon, IPC_ROLE_QMGR, "qmgr", true);
    assert_true(end >= 0);
    fixture->qmgr =
        ipc_channel_create(fixture->loop, end, fixture->daemon.role, &handlers, fixture);
    assert_non_null(fixture->qmgr);
}

static void on_timeout(void *loop)
{
    loop_stop(loop);
}

static void wait_for_results(struct fixture *fixture, size_t count)
{
    struct loop_timer timer;
    fixture->wanted_count = count;
    loop_timer_init(&timer, fixture->loop, on_timeout, fixture->loop);
    loop_timer_set(&timer, clock_deadline_after(WAIT_MS));
    while (fixture->result_count < count && timer.deadline_ms != CLOCK_NEVER && fixture->qmgr)
        loop_run(fixture->loop);
    loop_timer_release(&timer);
    if (fixture->result_count < count) {
        const struct span log = buffer_span(&fixture->daemon.log);
        fail_msg("%zu results instead of %zu; log: %.*s", fixture->result_count, count,
                 SPAN_PRINTF(log));
    }
}

static void run_for(struct fixture *fixture, int64_t timeout_ms)
{
    struct loop_timer timer;
    loop_timer_init(&timer, fixture->loop, on_timeout, fixture->loop);
    loop_timer_set(&timer, clock_deadline_after(timeout_ms));
    loop_run(fixture->loop);
    loop_timer_release(&timer);
}

/* A queue file with CONTENT, opened for the agent. */
static int make_queue_file(const struct fixture *fixture, struct buffer *extents)
{
    char path[] = "/tmp/posthouse-queue-XXXXXX";
    struct queue_extent extent = {QUEUE_FILE_CONTENT_OFFSET, sizeof(CONTENT) - 1, {0}};
    struct digest digest;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(file_pwrite_all(fd, CONTENT, sizeof(CONTENT) - 1, QUEUE_FILE_CONTENT_OFFSET),
                     0);
    assert_true(digest_init(&digest));
    digest_start(&digest);
    digest_update(&digest, SPAN(CONTENT));
    assert_true(digest_finish(&digest, extent.digest));
    digest_destroy(&digest);
    if (fixture->is_corrupt)
        extent.digest[0] ^= 1;
    queue_extents_encode(&extent, 1, extents);
    const int reading = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    return reading;
}

struct wanted {
    const char *recipient;
    const char *mailbox;
};

static uint64_t send_message(struct fixture *fixture, const struct wanted *wanted, size_t count,
                             bool is_maybe_repeated)
{
    struct buffer extents, envelope, recipients;
    char id[QUEUE_ID_MAX_BYTES + 1];
    const uint64_t number = ++fixture->next_delivery;
    const uint8_t random[QUEUE_ID_RANDOM_BYTES] = {(uint8_t)number};
    const size_t id_length = queue_id_make(UINT64_C(1795313634000000), random, id);
    buffer_init(&extents, NULL, 1024);
    buffer_init(&envelope, NULL, 4096);
    buffer_init(&recipients, NULL, 32768);
    const struct queue_envelope header = {.arrival_us = clock_realtime_us() - 2000000,
                                          .reverse_path = SPAN("sender@example.net"),
                                          .client_name = SPAN("localhost"),
                                          .client_address = SPAN("127.0.0.1"),
                                          .helo = SPAN("localhost"),
                                          .protocol = SPAN("ESMTP")};
    queue_envelope_encode_header(&header, &envelope);
    for (size_t i = 0; i < count; i++) {
        const struct ipc_deliver_recipient recipient = {
            .index = (uint32_t)i,
            .recipient = span_from_string(wanted[i].recipient),
            .mailbox = wanted[i].mailbox ? span_from_string(wanted[i].mailbox) : span_empty()};
        ipc_records_append(IPC_DELIVER_RECIPIENT, &recipient, &recipients);
    }
    const struct ipc_deliver deliver = {.queue_id = span_of(id, id_length),
                                        .content = make_queue_file(fixture, &extents),
                                        .extents = buffer_span(&extents),
                                        .envelope = buffer_span(&envelope),
                                        .transport = SPAN("test"),
                                        .nexthop = SPAN("example.org"),
                                        .recipients = buffer_span(&recipients),
                                        .active_us = clock_realtime_us() - 1000000,
                                        .is_maybe_repeated = is_maybe_repeated,
                                        .delivery = number};
    assert_true(buffer_ok(&extents) && buffer_ok(&envelope) && buffer_ok(&recipients));
    assert_true(ipc_channel_send(fixture->qmgr, IPC_DELIVER, &deliver));
    buffer_release(&extents);
    buffer_release(&envelope);
    buffer_release(&recipients);
    return number;
}

static uint64_t send_one(struct fixture *fixture, const char *recipient, const char *mailbox)
{
    const struct wanted wanted = {recipient, mailbox};
    return send_message(fixture, &wanted, 1, false);
}

static void expect(const struct result *result, enum outcome_kind kind, unsigned subject,
                   unsigned detail, const char *reason)
{
    if (result->outcome.kind != kind || result->outcome.status.subject != subject ||
        result->outcome.status.detail != detail || !strstr(result->reason, reason))
        fail_msg("%u.%u.%u %s", result->outcome.status.class, result->outcome.status.subject,
                 result->outcome.status.detail, result->reason);
}

/* ---- mailboxes ---- */

static size_t count_messages(const char *base, const char *mailbox, uid_t owner)
{
    char path[512];
    size_t count = 0;
    (void)snprintf(path, sizeof(path), "%s/%s/new", base, mailbox);
    DIR *directory = opendir(path);
    if (!directory)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory));) {
        struct stat status;
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(fstatat(dirfd(directory), entry->d_name, &status, 0), 0);
        assert_int_equal(status.st_uid, owner);
        assert_int_equal(status.st_mode & 07777, 0600);
        count++;
    }
    (void)closedir(directory);
    return count;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    (void)snprintf(fixture->base, sizeof(fixture->base), "/tmp/posthouse-agents-XXXXXX");
    if (!mkdtemp(fixture->base) || chmod(fixture->base, 0755) != 0)
        return -1;
    if (is_root()) {
        (void)snprintf(fixture->home, sizeof(fixture->home), "%s", test_home);
        if (mkdir(fixture->home, 0700) != 0 || chown(fixture->home, USER_UID, USER_UID) != 0)
            return -1;
    }
    fixture->loop = loop_create();
    fixture->acknowledges = true;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[256];
    ipc_channel_destroy(&fixture->qmgr);
    loop_destroy(&fixture->loop);
    (void)snprintf(command, sizeof(command), "rm -rf '%s' %s", fixture->base, fixture->home);
    const int result = system(command);
    free(fixture);
    return result;
}

static void start(struct fixture *fixture, const char *program, enum ipc_role role,
                  const struct conf_part *part, const char *settings)
{
    assert_true(daemon_start(&fixture->daemon, fixture->loop, program, role, part, settings));
    connect_qmgr(fixture);
}

static void start_virtual(struct fixture *fixture, const char *uid_maps, const char *gid_maps)
{
    char settings[1024];
    (void)snprintf(settings, sizeof(settings),
                   "virtual_mailbox_base = %s\nvirtual_uid_maps = %s\nvirtual_gid_maps = %s\n"
                   "myhostname = mail.example.org\nvirtual_mailbox_limit = 100\n",
                   fixture->base, uid_maps, gid_maps);
    start(fixture, "local/virtual", IPC_ROLE_VIRTUAL, &conf_part_virtual, settings);
}

static void start_static(struct fixture *fixture, uid_t *owner)
{
    char maps[64];
    *owner = is_root() ? OWNER_UID : geteuid();
    if (is_root())
        assert_int_equal(chown(fixture->base, OWNER_UID, OWNER_UID), 0);
    (void)snprintf(maps, sizeof(maps), "static:%lu", (unsigned long)*owner);
    start_virtual(fixture, maps, maps);
}

/* ---- virtual ---- */

static void test_virtual_with_one_owner(void **state)
{
    struct fixture *fixture = *state;
    uid_t owner;
    start_static(fixture, &owner);
    for (size_t i = 0; i < MESSAGES_MAX; i++)
        (void)send_one(fixture, "user@example.org", "example.org/user/");
    wait_for_results(fixture, MESSAGES_MAX);
    assert_int_equal(fixture->last_count, MESSAGES_MAX);
    for (size_t i = 0; i < MESSAGES_MAX; i++)
        expect(&fixture->results[i], OUTCOME_OK, 0, 0, "delivered to maildir");
    assert_int_equal(count_messages(fixture->base, "example.org/user", owner), MESSAGES_MAX);
    run_for(fixture, 100); /* lines travel in batches */
    assert_true(daemon_has_logged(&fixture->daemon, ": to=<user@example.org>, relay=test, delay="));
    assert_true(
        daemon_has_logged(&fixture->daemon, ", dsn=2.0.0, status=sent (delivered to maildir)"));
    assert_true(daemon_stop(&fixture->daemon));
}

static void test_virtual_refuses_bad_paths_and_sizes(void **state)
{
    struct fixture *fixture = *state;
    uid_t owner;
    const struct wanted wanted[] = {{"a@example.org", "../outside"},
                                    {"b@example.org", ""},
                                    {"c@example.org", "fine/"},
                                    {"d@example.org", "/also/fine/"}};
    start_static(fixture, &owner);
    (void)send_message(fixture, wanted, ARRAY_LENGTH(wanted), false);
    wait_for_results(fixture, ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        const struct result *result = &fixture->results[i];
        if (result->index == 1)
            expect(result, OUTCOME_PERMANENT, 1, 1, "unknown user: \"b@example.org\"");
        else if (result->index == 0)
            expect(result, OUTCOME_TEMPORARY, 2, 0, "no usable path");
        else
            expect(result, OUTCOME_OK, 0, 0, "delivered");
    }
    fixture->is_corrupt = true;
    (void)send_one(fixture, "user@example.org", "user/");
    wait_for_results(fixture, ARRAY_LENGTH(wanted) + 1);
    assert_true(fixture->results[ARRAY_LENGTH(wanted)].is_corrupt);
    expect(&fixture->results[ARRAY_LENGTH(wanted)], OUTCOME_TEMPORARY, 3, 0, "checksum");
    assert_true(daemon_stop(&fixture->daemon));
}

static void test_results_are_repeated_to_a_new_qmgr(void **state)
{
    struct fixture *fixture = *state;
    uid_t owner;
    start_static(fixture, &owner);
    fixture->acknowledges = false;
    const uint64_t delivery = send_one(fixture, "user@example.org", "user/");
    wait_for_results(fixture, 1);
    connect_qmgr(fixture);
    fixture->acknowledges = true;
    wait_for_results(fixture, 2);
    assert_int_equal(fixture->results[1].delivery, delivery);
    expect(&fixture->results[1], OUTCOME_OK, 0, 0, "delivered");
    run_for(fixture, 50);
    connect_qmgr(fixture); /* acknowledged now: nothing more to say */
    run_for(fixture, 200);
    assert_int_equal(fixture->result_count, 2);
    assert_int_equal(count_messages(fixture->base, "user", owner), 1);
    assert_true(daemon_stop(&fixture->daemon));
}

static void test_virtual_with_owners_from_a_table(void **state)
{
    struct fixture *fixture = *state;
    char maps[256];
    const uid_t self = is_root() ? OWNER_UID : geteuid();
    (void)snprintf(maps, sizeof(maps),
                   "inline:{a@example.org=%lu, b@example.org=%lu, root@example.org=0, "
                   "low@example.org=99, nan@example.org=x, foreign@example.org=%lu}",
                   (unsigned long)self, (unsigned long)(is_root() ? OTHER_UID : self),
                   (unsigned long)self);
    static const char *const owned[] = {"a", "b", "foreign"};
    for (size_t i = 0; i < ARRAY_LENGTH(owned); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", fixture->base, owned[i]);
        assert_int_equal(mkdir(path, i == 2 ? 0777 : 0700), 0);
        if (is_root())
            assert_int_equal(chown(path, i == 0 ? OWNER_UID : OTHER_UID, OWNER_UID), 0);
        if (i == 2)
            assert_int_equal(chmod(path, 0777), 0);
    }
    start_virtual(fixture, maps, maps);
    static const struct wanted wanted[] = {
        {"a@example.org", "a/"},     {"b@example.org", "b/"},
        {"root@example.org", "a/"},  {"low@example.org", "a/"},
        {"nan@example.org", "a/"},   {"absent@example.org", "a/"},
        {"a+ext@example.org", "a/"}, {"foreign@example.org", "foreign/"},
    };
    (void)send_message(fixture, wanted, ARRAY_LENGTH(wanted), false);
    wait_for_results(fixture, ARRAY_LENGTH(wanted));
    assert_int_equal(fixture->last_count, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        const struct result *result = &fixture->results[i];
        switch (result->index) {
        case 2:
        case 3:
            expect(result, OUTCOME_TEMPORARY, 3, 5, "is not permitted");
            break;
        case 4:
            expect(result, OUTCOME_TEMPORARY, 3, 5, "no number");
            break;
        case 5:
        case 6: /* recipient_delimiter is empty */
            expect(result, OUTCOME_TEMPORARY, 3, 5, "has no uid");
            break;
        case 7:
            if (is_root())
                expect(result, OUTCOME_TEMPORARY, 2, 0, "another owner");
            break;
        default:
            expect(result, OUTCOME_OK, 0, 0, "delivered");
        }
    }
    assert_int_equal(count_messages(fixture->base, "a", self), 1);
    assert_int_equal(count_messages(fixture->base, "b", is_root() ? OTHER_UID : self), 1);
    assert_true(daemon_stop(&fixture->daemon));
}

static void test_virtual_that_is_not_configured(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, "local/virtual", IPC_ROLE_VIRTUAL, &conf_part_virtual, "soft_bounce = yes\n");
    (void)send_one(fixture, "user@example.org", "user/");
    wait_for_results(fixture, 1);
    expect(&fixture->results[0], OUTCOME_TEMPORARY, 3, 5, "virtual_mailbox_base is not set");
    assert_true(daemon_stop(&fixture->daemon));
}

/* ---- local ---- */

static const char *own_user(void)
{
    const struct passwd *entry = is_root() ? NULL : getpwuid(geteuid());
    return is_root() ? TEST_USER : entry ? entry->pw_name : NULL;
}

static void start_local(struct fixture *fixture, char mailbox[64], const char **home)
{
    char settings[512];
    const struct passwd *entry = getpwnam(own_user());
    assert_non_null(entry);
    *home = entry->pw_dir;
    (void)snprintf(mailbox, 64, ".posthouse-test-%ld", (long)getpid());
    (void)snprintf(settings, sizeof(settings),
                   "home_mailbox = %s/\nrecipient_delimiter = +\nmyhostname = mail.example.org\n"
                   "alias_maps =\n",
                   mailbox);
    start(fixture, "local/local", IPC_ROLE_LOCAL, &conf_part_local, settings);
}

static void remove_mailbox(const char *home, const char *mailbox)
{
    char command[512];
    (void)snprintf(command, sizeof(command), "rm -rf '%s/%s'", home, mailbox);
    assert_int_equal(system(command), 0);
}

static void test_local_users(void **state)
{
    struct fixture *fixture = *state;
    char mailbox[64], plain[128], upper[128], extended[128];
    const char *home = NULL, *user = own_user();
    if (!user || access(getpwnam(user)->pw_dir, W_OK) != 0)
        skip(); /* no home directory to deliver to */
    const uid_t owner = is_root() ? USER_UID : geteuid();
    start_local(fixture, mailbox, &home);
    (void)snprintf(plain, sizeof(plain), "%s@example.org", user);
    (void)snprintf(upper, sizeof(upper), "%s@example.org", user);
    upper[0] = (char)(upper[0] & 0x5f);
    (void)snprintf(extended, sizeof(extended), "%s+list@example.org", user);
    const struct wanted wanted[] = {{plain, NULL},
                                    {upper, NULL},
                                    {extended, NULL},
                                    {"no-such-user@example.org", NULL},
                                    {"root@example.org", NULL},
                                    {"daemon@example.org", NULL}};
    (void)send_message(fixture, wanted, ARRAY_LENGTH(wanted), false);
    wait_for_results(fixture, ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        const struct result *result = &fixture->results[i];
        switch (result->index) {
        case 3:
            expect(result, OUTCOME_PERMANENT, 1, 1, "unknown user: \"no-such-user\"");
            break;
        case 4:
            expect(result, OUTCOME_TEMPORARY, 2, 0, "root");
            break;
        case 5:
            expect(result, OUTCOME_TEMPORARY, 2, 0, "");
            break;
        default:
            expect(result, OUTCOME_OK, 0, 0, "delivered to maildir");
        }
    }
    assert_int_equal(count_messages(home, mailbox, owner), 3);
    run_for(fixture, 100);
    assert_true(daemon_has_logged(&fixture->daemon, "dsn=5.1.1, status=bounced (unknown user: "
                                                    "\"no-such-user\")"));
    assert_true(daemon_stop(&fixture->daemon));
    remove_mailbox(home, mailbox);
}

/* The children of a process, and theirs, that have no children: the workers. */
static size_t find_descendants(pid_t ancestor, pid_t *found, size_t capacity)
{
    char path[64], text[512];
    size_t count = 0;
    (void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", (long)ancestor,
                   (long)ancestor);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fgets(text, sizeof(text), file))
        for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest)) && count < capacity;)
            found[count++] = (pid_t)strtol(word, NULL, 10);
    (void)fclose(file);
    return count;
}

static void test_a_worker_that_dies_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    char mailbox[64], plain[128];
    const char *home = NULL, *user = own_user();
    pid_t root_part, workers[8];
    if (!user || access(getpwnam(user)->pw_dir, W_OK) != 0)
        skip(); /* no home directory to deliver to */
    start_local(fixture, mailbox, &home);
    (void)snprintf(plain, sizeof(plain), "%s@example.org", user);
    for (size_t round = 1; round <= 3; round++) {
        (void)send_one(fixture, plain, NULL);
        wait_for_results(fixture, round);
        expect(&fixture->results[round - 1], OUTCOME_OK, 0, 0, "delivered to maildir");
        if (find_descendants(fixture->daemon.process, &root_part, 1) != 1 ||
            find_descendants(root_part, workers, ARRAY_LENGTH(workers)) != 1)
            fail_msg("not one root part with one worker");
        assert_int_equal(kill(workers[0], SIGKILL), 0);
    }
    /* Without the root part nothing can be delivered: local leaves, and master starts it again. */
    assert_int_equal(kill(root_part, SIGKILL), 0);
    for (int i = 0; i < 100 && !fixture->daemon.has_gone; i++)
        run_for(fixture, 50);
    assert_true(fixture->daemon.has_gone);
    assert_false(daemon_stop(&fixture->daemon));
    remove_mailbox(home, mailbox);
}

/* ---- as root, a passwd file of our own ---- */

static int use_own_passwd(void **state)
{
    (void)state;
    struct arena arena;
    struct span passwd;
    char line[160];
    (void)snprintf(test_home, sizeof(test_home), "/tmp/posthouse-home-%ld", (long)getpid());
    const int length = snprintf(line, sizeof(line), "%s:x:%d:%d::%s:/bin/sh\n", TEST_USER, USER_UID,
                                USER_UID, test_home);
    if (!is_root())
        return 0;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return -1;
    arena_init(&arena, 1 << 20, 0);
    char path[] = "/tmp/posthouse-passwd-XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0 || file_read_whole(AT_FDCWD, "/etc/passwd", 1 << 19, &arena, &passwd) != 0 ||
        file_pwrite_all(fd, passwd.bytes, passwd.length, 0) != 0 ||
        file_pwrite_all(fd, line, (size_t)length, passwd.length) != 0 || fchmod(fd, 0644) != 0 ||
        mount(path, "/etc/passwd", NULL, MS_BIND, NULL) != 0)
        return -1;
    arena_destroy(&arena);
    (void)close(fd);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_virtual_with_one_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_virtual_refuses_bad_paths_and_sizes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_results_are_repeated_to_a_new_qmgr, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_virtual_with_owners_from_a_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_virtual_that_is_not_configured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_local_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_worker_that_dies_is_replaced, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, use_own_passwd, NULL);
}
