/* tests/addrd - the daemon itself, in its sandbox, asked over channels as smtpd and qmgr do. */
#include "../test.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "../daemon.h"
#include "addr/client.h"
#include "base/number.h"
#include "conf/addrd.h"
#include "system/task.h"
#include "table/build.h"

static char directory[] = "/tmp/posthouse-addrd-XXXXXX";
static struct loop *loop;
static struct daemon addrd;
static struct addr_client as_smtpd, as_qmgr;
static size_t tasks_left;

static void connect_client(struct addr_client *client, enum ipc_role role, const char *service)
{
    const int end = daemon_give_peer(&addrd, role, service, true);
    assert_true(end >= 0);
    addr_client_attach(client, loop, end);
    assert_non_null(client->channel);
}

static const char *path_of(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void build_table(const char *name, const char *key, const char *value)
{
    struct buffer error;
    buffer_init(&error, NULL, 1000);
    struct table_build *build = table_build_begin(TABLE_BUILD_HASH, path_of(name), 0, 0644, &error);
    if (!build)
        fail_msg("%.*s", SPAN_PRINTF(buffer_span(&error)));
    assert_int_equal(table_build_add(build, span_from_string(key), span_from_string(value)),
                     TABLE_BUILD_ADDED);
    assert_true(table_build_commit(&build, &error));
    buffer_release(&error);
}

static void start_addrd(const char *more)
{
    static char text[4096];
    (void)snprintf(text, sizeof(text),
                   "myhostname = mail.example.org\n"
                   "myorigin = example.org\n"
                   "mydestination = $myhostname, example.org\n"
                   "alias_maps = hash:%s/aliases\n"
                   "virtual_mailbox_domains = vmail.example\n"
                   "virtual_mailbox_maps = hash:%s/vmailbox\n"
                   "relay_domains =\n"
                   "%s",
                   directory, directory, more);
    assert_true(daemon_start(&addrd, loop, "addrd/addrd", IPC_ROLE_ADDRD, &conf_part_addrd, text));
    connect_client(&as_smtpd, IPC_ROLE_SMTPD, "smtp");
    connect_client(&as_qmgr, IPC_ROLE_QMGR, "qmgr");
}

static void stop_addrd(void)
{
    ipc_channel_destroy(&as_smtpd.channel);
    ipc_channel_destroy(&as_qmgr.channel);
    assert_true(daemon_stop(&addrd));
}

static void wake_up(struct daemon *daemon)
{
    loop_stop(daemon->loop);
}

static void on_timeout(void *context)
{
    loop_stop(context);
}

/* Lines arrive in batches. */
static void assert_logged(const char *text)
{
    const int64_t deadline_ms = clock_deadline_after(10000);
    struct loop_timer timer;
    loop_timer_init(&timer, loop, on_timeout, loop);
    loop_timer_set(&timer, deadline_ms);
    addrd.on_log = wake_up;
    while (!daemon_has_logged(&addrd, text) && clock_monotonic_ms() < deadline_ms)
        loop_run(loop);
    addrd.on_log = NULL;
    loop_timer_release(&timer);
    if (!daemon_has_logged(&addrd, text))
        fail_msg("not logged: %s", text);
}

static void run_in_task(void (*body)(void *argument), void *argument)
{
    tasks_left++;
    assert_non_null(task_start(loop, "test", body, argument));
}

static void task_done(void)
{
    if (--tasks_left == 0)
        loop_stop(loop);
}

/* "CLASS ok" or "CLASS CODE REASON" */
static void assert_check(const char *recipient, const char *expected)
{
    struct addr_check check;
    struct arena arena;
    char actual[512];

    arena_init(&arena, 65536, 0);
    addr_check_recipient(&as_smtpd, NULL, span_from_string(recipient), SPAN("s@elsewhere.example"),
                         0, clock_deadline_after(15000), &arena, &check);
    if (outcome_is_ok(&check.outcome))
        (void)snprintf(actual, sizeof(actual), "%d ok", (int)check.class);
    else
        (void)snprintf(actual, sizeof(actual), "%d %u %.*s", (int)check.class,
                       check.outcome.reply_code, SPAN_PRINTF(check.outcome.reason));
    if (strcmp(actual, expected) != 0)
        fail_msg("%s: got \"%s\", expected \"%s\"", recipient, actual, expected);
    arena_destroy(&arena);
}

static void check_recipients(void *argument)
{
    (void)argument;
    assert_check("root@example.org", "1 ok"); /* the name service, through a worker */
    assert_check("Root", "1 ok");
    assert_check("list@example.org", "1 ok"); /* aliases */
    assert_check("no-such-user-here@example.org",
                 "1 550 Recipient address rejected: User unknown in local recipient table");
    assert_check("dora@vmail.example", "3 ok");
    assert_check("eve@vmail.example",
                 "3 550 Recipient address rejected: User unknown in virtual mailbox table");
    assert_check("x@elsewhere.example", "5 ok");
    assert_check("a..b c", "0 501 Bad recipient address syntax");
    task_done();
}

static void test_checks(void **state)
{
    (void)state;
    run_in_task(check_recipients, NULL);
    loop_run(loop);
}

static void check_one(void *argument)
{
    assert_check("root@example.org", "1 ok");
    (void)argument;
    task_done();
}

static void test_many_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        run_in_task(check_one, NULL);
    loop_run(loop);
}

