/* local/worker - see worker.h. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "root_part.h"
#include "system/file.h"
#include "system/note.h"
#include "system/part.h"

/* A worker allocates and flushes, reads messages and writes files below one directory. */
#define WORKER_PROMISES (SANDBOX_MAILDIR | SANDBOX_THREADS | SANDBOX_RECEIVE_FDS)
/* The root part's filter is its children's, too: it must permit what they need. */
#define ROOT_PART_PROMISES (WORKER_PROMISES | SANDBOX_SPAWN | SANDBOX_NSS)

enum {
    WORKER_DESCRIPTORS = 8192,
    LEAVE_CHECK_MS = 20,
    REFUSAL_LIFE_MS = 500,
    IDENTITY_ARENA_BYTES = 1 << 20
};

struct worker {
    const struct worker_program *program;
    struct loop *loop;
    struct pool *pool;
    struct agent *agent;
    struct loop_timer leave_timer;
    struct loop_timer refusal_timer;
    struct worker_identity identity;
};

void worker_refuse(struct worker_identity *identity, enum outcome_kind kind, uint16_t subject,
                   uint16_t detail, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(identity->text, sizeof(identity->text), format, arguments);
    va_end(arguments);
    identity->rules.is_refusing = true;
    identity->rules.refusal = outcome_make(kind, kind == OUTCOME_PERMANENT ? 550 : 451, subject,
                                           detail, span_from_string(identity->text));
}

/* What ps(1) shows: "local: user". The kernel keeps 15 bytes. */
static void set_process_name(const struct worker_program *program, struct span rest)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "%s: %.*s", ipc_role_name(program->role), SPAN_PRINTF(rest));
    (void)prctl(PR_SET_NAME, name, 0, 0, 0); /* a help for people only */
}

/* ---- the worker ---- */

/* A spool directory that only its group may write to: the user's mailbox is made with that group,
 * which the worker then gives up. What is there already, or cannot be made, shows at the delivery.
 */
