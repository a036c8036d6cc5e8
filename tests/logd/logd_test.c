/* tests/logd/logd - the daemon itself, in its sandbox: lines in, a file out. */
#include "../test.h"

#include <fcntl.h>
#include <unistd.h>

#include "../daemon.h"
#include "conf/logd.h"
#include "maillog/client.h"
#include "maillog/queue.h"

static char log_path[128];

static struct span read_log(char *text, size_t size)
{
    const int descriptor = open(log_path, O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    const ssize_t length = pread(descriptor, text, size, 0);
    (void)close(descriptor);
    assert_true(length >= 0);
    return span_of(text, (size_t)length);
}

static bool log_has(const char *text)
{
    static char all[65536];
    const struct span log = read_log(all, sizeof(all));
    return span_find(log, span_from_string(text)) < log.length;
}

/* Between the two stands the number of the process that sends, as the daemon was told: ours. */
static bool log_has_ours(const char *before, const char *after)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "%s%ld%s", before, (long)getpid(), after);
    return log_has(text);
}

static void start_logd(struct daemon *daemon)
{
    char settings[512];
    (void)snprintf(settings, sizeof(settings), "maillog_file = %s\nmaillog_file_prefixes = /tmp\n",
                   log_path);
    (void)unlink(log_path);
    if (!daemon_start(daemon, loop_create(), "logd/logd", IPC_ROLE_LOGD, &conf_part_logd, settings))
        fail_msg("logd: %s", daemon->failure);
}

static void test_lines_arrive(void **state)
{
    (void)state;
    struct daemon daemon;
    struct maillog log;
    struct maillog_client client;
    start_logd(&daemon);
    maillog_client_init(&client, daemon.loop, &log, SPAN("postfix/submission/smtpd"));
    maillog_removed(&log, SPAN("EARLY")); /* before there is a channel */
    maillog_client_attach(&client, daemon_give_peer(&daemon, IPC_ROLE_SMTPD, "smtp", true));
    maillog_removed(&log, SPAN("LATER"));
    maillog_client_flush(&client);
    ipc_channel_destroy(&client.channel);
    assert_true(daemon_drain(&daemon));
    loop_destroy(&daemon.loop);
    assert_true(log_has_ours(" postfix/submission/smtpd[", "]: EARLY: removed\n"));
    assert_true(log_has_ours(" postfix/submission/smtpd[", "]: LATER: removed\n"));
    buffer_release(&log.batch);
}

/* A tag of another program is not believed, and records that are none close the channel. */
static void test_hostile_sender(void **state)
{
    (void)state;
    static const struct ipc_channel_handlers handlers = {NULL, NULL, NULL};
    struct daemon daemon;
    start_logd(&daemon);
    struct ipc_channel *channel =
        ipc_channel_create(daemon.loop, daemon_give_peer(&daemon, IPC_ROLE_SMTPD, "smtp", true),
                           IPC_ROLE_LOGD, &handlers, NULL);
    const struct ipc_log_open open_message = {.tag = SPAN("posthouse/qmgr")};
    const struct ipc_log_open forged = {.tag = SPAN("posthouse/qmgr[1]: FORGED: removed")};
    const struct ipc_log_lines lines[] = {
        {.lines = SPAN("\x01\0\0\0\0\0\0\0\0\0\x04true"), .dropped_count = 3},
        {.lines = SPAN("\x01\0\0\0\0\0\0\0\0\0\x04\nbad")},
        {.lines = SPAN("\x01\0\0\0\0\0\0\0\0\0\x04late")},
    };
    assert_true(ipc_channel_send(channel, IPC_LOG_OPEN, &forged));
    assert_true(ipc_channel_send(channel, IPC_LOG_LINES, &lines[0]));
    assert_true(ipc_channel_send(channel, IPC_LOG_OPEN, &open_message));
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        assert_true(ipc_channel_send(channel, IPC_LOG_LINES, &lines[i]));
    ipc_channel_flush(channel);
    assert_true(daemon_drain(&daemon));
    ipc_channel_destroy(&channel);
    loop_destroy(&daemon.loop);
    assert_true(log_has_ours(" posthouse/qmgr/smtpd[", "]: true\n"));
    assert_true(log_has_ours(" posthouse/qmgr_1___FORGED__removed/smtpd[", "]: true\n"));
    assert_true(log_has_ours(" posthouse/qmgr/smtpd[", "]: warning: log.dropped: lines=3\n"));
    assert_true(log_has("/logd["));
    assert_true(log_has_ours("]: error: log.malformed: sender=posthouse/qmgr/smtpd pid=", " "));
    assert_false(log_has("bad"));
    assert_false(log_has("late"));
}

static void test_wrong_settings(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *failure;
    } rows[] = {
        {"maillog_file = /tmp/x\n", "maillog_file = /tmp/x is not below any of "},
        {"maillog_file = /tmp/../etc/x\nmaillog_file_prefixes = /tmp\n", "is not below any of "},
        {"maillog_file = /tmp/no-such-directory/x\nmaillog_file_prefixes = /tmp\n",
         "cannot open maillog_file = /tmp/no-such-directory/x: No such file or directory"},
        {"maillog_file = /tmp/x\nmaillog_file_prefixes = /tmp\nmaillog_file_permissions = 999\n",
         "maillog_file_permissions = 999 is not an octal mode"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct daemon daemon;
        assert_false(daemon_start(&daemon, loop_create(), "logd/logd", IPC_ROLE_LOGD,
                                  &conf_part_logd, rows[i].settings));
        if (!strstr(daemon.failure, rows[i].failure))
            fail_msg("\"%s\" instead of \"%s\"", daemon.failure, rows[i].failure);
        loop_destroy(&daemon.loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_arrive),
        cmocka_unit_test(test_hostile_sender),
        cmocka_unit_test(test_wrong_settings),
    };
    (void)snprintf(log_path, sizeof(log_path), "/tmp/ph-logd-test-%ld.log", (long)getpid());
    const int result = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(log_path);
    return result;
}
