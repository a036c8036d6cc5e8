/* tests/lone_daemon - play master for one daemon: start the real program, in its real sandbox, and
 * hold the other ends of its channels. Programs come from $top_builddir; as root they run as
 * nobody. */
#ifndef TESTS_LONE_DAEMON_H
#define TESTS_LONE_DAEMON_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/instance.h"
#include "ipc/channel.h"
#include "system/clock.h"
#include "test.h"

enum { DAEMON_WAIT_MS = 20000, DAEMON_NOBODY = 65534 };

struct daemon {
    struct loop *loop;
    struct ipc_channel *control;
    struct loop_timer deadline;
    pid_t pid;
    bool is_ready;
    bool has_timed_out;
    char root_directory[64];
    char failure[1024];
};

static void daemon_on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                              void *context)
{
    struct daemon *daemon = context;
    (void)channel;
    if (delivery->type == IPC_FAILED) {
        const struct ipc_failed *failed = delivery->message;
        (void)snprintf(daemon->failure, sizeof(daemon->failure), "%.*s",
                       SPAN_PRINTF(failed->reason));
    }
    if (delivery->type == IPC_READY)
        daemon->is_ready = true;
    loop_stop(daemon->loop);
}

static void daemon_on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct daemon *daemon = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&daemon->control);
    loop_stop(daemon->loop);
}

static void daemon_on_deadline(void *context)
{
    struct daemon *daemon = context;
    daemon->has_timed_out = true;
    loop_stop(daemon->loop);
}

/* Turns until something stops the loop; fails the test after DAEMON_WAIT_MS. */
static inline void daemon_run(struct daemon *daemon)
{
    loop_timer_set(&daemon->deadline, clock_deadline_after(DAEMON_WAIT_MS));
    loop_run(daemon->loop);
    loop_timer_set(&daemon->deadline, CLOCK_NEVER);
    if (daemon->has_timed_out)
        fail_msg("the daemon did not answer in %d ms", DAEMON_WAIT_MS);
}

static inline int daemon_settings(const struct conf_part *part, const char *main_text)
{
    struct arena arena;
    struct conf_instance instance;
    struct conf_notices notices;
    struct buffer text;
    const struct conf_host host = {.hostname = SPAN("test.example.org")};
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    buffer_init(&text, NULL, 1 << 20);
    const bool is_good = conf_instance_parse(span_from_string(main_text), span_empty(), &host,
                                             &arena, &instance, &notices) &&
                         conf_instance_settings(&instance, NULL, part, &text, &notices);
    if (!is_good)
        fail_msg("the settings of %s are wrong", part->name);
    const int descriptor = conf_seal(buffer_span(&text), part->name);
    assert_true(descriptor >= 0);
    buffer_release(&text);
    arena_destroy(&arena);
    return descriptor;
}

/* Starts the program and waits for READY. False with daemon->failure when it says FAILED. */
static inline bool daemon_start(struct daemon *daemon, const char *program,
                                const struct conf_part *part, const char *main_text)
{
    static const struct ipc_permission permissions[] = {{IPC_READY, UINT32_MAX},
                                                        {IPC_FAILED, UINT32_MAX},
                                                        {IPC_PONG, UINT32_MAX},
                                                        {IPC_PEER_LOST, UINT32_MAX},
                                                        {0, 0}};
    static const struct ipc_channel_handlers handlers = {daemon_on_message, daemon_on_closed,
                                                         permissions};
    const char *build = getenv("top_builddir");
    char path[1024];
    int ends[2];
    *daemon = (struct daemon){.loop = loop_create()};
    loop_timer_init(&daemon->deadline, daemon->loop, daemon_on_deadline, daemon);
    (void)snprintf(path, sizeof(path), "%s/%s", build ? build : ".", program);
    (void)snprintf(daemon->root_directory, sizeof(daemon->root_directory), "/tmp/ph-test-XXXXXX");
    assert_non_null(mkdtemp(daemon->root_directory));
    assert_int_equal(chmod(daemon->root_directory, 0755), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    daemon->pid = fork();
    assert_true(daemon->pid >= 0);
    if (daemon->pid == 0) {
        const int control = fcntl(ends[1], F_DUPFD, 10);
        (void)dup2(control, 3);
        (void)execl(path, path, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    daemon->control = ipc_channel_create(daemon->loop, ends[0], IPC_ROLE_NONE, &handlers, daemon);
    const struct ipc_start start = {
        .service = span_from_string(part->name),
        .process_number = 1,
        .settings = daemon_settings(part, main_text),
        .stressed_settings = -1,
        .uid = DAEMON_NOBODY,
        .gid = DAEMON_NOBODY,
        .root_directory = span_from_string(daemon->root_directory),
    };
    assert_true(ipc_channel_send(daemon->control, IPC_START, &start));
    while (daemon->control && !daemon->is_ready && !daemon->failure[0])
        daemon_run(daemon);
    return daemon->is_ready;
}

/* Our end of a new channel on which the daemon sees that role. */
static inline int daemon_give_peer(struct daemon *daemon, enum ipc_role role, bool is_server)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const struct ipc_peer peer = {
        .role = role,
        .service = span_from_string(ipc_role_name(role)),
        .process_number = 2,
        .process_id = 4711,
        .is_server = is_server,
        .socket = ends[1],
    };
    assert_true(ipc_channel_send(daemon->control, IPC_PEER, &peer));
    return ends[0];
}

/* Asks it to stop and returns its exit status. */
static inline int daemon_stop(struct daemon *daemon)
{
    const struct ipc_stop stop = {.is_graceful = true};
    int status = 0;
    if (daemon->control)
        (void)ipc_channel_send(daemon->control, IPC_STOP, &stop);
    while (daemon->control)
        daemon_run(daemon);
    assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
    loop_timer_release(&daemon->deadline);
    loop_destroy(&daemon->loop);
    (void)rmdir(daemon->root_directory);
    return status;
}

#endif
