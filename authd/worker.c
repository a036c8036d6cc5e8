/* authd/worker - see worker.h. */
#include "worker.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "system/file.h"
#include "system/loop.h"
#include "system/note.h"
#include "system/watchdog.h"

enum { DESCRIPTOR_LIMIT = 256, ANSWER_ARENA_BYTES = 1 << 20, LOAD_ARENA_BYTES = 65536 };

static const unsigned promises_of_kind[DATABASE_KIND_COUNT] = {
    [DATABASE_OF_FILES] = SANDBOX_RECEIVE_FDS | SANDBOX_READ_FILES | SANDBOX_THREADS,
    [DATABASE_OF_NETWORK] = SANDBOX_RECEIVE_FDS | SANDBOX_READ_FILES | SANDBOX_THREADS |
                            SANDBOX_CONNECT | SANDBOX_CONNECT_LOCAL | SANDBOX_NSS,
    [DATABASE_OF_SHADOW] =
        SANDBOX_RECEIVE_FDS | SANDBOX_READ_FILES | SANDBOX_THREADS | SANDBOX_NSS | SANDBOX_SPAWN,
};

/* What stored passwords are made stronger with is the right to write them. */
#define UPGRADE_PROMISES (SANDBOX_CHANGE_FILES | SANDBOX_WRITE_FD | SANDBOX_SYNC)

static unsigned promises_of(const struct worker_setup *setup)
{
    return promises_of_kind[setup->kind] |
           (setup->kind == DATABASE_OF_FILES && setup->may_write ? UPGRADE_PROMISES : 0U);
}

struct worker {
    const struct worker_setup *setup;
    struct watchdog watchdog;
};

static NORETURN void fail(const char *who, const struct sandbox_error *error)
{
    (void)fprintf(stderr, "authd %s: %s: %s\n", who, error->step, strerror(error->error_number));
    _exit(EXIT_FAILURE);
}

static bool is_of_root(enum database_kind kind)
{
    return kind == DATABASE_OF_SHADOW || kind == DATABASE_OF_PAM;
}

/* What was open before is not for modules; and the dispatcher's end of the pair, if it stayed here,
 * would hide that the dispatcher is gone. */
static void close_others(int kept_descriptor)
{
    const unsigned kept = (unsigned)kept_descriptor, first = STDERR_FILENO + 1;
    if ((kept > first && close_range(first, kept - 1, 0) != 0) ||
        close_range(kept + 1, ~0U, 0) != 0)
        _exit(EXIT_FAILURE);
}

/* filter: made before, or NULL. Modules of PAM run what they like, so that only the descriptors are
 * closed there. */
static void close_in(const struct worker_setup *setup, const char *who, unsigned promises,
                     const struct sandbox_filter *filter, int kept_descriptor)
{
    const bool keeps_user = is_of_root(setup->kind) || setup->uid == SANDBOX_SAME_USER;
    const struct sandbox_profile profile = {.promises = promises,
                                            .kept_fds = &kept_descriptor,
                                            .kept_fd_count = 1,
                                            .uid = keeps_user ? getuid() : setup->uid,
                                            .gid = keeps_user ? getgid() : setup->gid,
                                            .paths = setup->paths,
                                            .path_count = setup->path_count,
                                            .filter = filter,
                                            .descriptor_limit = DESCRIPTOR_LIMIT};
    struct sandbox_error error;
    if (setup->kind == DATABASE_OF_PAM)
        close_others(kept_descriptor);
    else if (!sandbox_enter(&profile, &error))
        fail(who, &error);
}

/* A loop of the process itself: the parent's belongs to the parent. */
static NORETURN void serve(int descriptor, const struct ipc_channel_handlers *handlers,
                           void *context)
{
    struct loop *loop = loop_create();
    struct ipc_channel *channel =
        loop ? ipc_channel_create(loop, descriptor, IPC_ROLE_AUTHD, handlers, context) : NULL;
    if (!channel)
        _exit(EXIT_FAILURE);
    ipc_channel_set_secret(channel);
    loop_run(loop);
    _exit(EXIT_SUCCESS);
}

/* ---- a worker ---- */

