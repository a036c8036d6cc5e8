/* tests/daemon - see daemon.h. */
#include "daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/instance.h"
#include "maillog/record.h"
#include "system/task.h"

enum {
    CONTROL_DESCRIPTOR = 3,
    TEST_USER = 57900,
    LOG_MAX_BYTES = 16 << 20,
    SETTINGS_MAX_BYTES = 1 << 20
};

static void on_control_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                               void *context)
{
    struct daemon *daemon = context;
    (void)channel;
    if (delivery->type == IPC_PEER_LOST)
        return; /* tests close what they have opened */
    if (delivery->type == IPC_READY)
        daemon->is_ready = true;
    if (delivery->type == IPC_PROBE_REPLY) {
        daemon->has_probe_reply = true;
        daemon->probe_result = ((const struct ipc_probe_reply *)delivery->message)->result;
        loop_stop(daemon->loop);
        return;
    }
    if (delivery->type == IPC_FAILED) {
        const struct ipc_failed *failed = delivery->message;
        daemon->has_failed = true;
        (void)snprintf(daemon->failure, sizeof(daemon->failure), "%.*s",
                       SPAN_PRINTF(failed->reason));
        buffer_append_span(&daemon->log, failed->reason);
        buffer_append_byte(&daemon->log, '\n');
    }
    if (daemon->is_ready || daemon->has_failed)
        loop_stop(daemon->loop);
}

static void on_control_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct daemon *daemon = context;
    (void)channel;
    (void)reason;
    daemon->has_gone = true;
    ipc_channel_destroy(&daemon->control);
    loop_stop(daemon->loop);
}

static void on_log_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                           void *context)
{
    struct daemon *daemon = context;
    const struct ipc_log_lines *lines = delivery->message;
    struct span rest;
    struct log_record line;
    (void)channel;
    if (delivery->type != IPC_LOG_LINES)
        return;
    rest = lines->lines;
    while (!span_is_empty(rest) && log_record_next(&rest, &line) == PARSE_OK) {
        buffer_append_span(&daemon->log, line.text);
        buffer_append_byte(&daemon->log, '\n');
    }
    if (daemon->on_log)
        daemon->on_log(daemon);
}

static void on_log_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct daemon *daemon = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&daemon->log_channel);
}

#define ALL_ROLES UINT32_MAX
static const struct ipc_permission control_permissions[] = {
    {IPC_READY, ALL_ROLES},       {IPC_FAILED, ALL_ROLES},    {IPC_PONG, ALL_ROLES},
    {IPC_PROBE_REPLY, ALL_ROLES}, {IPC_PEER_LOST, ALL_ROLES}, {0, 0}};
static const struct ipc_permission log_permissions[] = {
    {IPC_LOG_OPEN, ALL_ROLES}, {IPC_LOG_LINES, ALL_ROLES}, {0, 0}};
static const struct ipc_channel_handlers control_handlers = {on_control_message, on_control_closed,
                                                             control_permissions};
static const struct ipc_channel_handlers log_handlers = {on_log_message, on_log_closed,
                                                         log_permissions};

/* The daemon's end becomes descriptor 3, all others are closed. */
static pid_t spawn(const char *program, int descriptor)
{
    char path[2048];
    const char *top = getenv("top_builddir");
    (void)snprintf(path, sizeof(path), "%s/%s", top ? top : ".", program);
    const pid_t process = fork();
    if (process != 0)
        return process;
    if (dup2(descriptor, CONTROL_DESCRIPTOR) != CONTROL_DESCRIPTOR)
        _exit(127);
    if (descriptor == CONTROL_DESCRIPTOR)
        (void)fcntl(descriptor, F_SETFD, 0);
    (void)close_range(CONTROL_DESCRIPTOR + 1, ~0U, 0);
    (void)execl(path, path, (char *)NULL);
    _exit(127);
}

static int seal_settings(const struct conf_part *part, const char *main_text)
{
    struct conf_interface loopback = {.address = {127, 0, 0, 1}, .prefix_bits = 8};
    const struct conf_host host = {SPAN("test.example.org"), &loopback, 1};
    struct arena arena;
    struct conf_instance instance;
    struct conf_notices notices;
    struct buffer text;
    int descriptor = -1;

    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    buffer_init(&text, NULL, SETTINGS_MAX_BYTES);
    conf_notices_init(&notices, &arena);
    if (conf_instance_parse(span_from_string(main_text), span_empty(), &host, &arena, &instance,
                            &notices) &&
        conf_instance_settings(&instance, NULL, part, &text, &notices))
        descriptor = conf_seal(buffer_span(&text), "settings");
    else
        (void)fprintf(stderr, "settings: %s\n", notices.first ? notices.first->text : "?");
    buffer_release(&text);
    arena_destroy(&arena);
    return descriptor;
}

