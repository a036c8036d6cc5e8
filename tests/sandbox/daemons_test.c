/* tests/sandbox/daemons - from inside each daemon, try what it must not do.
 * The daemons are the real ones but for one object: a lib/service that answers a probe message of
 * master's. What each may do is written down here once more, apart from its main.c. */
#include "../daemon.h"
#include "../test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/addrd.h"
#include "conf/authd.h"
#include "conf/bounce.h"
#include "conf/connectd.h"
#include "conf/discard.h"
#include "conf/dnsd.h"
#include "conf/error.h"
#include "conf/keyd.h"
#include "conf/limitd.h"
#include "conf/lmtp.h"
#include "conf/local.h"
#include "conf/logd.h"
#include "conf/pickup.h"
#include "conf/pipe.h"
#include "conf/qmgr.h"
#include "conf/smtp.h"
#include "conf/smtpd.h"
#include "conf/submitd.h"
#include "conf/fetchd.h"
#include "conf/stsd.h"
#include "conf/reportd.h"
#include "conf/verify.h"
#include "conf/virtual.h"
#include "sandbox/probe.h"

enum { PROBE_TIMEOUT_MS = 20000, MAILBOX_OWNER = 57901 };

#define QUEUE_FILES                                                                                \
    (SANDBOX_OPEN_READ | SANDBOX_CHANGE_FILES | SANDBOX_READ_FD | SANDBOX_WRITE_FD |               \
     SANDBOX_SYNC | SANDBOX_LOCK)

static const struct row {
    const char *name;
    enum ipc_role role;
    const struct conf_part *part;
    unsigned promises;
} rows[] = {
    {"logd", IPC_ROLE_LOGD, &conf_part_logd, SANDBOX_SYSLOG},
    {"smtpd", IPC_ROLE_SMTPD, &conf_part_smtpd,
     SANDBOX_STREAMS | SANDBOX_ACCEPT | SANDBOX_WRITE_FD},
    {"submitd", IPC_ROLE_SUBMITD, &conf_part_submitd,
     SANDBOX_STREAMS | SANDBOX_ACCEPT | SANDBOX_WRITE_FD},
    {"addrd", IPC_ROLE_ADDRD, &conf_part_addrd, SANDBOX_OPEN_READ | SANDBOX_READ_FD | SANDBOX_LOCK},
    {"dnsd", IPC_ROLE_DNSD, &conf_part_dnsd, SANDBOX_CONNECT | SANDBOX_DATAGRAMS | SANDBOX_STREAMS},
    {"limitd", IPC_ROLE_LIMITD, &conf_part_limitd,
     SANDBOX_READ_FD | SANDBOX_WRITE_FD | SANDBOX_SYNC | SANDBOX_THREADS},
    {"qmgr", IPC_ROLE_QMGR, &conf_part_qmgr, QUEUE_FILES | SANDBOX_THREADS | SANDBOX_ACCEPT},
    {"local", IPC_ROLE_LOCAL, &conf_part_local, SANDBOX_SOCKETPAIR | SANDBOX_LOCK},
    {"virtual", IPC_ROLE_VIRTUAL, &conf_part_virtual,
     QUEUE_FILES | SANDBOX_OPEN_BENEATH | SANDBOX_THREADS},
    {"smtp", IPC_ROLE_SMTP, &conf_part_smtp, SANDBOX_CONNECT | SANDBOX_STREAMS | SANDBOX_READ_FD},
    {"lmtp", IPC_ROLE_LMTP, &conf_part_lmtp, SANDBOX_CONNECT | SANDBOX_STREAMS | SANDBOX_READ_FD},
    {"connectd", IPC_ROLE_CONNECTD, &conf_part_connectd, SANDBOX_CONNECT_LOCAL},
    {"keyd", IPC_ROLE_KEYD, &conf_part_keyd, SANDBOX_READ_FD},
    {"bounce", IPC_ROLE_BOUNCE, &conf_part_bounce, SANDBOX_READ_FD | SANDBOX_WRITE_FD},
    {"error", IPC_ROLE_ERROR, &conf_part_error, 0},
    {"discard", IPC_ROLE_DISCARD, &conf_part_discard, 0},
    {"pipe", IPC_ROLE_PIPE, &conf_part_pipe, SANDBOX_SOCKETPAIR},
    {"fetchd", IPC_ROLE_FETCHD, &conf_part_fetchd, SANDBOX_CONNECT | SANDBOX_STREAMS},
    {"stsd", IPC_ROLE_STSD, &conf_part_stsd, SANDBOX_READ_FD | SANDBOX_WRITE_FD | SANDBOX_SYNC},
    {"reportd", IPC_ROLE_REPORTD, &conf_part_reportd,
     SANDBOX_READ_FD | SANDBOX_WRITE_FD | SANDBOX_SYNC},
    {"verify", IPC_ROLE_VERIFY, &conf_part_verify, SANDBOX_READ_FD | SANDBOX_WRITE_FD},
    {"authd", IPC_ROLE_AUTHD, &conf_part_authd,
     SANDBOX_STREAMS | SANDBOX_ACCEPT | SANDBOX_SHUTDOWN},
    {"pickup", IPC_ROLE_PICKUP, &conf_part_pickup,
     SANDBOX_OPEN_READ | SANDBOX_CHANGE_FILES | SANDBOX_READ_FD | SANDBOX_WRITE_FD},
};

