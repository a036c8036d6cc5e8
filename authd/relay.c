/* authd/relay - see relay.h. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/relay.h"
#include "relay_server.h"
#include "system/file.h"
#include "system/note.h"
#include "system/part.h"
#include "table/paths.h"

enum { DESCRIPTOR_LIMIT = 256 };

/* Tables may be files, other processes, or name services. */
#define SERVER_PROMISES                                                                            \
    (SANDBOX_RECEIVE_FDS | SANDBOX_STREAMS | SANDBOX_READ_FILES | SANDBOX_THREADS |                \
     SANDBOX_CONNECT | SANDBOX_CONNECT_LOCAL | SANDBOX_NSS)

/* What name services read. */
static const char *const system_paths[] = {"/etc",   "/usr/lib", "/usr/lib64", "/lib",
                                           "/lib64", "/run",     "/var/run"};

/* What the keeper and its children need to know. */
struct keeper {
    const struct conf_authd *settings;
    struct sandbox_paths paths;
    uid_t uid; /* of its children */
    gid_t gid;
    const struct sandbox_filter *filter;
};

/* ---- the processes that serve ---- */

struct descriptors {
    int all[DESCRIPTOR_LIMIT];
    size_t count;
};

static bool close_in(const struct keeper *keeper, unsigned promises,
                     const struct sandbox_filter *filter, uid_t uid, gid_t gid,
                     const struct descriptors *kept, const char *who)
{
    const struct sandbox_profile profile = {.promises = promises,
                                            .kept_fds = kept->all,
                                            .kept_fd_count = kept->count,
                                            .uid = uid,
                                            .gid = gid,
                                            .paths = keeper->paths.all,
                                            .path_count = keeper->paths.count,
                                            .filter = filter,
                                            .descriptor_limit = DESCRIPTOR_LIMIT};
    struct sandbox_error error;
    if (sandbox_enter(&profile, &error))
        return true;
    (void)fprintf(stderr, "authd %s: %s: %s\n", who, error.step, strerror(error.error_number));
    return false;
}

static void close_between(int before, int after)
{
    if (before + 1 < after)
        (void)close_range((unsigned)before + 1, (unsigned)after - 1, 0);
}

/* Of what it inherits these two alone. */
static void close_others(int one, int other)
{
    const int lower = one < other ? one : other, upper = one < other ? other : one;
    close_between(STDERR_FILENO, lower);
    close_between(lower, upper);
    (void)close_range((unsigned)upper + 1, ~0U, 0);
}

/* The client's, and the files of tables, which are root's to open and now are. */
static void find_open(struct descriptors *open)
{
    for (int descriptor = STDERR_FILENO + 1; descriptor < DESCRIPTOR_LIMIT; descriptor++)
        if (fcntl(descriptor, F_GETFD) >= 0)
            open->all[open->count++] = descriptor;
}

static NORETURN void run_server(const struct keeper *keeper, enum ipc_role role,
                                struct span service, int descriptor, int lifeline)
{
    struct relay_server *server = calloc(1, sizeof(*server));
    struct descriptors open = {.count = 0};

    close_others(descriptor, lifeline);
    if (!server || !relay_server_init(server, keeper->settings, role, service))
        _exit(EXIT_FAILURE);
    find_open(&open);
    if (close_in(keeper, SERVER_PROMISES, keeper->filter, keeper->uid, keeper->gid, &open,
                 "relay server"))
        relay_server_run(server, role, descriptor, lifeline);
    _exit(EXIT_FAILURE);
}

/* ---- the keeper ---- */

static void on_serve(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                     void *context)
{
    const struct ipc_relay_auth_serve *message = delivery->message;
    (void)channel;
    if (delivery->type == IPC_RELAY_AUTH_SERVE && fork() == 0)
        run_server(context, (enum ipc_role)message->role, message->service, message->socket,
                   message->lifeline);
    /* The parent's ends are closed; when the fork failed both sides see that, and another comes. */
}