static void check_rebuilt(void *argument)
{
    (void)argument;
    assert_check("new@vmail.example",
                 "3 550 Recipient address rejected: User unknown in virtual mailbox table");
    build_table("vmailbox", "new@vmail.example", "new/");
    assert_check("new@vmail.example", "3 ok");
    assert_check("dora@vmail.example",
                 "3 550 Recipient address rejected: User unknown in virtual mailbox table");
    assert_int_equal(unlink(path_of("vmailbox.db")), 0);
    assert_check("new@vmail.example", "3 451 Temporary lookup failure");
    build_table("vmailbox", "dora@vmail.example", "dora/");
    assert_check("dora@vmail.example", "3 ok");
    task_done();
}

/* In the sandbox, the file that was opened first being another one. */
static void test_rebuilt_tables(void **state)
{
    (void)state;
    run_in_task(check_rebuilt, NULL);
    loop_run(loop);
}

static int locked_descriptor;

static void check_locked(void *argument)
{
    assert_check("dora@vmail.example", "3 ok");
    assert_true(*(bool *)argument); /* the others were answered meanwhile */
    task_done();
}

static void check_others(void *argument)
{
    assert_check("list@example.org", "1 ok");
    assert_check("root@example.org", "1 ok");
    *(bool *)argument = true;
    assert_int_equal(close(locked_descriptor), 0);
    task_done();
}

/* Postfix's postmap at work: a worker waits for it, and nobody else does. */
static void test_locked_table(void **state)
{
    (void)state;
    bool were_others_answered = false;
    locked_descriptor = open(path_of("vmailbox.db"), O_RDWR | O_CLOEXEC);
    assert_true(locked_descriptor >= 0);
    assert_int_equal(flock(locked_descriptor, LOCK_EX), 0);
    run_in_task(check_locked, &were_others_answered);
    run_in_task(check_others, &were_others_answered);
    loop_run(loop);
}

enum { MANY_RECIPIENTS = 3000, RECIPIENTS_AT_ONCE_MAX = 1000 };

/* One question of qmgr's; how many routes[] it filled, 0 for no answer. */
static size_t ask_routes(struct addr_client *client, const struct span *recipients, size_t count,
                         int64_t deadline_ms, struct arena *arena,
                         struct ipc_addr_route_entry *routes)
{
    struct ipc_addr_route_reply reply;
    struct buffer records;
    size_t found = 0;

    buffer_init(&records, arena, IPC_RECORDS_MAX);
    for (size_t i = 0; i < count && i < RECIPIENTS_AT_ONCE_MAX; i++) {
        const struct ipc_addr_recipient recipient = {.address = recipients[i]};
        ipc_records_append(IPC_ADDR_RECIPIENT, &recipient, &records);
    }
    assert_true(buffer_ok(&records));
    const struct ipc_addr_route question = {.sender = SPAN("s@x.example"),
                                            .recipients = buffer_span(&records)};
    if (ipc_channel_call(client->channel, IPC_ADDR_ROUTE, &question, IPC_ADDR_ROUTE_REPLY, &reply,
                         arena, deadline_ms) != IPC_CALL_OK)
        return 0;
    for (; reply.routes.length > 0; found++) {
        assert_true(found < count);
        assert_int_equal(ipc_records_next(&reply.routes, IPC_ADDR_ROUTE_ENTRY, &routes[found]),
                         PARSE_OK);
    }
    return found;
}