static void reply(struct ipc_channel *channel, uint32_t id, struct database_answer *answer)
{
    const struct ipc_password_reply message = {.result = answer->result,
                                               .user = answer->user,
                                               .verifier = answer->verifier,
                                               .name = answer->name,
                                               .reason = buffer_span(&answer->reason),
                                               .warning = buffer_span(&answer->warning),
                                               .is_upgraded = answer->is_upgraded};
    (void)ipc_channel_reply(channel, id, IPC_PASSWORD_REPLY, &message); /* or it is gone */
}

static struct database *find_database(const struct worker_setup *setup, uint32_t number)
{
    return number < setup->database_count && setup->databases[number].type->kind == setup->kind
               ? &setup->databases[number]
               : NULL;
}

static void refuse(struct ipc_channel *channel, uint32_t id)
{
    const struct ipc_password_reply message = {.result = CREDENTIAL_ERROR,
                                               .reason = SPAN("no database of that number")};
    (void)ipc_channel_reply(channel, id, IPC_PASSWORD_REPLY, &message);
}

/* Where the last database has nobody whose password could be compared, like those before it. */
static void spend_time(const struct worker_setup *setup, const struct database *database,
                       const struct credential_question *question)
{
    bool is_spent = database_spend_time(database, question);
    for (size_t i = 0; i < setup->database_count && !is_spent; i++)
        is_spent = database_spend_time(&setup->databases[i], question);
}

static void check_password(struct worker *worker, struct ipc_channel *channel, uint32_t id,
                           const struct ipc_password_check *message)
{
    struct database *database = find_database(worker->setup, message->database);
    const struct credential_question question = {message->user, message->password, message->service,
                                                 message->client_address};
    struct database_answer answer;
    struct arena arena;
    if (!database) {
        refuse(channel, id);
        return;
    }
    arena_init(&arena, ANSWER_ARENA_BYTES, ARENA_WIPE);
    database_check(database, &question, &arena, &answer);
    if (answer.result == CREDENTIAL_UNKNOWN && message->is_last)
        spend_time(worker->setup, database, &question);
    reply(channel, id, &answer);
    arena_destroy(&arena);
}

static void find_password(struct worker *worker, struct ipc_channel *channel, uint32_t id,
                          const struct ipc_password_find *message)
{
    struct database *database = find_database(worker->setup, message->database);
    const struct credential_question question = {message->user, span_empty(), message->service,
                                                 message->client_address};
    struct database_answer answer;
    struct arena arena;
    if (!database) {
        refuse(channel, id);
        return;
    }
    arena_init(&arena, ANSWER_ARENA_BYTES, ARENA_WIPE);
    database_find(database, &question, message->scheme, &arena, &answer);
    reply(channel, id, &answer);
    arena_destroy(&arena);
}

static void on_question(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                        void *context)
{
    struct worker *worker = context;
    if (delivery->id == 0)
        return;
    watchdog_set(&worker->watchdog, true);
    if (delivery->type == IPC_PASSWORD_CHECK)
        check_password(worker, channel, delivery->id, delivery->message);
    else
        find_password(worker, channel, delivery->id, delivery->message);
    watchdog_set(&worker->watchdog, false);
}

static void on_dispatcher_gone(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                               void *context UNUSED)
{
    _exit(EXIT_SUCCESS);
}