static void make_spool_file(const struct worker_identity *identity)
{
    char directory[WORKER_PATH_MAX_BYTES / 4];
    struct stat status;
    const size_t slash = span_find_last_byte(span_from_string(identity->spool_path), '/');
    if (slash == 0 || slash >= sizeof(directory))
        return;
    memcpy(directory, identity->spool_path, slash);
    directory[slash] = '\0';
    if (stat(directory, &status) != 0 || (status.st_mode & S_IWOTH) ||
        !(status.st_mode & S_IWGRP) || setresgid(status.st_gid, status.st_gid, 0) != 0)
        return;
    if (setresuid(identity->uid, identity->uid, 0) == 0)
        file_close(
            open(identity->spool_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (setresuid(0, 0, 0) != 0 || setresgid(0, 0, 0) != 0)
        _exit(1);
}

static bool become(const struct worker *worker, uid_t uid, gid_t gid, const char *user_name)
{
    if (!worker->program->is_root)
        return getuid() == uid;
    if ((user_name ? initgroups(user_name, gid) : setgroups(1, &gid)) != 0)
        return false;
    return setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0 &&
           setresuid(0, 0, 0) != 0;
}

/* Who reads mail as one of the daemons could reach what is that daemon's: the queue, its key. */
static bool is_mail_systems(const struct worker *worker)
{
    const struct worker_identity *identity = &worker->identity;
    const char *name = identity->user_name;
    return worker->program->is_root && name &&
           (identity->uid == worker->program->refusing_uid || strcmp(name, "posthouse") == 0 ||
            span_starts_with(span_from_string(name), SPAN("posthouse-")));
}

static bool take_identity(struct worker *worker, struct span key)
{
    struct worker_identity *identity = &worker->identity;
    const struct worker_program *program = worker->program;
    arena_init(&identity->arena, IDENTITY_ARENA_BYTES, 0);
    identity->rules.base = -1;
    program->identify(identity, key, program->context);
    if (identity->is_answering)
        return true;
    if (identity->is_unprivileged && !identity->rules.is_refusing)
        return !program->is_root ||
               become(worker, program->refusing_uid, program->refusing_gid, NULL);
    const bool was_refusing = identity->rules.is_refusing;
    if (!identity->rules.is_refusing && identity->uid == 0)
        worker_refuse(identity, OUTCOME_TEMPORARY, 2, 0, WORKER_NO_MAIL_AS_ROOT);
    if (!identity->rules.is_refusing && is_mail_systems(worker))
        worker_refuse(identity, OUTCOME_TEMPORARY, 2, 0,
                      "mail for %s, a user of the mail system, is not delivered as that user: give "
                      "it an alias",
                      identity->user_name);
    identity->rules.is_declined = !was_refusing && identity->rules.is_refusing;
    if (!identity->rules.is_refusing && !program->is_root && identity->uid != getuid())
        worker_refuse(identity, OUTCOME_TEMPORARY, 2, 0,
                      "delivery to another user's mailbox needs a master that runs as root");
    if (!identity->rules.is_refusing) {
        if (identity->spool_path && program->is_root)
            make_spool_file(identity);
        if (!become(worker, identity->uid, identity->gid, identity->user_name))
            return false;
        if (!identity->base_path)
            return true;
        /* As the user: root might reach where its owner may not. */
        identity->rules.base = open(identity->base_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (identity->rules.base < 0)
            worker_refuse(identity, OUTCOME_TEMPORARY, 2, 0, "cannot open directory %s: %s",
                          identity->base_path, strerrordesc_np(errno));
        return true;
    }
    return !program->is_root || become(worker, program->refusing_uid, program->refusing_gid, NULL);
}

/* No filter, but nothing else either: what a command gets is what its user has. */
static bool let_go(const int *kept, size_t kept_count)
{
    const struct rlimit no_core = {0, 0};
    int first = STDERR_FILENO + 1;
    for (size_t i = 0; i < kept_count; i++) {
        if (kept[i] < first)
            continue;
        if (kept[i] > first && close_range((unsigned)first, (unsigned)kept[i] - 1, 0) != 0)
            return false;
        first = kept[i] + 1;
    }
    return close_range((unsigned)first, ~0U, 0) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0 &&
           prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool close_in(const struct worker *worker, int socket)
{
    const struct worker_identity *identity = &worker->identity;
    const struct sandbox_path base = {identity->base_path, SANDBOX_PATH_READ | SANDBOX_PATH_WRITE};
    const bool is_refusing = identity->rules.is_refusing;
    const bool has_base = identity->rules.base >= 0 && !is_refusing;
    const bool is_low = has_base && identity->rules.base < socket;
    const int kept[] = {is_low ? identity->rules.base : socket,
                        is_low ? socket : identity->rules.base};
    if (worker->program->runs_commands || identity->is_answering)
        return let_go(kept, has_base ? 2 : 1); /* the latter has the root part's filter */
    const struct sandbox_profile profile = {
        .promises = WORKER_PROMISES,
        .uid = SANDBOX_SAME_USER,
        .gid = SANDBOX_SAME_GROUP,
        .kept_fds = kept,
        .kept_fd_count = has_base ? 2 : 1,
        .paths = identity->path_count > 0 ? identity->paths : &base,
        .path_count = is_refusing                ? 0
                      : identity->path_count > 0 ? identity->path_count
                                                 : has_base,
        .descriptor_limit = WORKER_DESCRIPTORS,
        .filter = worker->program->filter,
    };
    struct sandbox_error error;
    return sandbox_enter(&profile, &error);
}

/* What is under way is seen through, though nobody hears of it: the descriptors with their locks
 * stay open so long, and no new qmgr begins the same delivery beside us. */
static void leave_when_done(void *context)
{
    struct worker *worker = context;
    if (agent_pending_count(worker->agent) == 0)
        _exit(0);
    loop_timer_set(&worker->leave_timer, clock_deadline_after(LEAVE_CHECK_MS));
}

/* What was wrong may have been put right: somebody else looks again, however often we are asked. */
static void leave_after_refusals(void *context)
{
    struct worker *worker = context;
    if (agent_message_count(worker->agent) == 0)
        _exit(0);
    loop_timer_set(&worker->refusal_timer, clock_deadline_after(LEAVE_CHECK_MS));
}

static void on_dispatcher_gone(struct agent *agent, void *context)
{
    (void)agent;
    leave_when_done(context);
}

/* The Maildir engine by itself; everything refused is its work, too. */
static void *begin_deliverer(const struct worker_place *place)
{
    return deliverer_create(place->loop, place->pool, &place->identity->rules);
}

static bool serve(struct worker *worker, int socket)
{
    const struct worker_program *program = worker->program;
    const bool is_refusing = worker->identity.rules.is_refusing;
    const bool has_own = program->begin != NULL;
    if (!(worker->loop = loop_create()) ||
        (!is_refusing && !program->runs_commands &&
         !(worker->pool = pool_create(worker->loop, DELIVERER_THREADS))))
        return false;
    const struct worker_place place = {
        .loop = worker->loop, .pool = worker->pool, .identity = &worker->identity};
    const struct agent_settings settings = {
        .capacity = DELIVERER_CAPACITY,
        .is_worker = true,
        .takes_verification = true,
        .deliver = has_own ? program->deliver : deliverer_deliver,
        .context = has_own ? program->begin(&place) : begin_deliverer(&place),
        .on_closed = on_dispatcher_gone,
        .on_closed_context = worker,
        .on_question = has_own ? program->on_question : NULL};
    loop_timer_init(&worker->leave_timer, worker->loop, leave_when_done, worker);
    loop_timer_init(&worker->refusal_timer, worker->loop, leave_after_refusals, worker);
    if (is_refusing && !worker->identity.is_answering)
        loop_timer_set(&worker->refusal_timer, clock_deadline_after(REFUSAL_LIFE_MS));
    if (!settings.context || !(worker->agent = agent_create(worker->loop, &settings)))
        return false;
    agent_attach(worker->agent, socket, program->role);
    return true;
}

static NORETURN void run_worker(void *context, struct span key, int socket)
{
    const struct worker_program *program = context;
    static struct worker worker; /* one per process; large, so not on the stack */
    worker.program = program;
    set_process_name(program, key);
    (void)signal(SIGCHLD, SIG_DFL);
    if (!take_identity(&worker, key) || !close_in(&worker, socket) || !serve(&worker, socket))
        _exit(1); /* the dispatcher sees the channel close and defers the mail */
    loop_run(worker.loop);
    _exit(0);
}

/* ---- the root part ---- */

/* The two capabilities that making workers takes; what a command's set-uid programs may have is not
 * ours to take away. */
static bool keep_only_user_changes(void)
{
    const uint32_t kept = 1U << CAP_SETUID | 1U << CAP_SETGID;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = kept, .permitted = kept, .inheritable = 0}};
    return syscall(SYS_capset, &header, data) == 0;
}

static bool close_root_part_in(const struct service *service, const struct worker_program *program,
                               int socket)
{
    if (program->runs_commands)
        return let_go(&socket, 1) && (!program->is_root || keep_only_user_changes());
    static const struct sandbox_path everything = {"/", SANDBOX_PATH_READ | SANDBOX_PATH_WRITE};
    const struct sandbox_profile profile = {
        .promises = ROOT_PART_PROMISES,
        .uid = program->is_root ? 0 : getuid(),
        .gid = program->is_root ? 0 : getgid(),
        .kept_fds = &socket,
        .kept_fd_count = 1,
        .paths = &everything,
        .path_count = 1,
        .descriptor_limit = WORKER_DESCRIPTORS,
    };
    struct sandbox_error error;
    (void)service;
    if (sandbox_enter(&profile, &error))
        return true;
    (void)fprintf(stderr, "%s: root part: cannot %s: %s\n", service->definition->program,
                  error.step, strerrordesc_np(error.error_number));
    return false;
}

struct root_part {
    const struct service *service;
    struct worker_program program;
};

static NORETURN void run_root_part(void *context, int socket)
{
    struct root_part *part = context;
    struct worker_program *program = &part->program;
    note_detach();
    set_process_name(program, program->runs_commands ? SPAN("commands") : SPAN("root part"));
    root_part_warm_up();
    sandbox_warm_up_common();
    if (!program->runs_commands)
        program->filter = sandbox_filter_create(WORKER_PROMISES, false);
    if ((!program->filter && !program->runs_commands) ||
        !close_root_part_in(part->service, program, socket))
        _exit(1);
    root_part_serve(socket, program->role, run_worker, program);
}

int worker_fork_root_part(struct service *service, const struct worker_program *program)
{
    struct root_part part = {service, *program};
    return part_fork(run_root_part, &part);
}