struct waiting {
    struct loop *loop;
    bool is_over;
};

static void on_timeout(void *context)
{
    struct waiting *waiting = context;
    waiting->is_over = true;
    loop_stop(waiting->loop);
}

bool daemon_run(struct daemon *daemon)
{
    struct waiting waiting = {.loop = daemon->loop};
    struct loop_timer timer;
    loop_timer_init(&timer, daemon->loop, on_timeout, &waiting);
    loop_timer_set(&timer, clock_deadline_after(DAEMON_WAIT_MS));
    loop_run(daemon->loop);
    loop_timer_release(&timer);
    return !waiting.is_over;
}

static bool wait_until_ready(struct daemon *daemon)
{
    if (daemon_run(daemon) && daemon->is_ready)
        return true;
    const struct span log = buffer_span(&daemon->log);
    (void)fprintf(stderr, "daemon does not serve: %.*s\n", SPAN_PRINTF(log));
    daemon_kill(daemon);
    return false;
}

bool daemon_start(struct daemon *daemon, struct loop *loop, const char *program, enum ipc_role role,
                  const struct conf_part *part, const char *main_text)
{
    static uint32_t process_number;
    int ends[2];

    *daemon = (struct daemon){.loop = loop, .role = role};
    buffer_init(&daemon->log, NULL, LOG_MAX_BYTES);
    (void)snprintf(daemon->root_directory, sizeof(daemon->root_directory), "/tmp/root-XXXXXX");
    const int settings = seal_settings(part, main_text);
    if (settings < 0 || !mkdtemp(daemon->root_directory) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    daemon->process = spawn(program, ends[1]);
    (void)close(ends[1]);
    daemon->control = ipc_channel_create(loop, ends[0], role, &control_handlers, daemon);
    if (daemon->process < 0 || !daemon->control)
        return false;
    static const char command[] = "user=nobody\0argv=/bin/true"; /* for pipe */
    const struct ipc_start start = {
        .service = SPAN("test"),
        .stressed_settings = -1,
        .process_number = ++process_number,
        .settings = settings,
        .uid = TEST_USER,
        .gid = TEST_USER,
        .root_directory = span_from_string(daemon->root_directory),
        .arguments = role == IPC_ROLE_PIPE ? span_of(command, sizeof(command)) : span_empty()};
    (void)ipc_channel_send(daemon->control, IPC_START, &start);
    if (role != IPC_ROLE_LOGD) {
        const int log_end = daemon_give_peer(daemon, IPC_ROLE_LOGD, "logd", false);
        daemon->log_channel = ipc_channel_create(loop, log_end, role, &log_handlers, daemon);
    }
    return wait_until_ready(daemon);
}

int daemon_give_peer(struct daemon *daemon, enum ipc_role role, const char *service, bool is_server)
{
    static uint32_t peer_number = 1000;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    const struct ipc_peer peer = {.role = role,
                                  .service = span_from_string(service),
                                  .process_number = ++peer_number,
                                  .process_id = (uint32_t)getpid(),
                                  .is_server = is_server,
                                  .socket = ends[1]};
    (void)ipc_channel_send(daemon->control, IPC_PEER, &peer);
    return ends[0];
}

static int clean_up(struct daemon *daemon)
{
    int status = -1;
    if (daemon->process > 0)
        (void)waitpid(daemon->process, &status, 0);
    daemon->process = 0;
    if (daemon->control)
        ipc_channel_destroy(&daemon->control);
    if (daemon->log_channel)
        ipc_channel_destroy(&daemon->log_channel);
    (void)rmdir(daemon->root_directory);
    buffer_release(&daemon->log);
    return status;
}

static bool has_left(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool daemon_drain(struct daemon *daemon)
{
    const struct ipc_stop stop = {.is_graceful = true};
    if (daemon->control)
        (void)ipc_channel_send(daemon->control, IPC_STOP, &stop);
    while (daemon->control) {
        if (!daemon_run(daemon)) {
            daemon_kill(daemon);
            return false;
        }
    }
    return has_left(clean_up(daemon));
}

bool daemon_stop(struct daemon *daemon)
{
    if (daemon->control)
        ipc_channel_destroy(&daemon->control);
    return has_left(clean_up(daemon));
}

void daemon_kill(struct daemon *daemon)
{
    if (daemon->process > 0)
        (void)kill(daemon->process, SIGKILL);
    (void)clean_up(daemon);
}

bool daemon_has_logged(const struct daemon *daemon, const char *text)
{
    const struct span log = buffer_span(&daemon->log);
    return span_find(log, span_from_string(text)) < log.length;
}
