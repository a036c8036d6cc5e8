/* crew/nursery - see nursery.h. */
#include "crew/nursery.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/file.h"
#include "system/note.h"
#include "system/part.h"
#include "system/watchdog.h"

enum { DESCRIPTOR_LIMIT = 256 };

/* Of the nursery, and, after the fork, of a worker. */
struct process {
    struct nursery_plan plan;
    const struct sandbox_filter *filter; /* of workers; NULL: they are unconfined */
    struct watchdog watchdog;
    struct ipc_permission wants[2];
    struct ipc_channel_handlers handlers;
};

static void on_dispatcher_gone(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                               void *context UNUSED)
{
    _exit(EXIT_SUCCESS);
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

/* filter: made before, or NULL. */
static void close_in(const struct nursery_plan *plan, const char *who, unsigned promises,
                     const struct sandbox_filter *filter, int kept_descriptor)
{
    const struct sandbox_profile profile = {.promises = promises,
                                            .kept_fds = &kept_descriptor,
                                            .kept_fd_count = 1,
                                            .uid = plan->uid,
                                            .gid = plan->gid,
                                            .paths = plan->paths,
                                            .path_count = plan->path_count,
                                            .filter = filter,
                                            .descriptor_limit = DESCRIPTOR_LIMIT};
    struct sandbox_error error;
    if (plan->is_unconfined) {
        close_others(kept_descriptor);
    } else if (!sandbox_enter(&profile, &error)) {
        (void)fprintf(stderr, "%s %s: %s: %s\n", plan->program, who, error.step,
                      strerror(error.error_number));
        _exit(EXIT_FAILURE);
    }
}

/* A loop of the process itself: the parent's belongs to the parent. */
static NORETURN void serve(struct process *process, int descriptor)
{
    struct loop *loop = loop_create();
    struct ipc_channel *channel =
        loop ? ipc_channel_create(loop, descriptor, process->plan.dispatcher, &process->handlers,
                                  process)
             : NULL;
    if (!channel)
        _exit(EXIT_FAILURE);
    if (process->plan.is_secret)
        ipc_channel_set_secret(channel);
    loop_run(loop);
    _exit(EXIT_SUCCESS);
}

/* ---- a worker ---- */

static void on_question(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                        void *context)
{
    struct process *process = context;
    if (delivery->id == 0)
        return;
    watchdog_set(&process->watchdog, true);
    process->plan.answer(process->plan.context, channel, delivery);
    watchdog_set(&process->watchdog, false);
}

static NORETURN void run_worker(struct process *process, int descriptor)
{
    const struct nursery_plan *plan = &process->plan;

    /* Programs that an unconfined worker's modules start are waited for by these. */
    if (signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        _exit(EXIT_FAILURE);
    close_in(plan, "worker", plan->promises, process->filter, descriptor);
    process->handlers =
        (struct ipc_channel_handlers){on_question, on_dispatcher_gone, plan->questions};
    if (watchdog_start(&process->watchdog, plan->limit_ms))
        serve(process, descriptor);
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

void nursery_warm_up_name_service(void)
{
    (void)getpwnam("posthouse-no-such-user"); /* asks every service in turn */
    (void)getgrnam("posthouse-no-such-group");
}

static NORETURN void run_nursery(void *context, int descriptor)
{
    const struct nursery_plan *plan = context;
    struct process *process = calloc(1, sizeof(*process));

    note_detach();
    if (!process || signal(SIGCHLD, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        _exit(EXIT_FAILURE);
    process->plan = *plan;
    plan = &process->plan;
    sandbox_warm_up_common();
    if (!plan->warm_up(&process->plan))
        _exit(EXIT_FAILURE);
    if (!plan->is_unconfined) {
        /* The workers' filter: it cannot be made behind a filter. */
        process->filter = sandbox_filter_create(plan->promises, false);
        if (!process->filter)
            _exit(EXIT_FAILURE);
    }
    close_in(plan, "nursery", plan->promises | SANDBOX_SPAWN | SANDBOX_SOCKETPAIR, NULL,
             descriptor);
    /* From now on this is what its workers are, too. */
    if (plan->uid != SANDBOX_SAME_USER) {
        process->plan.uid = getuid();
        process->plan.gid = getgid();
    }
    process->wants[0] = (struct ipc_permission){IPC_NURSERY_WANT, IPC_ROLE_BIT(plan->dispatcher)};
    process->handlers = (struct ipc_channel_handlers){on_want, on_dispatcher_gone, process->wants};
    serve(process, descriptor);
}

int nursery_start(const struct nursery_plan *plan)
{
    struct nursery_plan own = *plan;
    return part_fork(run_nursery, &own);
}
