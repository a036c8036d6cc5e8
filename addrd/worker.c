/* addrd/worker - see worker.h. */
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

enum {
    WORKER_DESCRIPTOR_LIMIT = 256,
    WORKER_VALUE_MAX_BYTES = 57344, /* IPC_RECORDS_MAX */
    WORKER_REASON_MAX_BYTES = 2048, /* IPC_REASON_MAX */
    WORKER_NOTES_MAX_BYTES = 1500
};

/* What a worker promises, and the nursery too, since a child's filter only adds to its parent's. */
#define WORKER_PROMISES (SANDBOX_RECEIVE_FDS | SANDBOX_READ_FILES | SANDBOX_NSS | SANDBOX_THREADS)

/* ---- a worker ---- */

struct worker {
    const struct worker_setup *setup;
    struct table **tables; /* by number; NULL: not opened yet */
    struct watchdog watchdog;
    struct buffer notes; /* of the present look-up */
};

/* What is odd in a table's text goes back with the answer of the look-up that read it, up to what
 * fits; the dispatcher has the log. */
static void note_warning(void *context, struct span text)
{
    struct worker *worker = context;
    if (worker->notes.length + text.length + 2 > WORKER_NOTES_MAX_BYTES)
        return;
    if (worker->notes.length)
        buffer_append_string(&worker->notes, "; ");
    buffer_append_span(&worker->notes, text);
}

static enum table_result look_up(struct worker *worker, const struct ipc_table_lookup *question,
                                 struct buffer *value, struct buffer *reason)
{
    const struct table_options options = {
        .flags = TABLE_MAY_BLOCK, .warn = note_warning, .warn_context = worker};
    const uint32_t number = question->table;

    if (number >= worker->setup->tables->count) {
        buffer_append_string(reason, "no table of that number");
        return TABLE_ERROR;
    }
    if (!worker->tables[number])
        worker->tables[number] =
            table_open(table_name(worker->setup->tables->all[number]), &options, reason);
    if (!worker->tables[number])
        return TABLE_ERROR;
    const enum table_result result = table_lookup(worker->tables[number], question->key, value);
    if (result == TABLE_ERROR)
        buffer_append_span(reason, table_error(worker->tables[number]));
    else
        buffer_append_span(reason, buffer_span(&worker->notes));
    return result;
}

static void on_question(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                        void *context)
{
    struct worker *worker = context;
    struct buffer value;
    struct buffer reason;

    if (delivery->type != IPC_TABLE_LOOKUP || delivery->id == 0)
        return;
    buffer_init(&value, NULL, WORKER_VALUE_MAX_BYTES);
    buffer_init(&reason, NULL, WORKER_REASON_MAX_BYTES);
    buffer_init(&worker->notes, NULL, WORKER_NOTES_MAX_BYTES);
    watchdog_set(&worker->watchdog, true);
    const enum table_result result = look_up(worker, delivery->message, &value, &reason);
    watchdog_set(&worker->watchdog, false);
    const struct ipc_table_lookup_reply reply = {
        .status = buffer_ok(&value) ? (uint32_t)result : TABLE_ERROR,
        .value = buffer_ok(&value) ? buffer_span(&value) : span_empty(),
        .reason = buffer_span(&reason)};
    (void)ipc_channel_reply(channel, delivery->id, IPC_TABLE_LOOKUP_REPLY, &reply);
    buffer_release(&worker->notes);
    buffer_release(&value);
    buffer_release(&reason);
}

static void on_dispatcher_gone(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                               void *context UNUSED)
{
    _exit(EXIT_SUCCESS);
}

static NORETURN void fail(const char *who, const struct sandbox_error *error)
{
    (void)fprintf(stderr, "addrd %s: %s: %s\n", who, error->step, strerror(error->error_number));
    _exit(EXIT_FAILURE);
}

/* filter: made before, or NULL. */
static void close_in(const struct worker_setup *setup, const char *who, unsigned promises,
                     const struct sandbox_filter *filter, int kept_descriptor)
{
    const struct sandbox_profile profile = {.promises = promises,
                                            .kept_fds = &kept_descriptor,
                                            .kept_fd_count = 1,
                                            .uid = setup->uid,
                                            .gid = setup->gid,
                                            .paths = setup->paths,
                                            .path_count = setup->path_count,
                                            .filter = filter,
                                            .descriptor_limit = WORKER_DESCRIPTOR_LIMIT};
    struct sandbox_error error;
    if (!sandbox_enter(&profile, &error))
        fail(who, &error);
}

/* A loop of the process itself: the parent's belongs to the parent. */
static void serve(enum ipc_role peer, int descriptor, const struct ipc_channel_handlers *handlers,
                  void *context)
{
    struct loop *loop = loop_create();
    if (!loop || !ipc_channel_create(loop, descriptor, peer, handlers, context))
        _exit(EXIT_FAILURE);
    loop_run(loop);
    _exit(EXIT_SUCCESS);
}

static NORETURN void run_worker(const struct worker_setup *setup, int descriptor)
{
    static const struct ipc_permission permissions[] = {
        {IPC_TABLE_LOOKUP, IPC_ROLE_BIT(IPC_ROLE_ADDRD)}, {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_question, on_dispatcher_gone,
                                                         permissions};
    struct worker *worker = calloc(1, sizeof(*worker));

    close_in(setup, "worker", WORKER_PROMISES, setup->filter, descriptor);
    if (worker) {
        worker->setup = setup;
        worker->tables = calloc(setup->tables->count + 1, sizeof(struct table *));
    }
    if (worker && worker->tables && watchdog_start(&worker->watchdog, setup->lookup_limit_ms))
        serve(IPC_ROLE_ADDRD, descriptor, &handlers, worker);
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
    const struct ipc_nursery_worker reply = {.socket = ends[0],
                                             .process_id = child > 0 ? (uint32_t)child : 0};
    if (ends[0] < 0 || !ipc_channel_reply(channel, delivery->id, IPC_NURSERY_WORKER, &reply))
        _exit(EXIT_FAILURE); /* nothing can be made here any more */
}

/* Modules of the name service are loaded here, once for all workers. */
static void warm_up_name_service(void)
{
    (void)getpwnam("posthouse-no-such-user"); /* asks every service in turn */
    (void)getgrnam("posthouse-no-such-group");
    sandbox_warm_up_common();
}

static NORETURN void run_nursery(const struct worker_setup *setup, int descriptor)
{
    static const struct ipc_permission permissions[] = {
        {IPC_NURSERY_WANT, IPC_ROLE_BIT(IPC_ROLE_ADDRD)}, {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_want, on_dispatcher_gone, permissions};
    struct worker_setup *kept = malloc(sizeof(*kept));

    note_detach();
    if (!kept || signal(SIGCHLD, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        _exit(EXIT_FAILURE);
    *kept = *setup;
    warm_up_name_service();
    /* The workers' filter: it cannot be made behind a filter. */
    kept->filter = sandbox_filter_create(WORKER_PROMISES, false);
    if (!kept->filter)
        _exit(EXIT_FAILURE);
    close_in(kept, "nursery", WORKER_PROMISES | SANDBOX_SPAWN | SANDBOX_SOCKETPAIR, NULL,
             descriptor);
    /* From now on this is what its workers are, too. */
    if (setup->uid != SANDBOX_SAME_USER) {
        kept->uid = getuid();
        kept->gid = getgid();
    }
    serve(IPC_ROLE_ADDRD, descriptor, &handlers, kept);
    _exit(EXIT_SUCCESS);
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