static NORETURN void run_worker(const struct worker_setup *setup, int descriptor)
{
    static const struct ipc_permission permissions[] = {
        {IPC_PASSWORD_CHECK, IPC_ROLE_BIT(IPC_ROLE_AUTHD)},
        {IPC_PASSWORD_FIND, IPC_ROLE_BIT(IPC_ROLE_AUTHD)},
        {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_question, on_dispatcher_gone,
                                                         permissions};
    struct worker *worker = calloc(1, sizeof(*worker));

    /* Programs that a PAM module starts are waited for by it. */
    if (!worker || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        _exit(EXIT_FAILURE);
    close_in(setup, "worker", promises_of(setup), setup->filter, descriptor);
    worker->setup = setup;
    if (watchdog_start(&worker->watchdog, setup->limit_ms))
        serve(descriptor, &handlers, worker);
    _exit(EXIT_FAILURE);
}

/* ---- the nursery ---- */

static void on_want(struct ipc_channel *channel, const struct ipc_delivery *delivery, void *context)
{
    int ends[2] = {-1, -1};
    pid_t child = -1;

    if (delivery->type != IPC_NURSERY_WANT || delivery->id == 0)
        return;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0)
        child = fork();
    if (child == 0)
        run_worker(context, ends[1]);
    file_close(ends[1]);
    /* When the fork failed the dispatcher finds the channel closed, and asks again later. */
    const struct ipc_nursery_worker message = {.socket = ends[0],
                                               .process_id = child > 0 ? (uint32_t)child : 0};
    if (ends[0] < 0 || !ipc_channel_reply(channel, delivery->id, IPC_NURSERY_WORKER, &message))
        _exit(EXIT_FAILURE); /* nothing can be made here any more */
}

/* What libraries load when they are first used is loaded here, once for all workers. */
static void warm_up(enum database_kind kind)
{
    if (kind != DATABASE_OF_FILES) {
        (void)getpwnam("posthouse-no-such-user"); /* asks every service in turn */
        (void)getgrnam("posthouse-no-such-group");
    }
    sandbox_warm_up_common();
    (void)!sandbox_warm_up_crypto(); /* the dispatcher has tried it, too */
}

/* A file that is named in the file that a database names: its directory is to be read, too. */
static void add_data_path(struct worker_setup *setup, const struct database *database,
                          struct arena *arena)
{
    const size_t slash = span_find_last_byte(database->data_path, '/');
    const char *directory = arena_string(arena, span_first(database->data_path, slash + 1));
    struct sandbox_path *paths = arena_alloc(arena, (setup->path_count + 1) * sizeof(*paths));
    if (slash == database->data_path.length || !directory || !paths)
        return; /* it will be said that the file cannot be opened */
    if (setup->path_count > 0)
        memcpy(paths, setup->paths, setup->path_count * sizeof(*paths));
    paths[setup->path_count] =
        (struct sandbox_path){directory, SANDBOX_PATH_READ | SANDBOX_PATH_OPTIONAL |
                                             (setup->kind == DATABASE_OF_FILES && setup->may_write
                                                  ? (unsigned)SANDBOX_PATH_WRITE
                                                  : 0U)};
    setup->paths = paths;
    setup->path_count++;
}

static void load_databases(struct worker_setup *setup)
{
    struct arena *arena = malloc(sizeof(*arena)); /* as long as the process */
    if (!arena)
        _exit(EXIT_FAILURE);
    arena_init(arena, LOAD_ARENA_BYTES, 0);
    for (size_t i = 0; i < setup->database_count; i++) {
        struct database *database = &setup->databases[i];
        if (database->type->kind != setup->kind)
            continue;
        database_load(database, arena);
        if (database->data_path.length > 0)
            add_data_path(setup, database, arena);
    }
}

static NORETURN void run_nursery(const struct worker_setup *setup, int descriptor)
{
    static const struct ipc_permission permissions[] = {
        {IPC_NURSERY_WANT, IPC_ROLE_BIT(IPC_ROLE_AUTHD)}, {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_want, on_dispatcher_gone, permissions};
    struct worker_setup *kept = malloc(sizeof(*kept));
    const unsigned promises = promises_of(setup);

    note_detach();
    if (!kept || signal(SIGCHLD, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        _exit(EXIT_FAILURE);
    *kept = *setup;
    warm_up(setup->kind);
    load_databases(kept);
    if (setup->kind != DATABASE_OF_PAM) {
        /* The workers' filter: it cannot be made behind a filter. */
        kept->filter = sandbox_filter_create(promises, false);
        if (!kept->filter)
            _exit(EXIT_FAILURE);
    }
    close_in(kept, "nursery", promises | SANDBOX_SPAWN | SANDBOX_SOCKETPAIR, NULL, descriptor);
    /* From now on this is what its workers are, too. */
    if (setup->uid != SANDBOX_SAME_USER) {
        kept->uid = getuid();
        kept->gid = getgid();
    }
    serve(descriptor, &handlers, kept);
}

int nursery_start(const struct worker_setup *setup)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    const pid_t child = fork();
    if (child == 0)
        run_nursery(setup, ends[1]);
    const int error = errno;
    file_close(ends[1]);
    if (child < 0) {
        file_close(ends[0]);
        errno = error;
        return -1;
    }
    return ends[0];
}