static void route_many(void *argument)
{
    static struct span recipients[MANY_RECIPIENTS];
    static struct ipc_addr_route_entry routes[MANY_RECIPIENTS];
    struct arena arena;

    (void)argument;
    arena_init(&arena, 16 << 20, 0);
    for (size_t i = 0; i < MANY_RECIPIENTS; i++)
        recipients[i] = arena_format(&arena, "user%zu@%s", i,
                                     i % 3 == 0   ? "vmail.example"
                                     : i % 3 == 1 ? "other.example"
                                                  : "example.org");
    recipients[3] = SPAN("dora@vmail.example");
    for (size_t done = 0, answered; done < MANY_RECIPIENTS; done += answered) {
        answered = ask_routes(&as_qmgr, recipients + done, MANY_RECIPIENTS - done,
                              clock_deadline_after(15000), &arena, routes + done);
        assert_true(answered > 0);
    }
    for (size_t i = 0; i < MANY_RECIPIENTS; i++) {
        const struct ipc_addr_route_entry *route = &routes[i];
        assert_true(span_equals(route->recipient, recipients[i]));
        if (i == 3) {
            assert_span_is("mailbox", route->mailbox, "dora/");
            assert_span_is("transport", route->transport, "virtual");
        } else if (i % 3 == 0) {
            assert_int_equal(route->outcome.kind, OUTCOME_PERMANENT);
        } else {
            assert_span_is("transport", route->transport, i % 3 == 1 ? "smtp" : "local");
            assert_span_is("next hop", route->nexthop,
                           i % 3 == 1 ? "other.example" : "mail.example.org");
        }
    }
    arena_destroy(&arena);
    task_done();
}

static void test_routes(void **state)
{
    (void)state;
    run_in_task(route_many, NULL);
    loop_run(loop);
}

static void ask_what_is_not_permitted(void *argument)
{
    struct ipc_addr_route_entry route;
    const struct span recipient = SPAN("a@b.example");
    struct arena arena;

    (void)argument;
    arena_init(&arena, 65536, 0);
    assert_int_equal(
        ask_routes(&as_smtpd, &recipient, 1, clock_deadline_after(15000), &arena, &route), 0);
    assert_null(as_smtpd.channel); /* closed, and only that one */
    assert_int_equal(
        ask_routes(&as_qmgr, &recipient, 1, clock_deadline_after(15000), &arena, &route), 1);
    assert_int_equal(route.outcome.kind, OUTCOME_OK);
    arena_destroy(&arena);
    task_done();
}

static void test_roles(void **state)
{
    (void)state;
    run_in_task(ask_what_is_not_permitted, NULL);
    loop_run(loop);
    connect_client(&as_smtpd, IPC_ROLE_SMTPD, "smtp");
}

static void check_slow(void *argument)
{
    const int64_t begun_ms = clock_monotonic_ms();
    (void)argument;
    /* The lock is never given up: the look-up ends by its limit, the worker is replaced. */
    assert_check("dora@vmail.example", "3 451 Temporary lookup failure");
    assert_true(clock_monotonic_ms() - begun_ms >= 900);
    assert_check("root@example.org", "1 ok");
    task_done();
}

static void test_hanging_look_ups(void **state)
{
    (void)state;
    start_addrd("addrd_lookup_timeout = 1s\naddrd_worker_count = 2\n");
    locked_descriptor = open(path_of("vmailbox.db"), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(locked_descriptor, LOCK_EX), 0);
    for (int i = 0; i < 4; i++)
        run_in_task(check_slow, NULL);
    loop_run(loop);
    assert_logged("no answer in time");
    assert_int_equal(close(locked_descriptor), 0);
    run_in_task(check_one, NULL);
    loop_run(loop);
    stop_addrd();
}

/* "PID (NAME) STATE PARENT ..." */
static bool parse_stat(const char *line, int *process, int *parent)
{
    struct span number, rest;
    uint64_t value;
    if (!span_split_once(span_from_string(line), ' ', &number, &rest) ||
        !number_parse_uint64(number, INT32_MAX, &value))
        return false;
    *process = (int)value;
    rest = span_after(rest, span_find_last_byte(rest, ')') + 4); /* ") S " */
    if (!number_parse_uint64(span_first(rest, span_find_byte(rest, ' ')), INT32_MAX, &value))
        return false;
    *parent = (int)value;
    return true;
}

/* The children of a process, from /proc. */
static size_t find_children(pid_t parent, pid_t *children, size_t capacity)
{
    DIR *proc = opendir("/proc");
    size_t count = 0;
    assert_non_null(proc);
    for (struct dirent *entry; (entry = readdir(proc)) != NULL && count < capacity;) {
        char path[300];
        char line[512];
        int process;
        int its_parent;
        (void)snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        if (fgets(line, sizeof(line), file) && parse_stat(line, &process, &its_parent) &&
            its_parent == parent)
            children[count++] = process;
        (void)fclose(file);
    }
    (void)closedir(proc);
    return count;
}

static void check_while_workers_die(void *argument)
{
    const pid_t nursery = *(pid_t *)argument;
    for (int round = 0; round < 8; round++) {
        pid_t workers[16];
        const size_t count = find_children(nursery, workers, ARRAY_LENGTH(workers));
        if (count > 0)
            (void)kill(workers[0], SIGKILL); /* or it has gone already */
        assert_check("root@example.org", "1 ok");
        assert_check("no-such-user-here@example.org",
                     "1 550 Recipient address rejected: User unknown in local recipient table");
    }
    task_done();
}