struct fixture {
    struct loop *loop;
    char directory[64];
    char settings[2048];
    struct daemon daemon;
    bool is_running;
};

static void make_directory(const struct fixture *fixture, const char *name, uid_t owner)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    assert_int_equal(mkdir(path, 0700), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(path, owner, owner), 0);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const uid_t owner = geteuid() == 0 ? MAILBOX_OWNER : geteuid();
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/posthouse-probes-XXXXXX");
    if (!mkdtemp(fixture->directory) || chmod(fixture->directory, 0755) != 0)
        return -1;
    make_directory(fixture, "queue", 0);
    make_directory(fixture, "queue/maildrop", 0);
    make_directory(fixture, "data", 0);
    make_directory(fixture, "data/authd", 0);
    make_directory(fixture, "data/limitd", 0);
    make_directory(fixture, "data/reportd", 0);
    make_directory(fixture, "data/stsd", 0);
    make_directory(fixture, "data/verify", 0);
    make_directory(fixture, "mail", owner);
    (void)snprintf(fixture->settings, sizeof(fixture->settings),
                   "queue_directory = %s/queue\ndata_directory = %s/data\n"
                   "virtual_mailbox_base = %s/mail\nvirtual_uid_maps = static:%lu\n"
                   "virtual_gid_maps = static:%lu\ndns_servers = 127.0.0.1\n"
                   "myhostname = mail.example.org\nmydestination = example.org\n"
                   /* The directory of a table is addrd's to read: here none is in /etc. */
                   "alias_maps =\nlocal_recipient_maps = texthash:%s/data/users\n",
                   fixture->directory, fixture->directory, fixture->directory, (unsigned long)owner,
                   (unsigned long)owner, fixture->directory);
    fixture->loop = loop_create();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    loop_destroy(&fixture->loop);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
    const int result = system(command);
    free(fixture);
    return result;
}

static void on_timeout(void *loop)
{
    loop_stop(loop);
}

/* How the daemon ended, as waitpid() says. */
static int collect(struct fixture *fixture)
{
    int status = 0;
    assert_int_equal(waitpid(fixture->daemon.process, &status, 0), fixture->daemon.process);
    fixture->daemon.process = 0;
    (void)daemon_stop(&fixture->daemon);
    fixture->is_running = false;
    return status;
}