static void on_dispatcher_gone(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                               void *context UNUSED)
{
    _exit(EXIT_SUCCESS);
}

static NORETURN void run_keeper(void *context, int descriptor)
{
    struct keeper *keeper = context;
    static const struct ipc_permission permissions[] = {
        {IPC_RELAY_AUTH_SERVE, IPC_ROLE_BIT(IPC_ROLE_AUTHD)}, {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_serve, on_dispatcher_gone, permissions};
    const struct descriptors kept = {.all = {descriptor}, .count = 1};
    struct loop *loop;

    note_detach();
    if (signal(SIGCHLD, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        _exit(EXIT_FAILURE);
    sandbox_warm_up_common();
    keeper->filter = sandbox_filter_create(SERVER_PROMISES, false);
    if (!keeper->filter || !sandbox_warm_up_crypto() ||
        !close_in(keeper, SERVER_PROMISES | SANDBOX_SPAWN, NULL,
                  keeper->uid == SANDBOX_SAME_USER ? SANDBOX_SAME_USER : getuid(),
                  keeper->uid == SANDBOX_SAME_USER ? SANDBOX_SAME_GROUP : getgid(), &kept,
                  "relay keeper"))
        _exit(EXIT_FAILURE);
    loop = loop_create();
    if (!loop || !ipc_channel_create(loop, descriptor, IPC_ROLE_AUTHD, &handlers, keeper))
        _exit(EXIT_FAILURE);
    loop_run(loop);
    _exit(EXIT_SUCCESS);
}

/* ---- before the sandbox ---- */

static bool add_tables(struct keeper *keeper, struct span names, struct arena *arena)
{
    struct table_list *list = table_list_open(names, NULL);
    for (size_t i = 0; list && i < table_list_count(list); i++)
        table_add_paths(table_list_at(list, i), &keeper->paths, arena);
    const bool is_open = list != NULL;
    if (list)
        table_list_close(&list);
    return is_open;
}

/* Of all services; *has_any: there are passwords for one of them. */
static bool add_services(struct keeper *keeper, struct span rows, struct arena *arena,
                         bool *has_any)
{
    struct span service, names;
    while (conf_each_service_next(&rows, &service, &names)) {
        *has_any |= !span_is_empty(names);
        if (!add_tables(keeper, names, arena))
            return false;
    }
    return true;
}

bool relay_start(struct authd *authd)
{
    struct service *service = authd->service;
    const struct conf_authd *conf = authd->conf;
    struct keeper *keeper;
    bool has_any = false;

    authd->relay_descriptor = -1;
    keeper = arena_alloc(&service->arena, sizeof(*keeper));
    if (!keeper) {
        service_say(service, "out of memory");
        return false;
    }
    keeper->settings = conf;
    keeper->uid = service->profile.uid;
    keeper->gid = service->profile.gid;
    for (size_t i = 0; i < ARRAY_LENGTH(system_paths); i++)
        sandbox_paths_add(&keeper->paths, system_paths[i], SANDBOX_PATH_READ);
    if (!add_services(keeper, conf->smtp_sasl_password_maps, &service->arena, &has_any) ||
        !add_services(keeper, conf->lmtp_sasl_password_maps, &service->arena, &has_any)) {
        service_say(service, "out of memory");
        return false;
    }
    if (!has_any)
        return true;
    authd->relay_descriptor = part_fork(run_keeper, keeper);
    if (authd->relay_descriptor < 0)
        service_say(service, "cannot start a process: %s", strerror(errno));
    return authd->relay_descriptor >= 0;
}

/* ---- the dispatcher ---- */

static void on_keeper_gone(struct ipc_channel *channel, const char *reason, void *context)
{
    struct authd *authd = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&authd->relay);
    /* This process cannot make another. */
    maillog_text(&authd->service->log, LOG_LEVEL_WARNING, span_empty(),
                 "the process for passwords of other servers is gone; starting over");
    service_leave(authd->service, EXIT_FAILURE);
}

static const struct ipc_permission no_permissions[] = {{0, 0}};

bool relay_begin(struct authd *authd)
{
    static const struct ipc_channel_handlers handlers = {NULL, on_keeper_gone, no_permissions};

    if (authd->relay_descriptor < 0)
        return true;
    authd->relay = ipc_channel_create(authd->service->loop, authd->relay_descriptor, IPC_ROLE_AUTHD,
                                      &handlers, authd);
    return authd->relay != NULL;
}

/* There are no passwords for anybody. */
static void refuse(struct ipc_channel *channel, const struct ipc_delivery *delivery, void *context)
{
    const struct ipc_relay_auth_reply reply = {.result = RELAY_AUTH_NO_PASSWORD,
                                               .mechanism = span_empty(),
                                               .response = span_empty(),
                                               .reason = span_empty()};
    (void)context;
    if (delivery->id != 0)
        (void)ipc_channel_reply(channel, delivery->id, IPC_RELAY_AUTH_REPLY, &reply);
}

static void on_refused_gone(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)reason;
    (void)context;
    ipc_channel_destroy(&channel);
}

/* A process that serves, known by its lifeline. */
struct relay_process {
    struct list_link link;
    struct authd *authd;
    struct event event;
    int lifeline;
    struct service_peer client; /* but for its service */
};

static void release_process(struct relay_process *process)
{
    list_remove(&process->authd->relay_servers, &process->link);
    (void)event_del(&process->event);
    file_close(process->lifeline);
    free(process);
}

static void on_process_gone(evutil_socket_t lifeline UNUSED, short what UNUSED, void *context)
{
    struct relay_process *process = context;
    service_tell_lost(process->authd->service, &process->client);
    release_process(process);
}

/* A client that says time and again that its channel has closed gets no crowd of processes. */
static void replace_process(const struct authd *authd, uint32_t client)
{
    LIST_FOR_EACH (&authd->relay_servers, link) {
        struct relay_process *process = LIST_ITEM(link, struct relay_process, link);
        if (process->client.process_number == client)
            release_process(process);
    }
}

/* The other end of its lifeline; -1 when memory or descriptors are out. */
static int watch_process(struct authd *authd, const struct service_peer *client)
{
    int ends[2];
    struct relay_process *process = calloc(1, sizeof(*process));
    if (!process || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        free(process);
        return -1;
    }
    process->authd = authd;
    process->client = *client;
    process->client.service = span_empty();
    process->lifeline = ends[0];
    list_append(&authd->relay_servers, &process->link);
    if (event_assign(&process->event, loop_event_base(authd->service->loop), ends[0],
                     EV_READ | EV_PERSIST, on_process_gone, process) == 0 &&
        event_add(&process->event, NULL) == 0)
        return ends[1];
    release_process(process);
    file_close(ends[1]);
    return -1;
}

static void hand_on(struct authd *authd, const struct service_peer *peer, int descriptor)
{
    replace_process(authd, peer->process_number);
    const struct ipc_relay_auth_serve message = {.role = peer->role,
                                                 .socket = descriptor,
                                                 .service = peer->service,
                                                 .lifeline = watch_process(authd, peer)};
    /* Takes the descriptors, whatever becomes of it; both sides see them closed. */
    (void)ipc_channel_send(authd->relay, IPC_RELAY_AUTH_SERVE, &message);
}

void relay_add(struct authd *authd, const struct service_peer *peer, int descriptor)
{
    static const struct ipc_permission permissions[] = {
        {IPC_RELAY_AUTH_START, IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LMTP)}, {0, 0}};
    static const struct ipc_channel_handlers handlers = {refuse, on_refused_gone, permissions};

    if (authd->relay)
        hand_on(authd, peer, descriptor);
    else if (!ipc_channel_create(authd->service->loop, descriptor, peer->role, &handlers, authd))
        maillog_text(&authd->service->log, LOG_LEVEL_WARNING, span_empty(), "out of memory");
}
