/* tests/connectd/unread - a peer that does not read its answers holds few sockets in flight, and
 * others are served. */
#include "../daemon.h"
#include "../test.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/connectd.h"
#include "system/file.h"

enum { QUESTIONS = 300, IN_FLIGHT_MAX = 64, ROUNDS = 100, PATIENCE_MS = 20000 };

/* One that asks; each has a loop, and reads as long as that turns. */
struct asker {
    struct loop *loop;
    struct ipc_channel *channel;
    int asked, given, busy;
};

static struct world {
    struct asker honest; /* its loop is also the daemon's */
    struct asker deaf;
    struct daemon daemon;
    int listener;
    char directory[64];
    char path[96];
} world;

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct asker *asker = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&asker->channel);
}

static void begin_asker(struct asker *asker)
{
    static const struct ipc_permission nothing[] = {{0, 0}};
    static const struct ipc_channel_handlers handlers = {NULL, on_closed, nothing};
    const int end = daemon_give_peer(&world.daemon, IPC_ROLE_LMTP, "lmtp", true);
    asker->channel = ipc_channel_create(asker->loop, end, IPC_ROLE_CONNECTD, &handlers, asker);
    assert_non_null(asker->channel);
}

static void on_answer(enum ipc_call_result result, void *reply, void *context)
{
    struct asker *asker = context;
    const struct ipc_connect_reply *answer = reply;
    assert_int_equal(result, IPC_CALL_OK);
    if (answer->socket >= 0)
        asker->given++;
    else if (answer->is_busy)
        asker->busy++;
    else
        fail_msg("%.*s", SPAN_PRINTF(answer->outcome.reason));
    if (asker->given + asker->busy == asker->asked)
        loop_stop(asker->loop);
}

static void ask(struct asker *asker, int count)
{
    const struct ipc_connect question = {.path = span_from_string(world.path)};
    for (int i = 0; i < count; i++)
        assert_true(ipc_channel_call_async(asker->channel, IPC_CONNECT, &question,
                                           IPC_CONNECT_REPLY, clock_deadline_after(PATIENCE_MS),
                                           on_answer, asker));
    asker->asked += count;
    ipc_channel_flush(asker->channel);
}

static int set_up(void **state)
{
    (void)state;
    char settings[512];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    world = (struct world){.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    (void)snprintf(world.directory, sizeof(world.directory), "/tmp/posthouse-unread-XXXXXX");
    assert_non_null(mkdtemp(world.directory));
    assert_int_equal(chmod(world.directory, 0755), 0);
    (void)snprintf(world.path, sizeof(world.path), "%s/server", world.directory);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", world.path);
    assert_int_equal(bind(world.listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(chmod(world.path, 0777), 0);
    assert_int_equal(listen(world.listener, QUESTIONS * 2), 0);
    (void)snprintf(settings, sizeof(settings), "queue_directory = %s\nlmtp_unix_sockets = %s\n",
                   world.directory, world.path);
    world.honest.loop = loop_create();
    world.deaf.loop = loop_create();
    assert_true(daemon_start(&world.daemon, world.honest.loop, "connectd/connectd",
                             IPC_ROLE_CONNECTD, &conf_part_connectd, settings));
    begin_asker(&world.honest);
    begin_asker(&world.deaf);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ipc_channel_destroy(&world.honest.channel);
    ipc_channel_destroy(&world.deaf.channel);
    const bool has_left = daemon_stop(&world.daemon);
    loop_destroy(&world.honest.loop);
    loop_destroy(&world.deaf.loop);
    file_close(world.listener);
    (void)unlink(world.path);
    (void)rmdir(world.directory);
    return has_left ? 0 : -1;
}

static void test_unread(void **state)
{
    (void)state;
    ask(&world.deaf, QUESTIONS);
    /* More than are answered in one turn, which looks at the others' as well. */
    for (int i = 1; i <= ROUNDS; i++) {
        ask(&world.honest, 1);
        assert_true(daemon_run(&world.daemon));
        assert_int_equal(world.honest.given, i);
    }
    loop_run(world.deaf.loop);
    assert_int_equal(world.deaf.given + world.deaf.busy, QUESTIONS);
    assert_in_range(world.deaf.given, 1, IN_FLIGHT_MAX);
    /* One that reads again is served again. */
    const int given = world.deaf.given;
    ask(&world.deaf, 1);
    loop_run(world.deaf.loop);
    assert_int_equal(world.deaf.given, given + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unread, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