static enum sandbox_probe_verdict try_probe(struct fixture *fixture, const struct row *row,
                                            enum sandbox_probe probe)
{
    char program[128];
    struct loop_timer timer;
    (void)snprintf(program, sizeof(program), "tests/sandbox/%s_probe", row->name);
    if (!fixture->is_running)
        assert_true(daemon_start(&fixture->daemon, fixture->loop, program, row->role, row->part,
                                 fixture->settings));
    fixture->is_running = true;
    fixture->daemon.has_probe_reply = false;
    const struct ipc_probe message = {.number = probe};
    assert_true(ipc_channel_send(fixture->daemon.control, IPC_PROBE, &message));
    loop_timer_init(&timer, fixture->loop, on_timeout, fixture->loop);
    loop_timer_set(&timer, clock_deadline_after(PROBE_TIMEOUT_MS));
    while (!fixture->daemon.has_probe_reply && !fixture->daemon.has_gone &&
           timer.deadline_ms != CLOCK_NEVER)
        loop_run(fixture->loop);
    loop_timer_release(&timer);
    if (fixture->daemon.has_probe_reply)
        return fixture->daemon.probe_result == 0 ? SANDBOX_PROBE_PERMITTED : SANDBOX_PROBE_REFUSED;
    if (!fixture->daemon.has_gone)
        fail_msg("%s neither answers nor dies of %s", row->name, sandbox_probe_name(probe));
    const int status = collect(fixture);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
        fail_msg("%s ended with status %x at %s", row->name, (unsigned)status,
                 sandbox_probe_name(probe));
    return SANDBOX_PROBE_KILLED;
}

static void probe_daemon(struct fixture *fixture, const struct row *row)
{
    static const char *const verdict_names[] = {"killed", "refused", "permitted"};
    size_t wrong_count = 0;
    for (enum sandbox_probe probe = 0; probe < SANDBOX_PROBE_COUNT; probe++) {
        const enum sandbox_probe_verdict expected = sandbox_probe_expected(probe, row->promises);
        const enum sandbox_probe_verdict actual = try_probe(fixture, row, probe);
        if (actual == expected)
            continue;
        (void)fprintf(stderr, "# inside %s: %s was %s, expected %s\n", row->name,
                      sandbox_probe_name(probe), verdict_names[actual], verdict_names[expected]);
        wrong_count++;
    }
    if (fixture->is_running) {
        (void)daemon_stop(&fixture->daemon);
        fixture->is_running = false;
    }
    if (wrong_count)
        fail_msg("%s: %zu probes", row->name, wrong_count);
}

static void test_probes(void **state, const char *name)
{
    if (geteuid() != 0 && sandbox_landlock_version() == 0)
        skip(); /* neither chroot nor Landlock: files are guarded by their modes only */
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            probe_daemon(*state, &rows[i]);
}

#define PROBE_TEST(name)                                                                           \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        test_probes(state, #name);                                                                 \
    }
PROBE_TEST(logd)
PROBE_TEST(smtpd)
PROBE_TEST(submitd)
PROBE_TEST(addrd)
PROBE_TEST(dnsd)
PROBE_TEST(limitd)
PROBE_TEST(qmgr)
PROBE_TEST(local)
PROBE_TEST(virtual)
PROBE_TEST(smtp)
PROBE_TEST(lmtp)
PROBE_TEST(connectd)
PROBE_TEST(bounce)
PROBE_TEST(error)
PROBE_TEST(discard)
PROBE_TEST(pipe)
PROBE_TEST(fetchd)
PROBE_TEST(stsd)
PROBE_TEST(reportd)
PROBE_TEST(verify)
PROBE_TEST(pickup)
PROBE_TEST(authd)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_logd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_smtpd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_submitd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_addrd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dnsd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limitd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_qmgr, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_local, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_virtual, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_smtp, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lmtp, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connectd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounce, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_discard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pipe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fetchd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stsd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reportd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verify, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pickup, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_authd, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