static void test_killed_workers(void **state)
{
    (void)state;
    pid_t nursery;
    int status;
    assert_int_equal(find_children(addrd.process, &nursery, 1), 1);
    run_in_task(check_while_workers_die, &nursery);
    loop_run(loop);

    /* Without its nursery the daemon starts over, that is: ends, and master starts another. */
    assert_int_equal(kill(nursery, SIGKILL), 0);
    assert_int_equal(waitpid(addrd.process, &status, 0), addrd.process);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    addrd.process = 0;
    ipc_channel_destroy(&as_smtpd.channel);
    ipc_channel_destroy(&as_qmgr.channel);
    daemon_kill(&addrd);
}

static void check_failing(void *argument)
{
    (void)argument;
    assert_check("x@elsewhere.example", "5 451 Temporary lookup failure");
    task_done();
}

static void check_patterns(void *argument)
{
    (void)argument;
    assert_check("Team-7@vmail.example", "3 ok");
    assert_check("team-x@vmail.example",
                 "3 550 Recipient address rejected: User unknown in virtual mailbox table");
    assert_check("dora@vmail.example", "3 ok"); /* the second part of a union */
    assert_check("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab@vmail.example",
                 "3 451 Temporary lookup failure");
    task_done();
}

/* Workers ask regular expressions, also those inside other tables, and tell what is odd in them. */
static void test_patterns(void **state)
{
    (void)state;
    char more[512];
    (void)snprintf(more, sizeof(more),
                   "virtual_mailbox_maps = unionmap:{ pcre:{ {/^team-([0-9]+)@/ team/$$1}, "
                   "{/^(a+)+@/ slow}, {/(/ x} } hash:%s/vmailbox }\n",
                   directory);
    start_addrd(more);
    run_in_task(check_patterns, NULL);
    loop_run(loop);
    assert_logged("error in regex at offset 1: missing closing parenthesis");
    stop_addrd();
}

/* A table that cannot be read must not be passed over. */
static void test_missing_tables_are_told(void **state)
{
    (void)state;
    start_addrd("transport_maps = hash:/nonexistent/transport zork:x\n");
    run_in_task(check_failing, NULL);
    loop_run(loop);
    assert_logged("unsupported dictionary type: zork");
    assert_logged("/nonexistent/transport.db: No such file");
    stop_addrd();
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void check_odd(void *argument)
{
    (void)argument;
    assert_check("ann@relay.example", "4 ok");
    task_done();
}

/* A worker reads the text, because another part of the table may wait; the dispatcher has the log.
 */
static void test_odd_text_is_told(void **state)
{
    char settings[600];
    (void)state;
    write_text("relays", "ann@relay.example here\n");
    (void)snprintf(settings, sizeof(settings),
                   "relay_domains = relay.example\n"
                   "relay_recipient_maps = unionmap:{unix:passwd.byname,texthash:%s}\n",
                   path_of("relays"));
    start_addrd(settings);
    run_in_task(check_odd, NULL);
    loop_run(loop);
    assert_false(daemon_has_logged(&addrd, "duplicate"));
    write_text("relays", "ann@relay.example here\nbob@relay.example 1\nbob@relay.example 2\n");
    run_in_task(check_odd, NULL);
    loop_run(loop);
    assert_logged("relays, line 3: duplicate entry: \"bob@relay.example\"");
    stop_addrd();
}

static int set_up_group(void **state)
{
    (void)state;
    loop = loop_create();
    if (!loop || !mkdtemp(directory) || chmod(directory, 0755) != 0)
        return -1;
    build_table("aliases", "list", "root");
    build_table("vmailbox", "dora@vmail.example", "dora/");
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    char command[300];
    loop_destroy(&loop);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

static int start_default(void **state)
{
    (void)state;
    start_addrd("");
    return 0;
}

static int stop_default(void **state)
{
    (void)state;
    stop_addrd();
    return 0;
}

#define WITH_DAEMON(test) cmocka_unit_test_setup_teardown(test, start_default, stop_default)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DAEMON(test_checks),
        WITH_DAEMON(test_many_at_once),
        WITH_DAEMON(test_rebuilt_tables),
        WITH_DAEMON(test_locked_table),
        WITH_DAEMON(test_routes),
        WITH_DAEMON(test_roles),
        cmocka_unit_test_setup(test_killed_workers, start_default),
        cmocka_unit_test(test_hanging_look_ups),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_missing_tables_are_told),
        cmocka_unit_test(test_odd_text_is_told),
    };
    return cmocka_run_group_tests_name("addrd", tests, set_up_group, tear_down_group);
}
