/* local/pipe_run - see pipe_run.h. */
#include "pipe_run.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pipe_copy.h"
#include "root_part.h"
#include "system/command.h"
#include "system/file.h"
#include "system/note.h"
#include "system/part.h"

enum { TEXT_MAX_BYTES = 512 };

struct runner {
    const struct service *service;
    const struct pipe_rules *rules;
    const char *service_name;
    uid_t uid;
    bool is_refusing; /* the service cannot run its command, and why: */
    struct outcome refusal;
    char text[TEXT_MAX_BYTES];
    struct loop *loop;
    struct agent *agent;
};

/* ---- as whom ---- */

static void refuse(struct runner *runner, const char *format, ...) PRINTF_LIKE(2, 3);
static void refuse(struct runner *runner, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(runner->text, sizeof(runner->text), format, arguments);
    va_end(arguments);
    runner->is_refusing = true;
    runner->refusal = outcome_temporary(451, 3, 5, "");
    runner->refusal.reason = span_from_string(runner->text);
}

/* Whose commands could reach what is the mail system's own. */
static bool is_mail_systems(const struct runner *runner, const char *name, uid_t uid)
{
    return uid == runner->service->profile.uid ||
           span_starts_with(span_from_string(name), SPAN("posthouse-"));
}

static bool find_user(struct runner *runner, const char *name, uid_t *uid, gid_t *gid)
{
    errno = 0;
    const struct passwd *user = getpwnam(name);
    if (!user) {
        refuse(runner, "user=%s: %s", name,
               errno ? strerrordesc_np(errno) : "there is no such user");
        return false;
    }
    *uid = user->pw_uid;
    *gid = user->pw_gid;
    if (*uid == 0)
        refuse(runner, "user=%s: a command is not run as root", name);
    else if (runner->service->is_root && is_mail_systems(runner, name, *uid))
        refuse(runner, "user=%s: a command is not run as a user of the mail system", name);
    else if (!runner->service->is_root && *uid != getuid())
        refuse(runner, "user=%s: a command of another user needs a master that runs as root", name);
    return !runner->is_refusing;
}

static bool find_group(struct runner *runner, const char *name, gid_t *gid)
{
    errno = 0;
    const struct group *group = name[0] ? getgrnam(name) : NULL;
    if (group)
        *gid = group->gr_gid;
    if (name[0] && !group)
        refuse(runner, "user=...:%s: %s", name,
               errno ? strerrordesc_np(errno) : "there is no such group");
    else if (*gid == 0)
        refuse(runner, "a command is not run with root's group");
    return !runner->is_refusing;
}

static bool change_root(struct runner *runner, const char *path)
{
    if (path[0] == '\0')
        return true;
    if (!runner->service->is_root)
        refuse(runner, "chroot=%s: needs a master that runs as root", path);
    else if (chroot(path) != 0 || chdir("/") != 0)
        refuse(runner, "chroot=%s: %s", path, strerrordesc_np(errno));
    return !runner->is_refusing;
}

static bool become(const struct runner *runner, uid_t uid, gid_t gid)
{
    if (!runner->service->is_root)
        return true;
    return setgroups(1, &gid) == 0 && setresgid(gid, gid, gid) == 0 &&
           setresuid(uid, uid, uid) == 0 && setresuid(0, 0, 0) != 0;
}

/* Whoever cannot be the service's user becomes the daemon's own, and says why. */
static bool take_identity(struct runner *runner)
{
    const struct conf_pipe_command *command = runner->rules->command;
    static struct arena arena; /* lasts as long as the process */
    uid_t uid = 0;
    gid_t gid = 0;
    arena_init(&arena, 1 << 16, 0);
    const char *user = arena_string(&arena, command->user);
    const char *group = arena_string(&arena, command->group);
    const char *chroot_path = arena_string(&arena, command->chroot);
    if (!user || !group || !chroot_path)
        return false;
    if (find_user(runner, user, &uid, &gid) && find_group(runner, group, &gid) &&
        change_root(runner, chroot_path)) {
        runner->uid = uid;
        return become(runner, uid, gid);
    }
    return become(runner, runner->service->profile.uid, runner->service->profile.gid);
}

/* ---- one delivery ---- */

struct feed {
    const struct agent_message *message;
    const struct conf_pipe_command *command;
    struct pipe_head head;
};

static int feed(void *context, int descriptor)
{
    const struct feed *feed = context;
    return pipe_copy_write(&feed->message->content, feed->command, &feed->head, descriptor);
}

static struct pipe_head make_head(const struct pipe_rules *rules,
                                  const struct agent_message *message)
{
    const struct agent_recipient *first = &message->recipients[0];
    const time_t now = time(NULL);
    struct tm local;
    memset(&local, 0, sizeof(local));
    (void)localtime_r(&now, &local);
    return (struct pipe_head){
        .sender = pipe_arguments_sender(rules, message),
        .recipient = first->recipient,
        .original_recipient = span_is_empty(first->original) ? first->recipient : first->original,
        .time_s = now,
        .offset_minutes = (int)(local.tm_gmtoff / 60)};
}

/* What can be known before the command is started. */
static bool may_run(struct runner *runner, struct agent_message *message, struct outcome *outcome)
{
    const struct conf_pipe_command *command = runner->rules->command;
    const bool is_for_one = command->flags & (CONF_PIPE_DELIVERED_TO | CONF_PIPE_ORIGINAL_TO);
    struct stat status;
    if (is_for_one && message->recipient_count > 1) {
        *outcome = outcome_temporary(451, 3, 5, "");
        outcome->reason = arena_format(
            &message->arena, "flags D and O of pipe need %s_destination_recipient_limit = 1",
            runner->service_name);
        return false;
    }
    if (command->size_limit_bytes > 0 && message->content.size_bytes > command->size_limit_bytes) {
        *outcome = outcome_permanent(552, 2, 3, "message too large");
        return false;
    }
    /* Who owns the queue owns the mail system. */
    if (runner->service->is_root && fstat(message->content.descriptor, &status) == 0 &&
        status.st_uid == runner->uid) {
        *outcome = outcome_temporary(451, 3, 5, "a command is not run as the owner of the queue");
        return false;
    }
    switch (pipe_copy_check(&message->content, command->flags & CONF_PIPE_DELIVERED_TO
                                                   ? message->recipients[0].recipient
                                                   : span_empty())) {
    case PIPE_CHECK_OK:
        return true;
    case PIPE_CHECK_LOOPS:
        *outcome = outcome_permanent(554, 4, 6, "");
        outcome->reason = arena_format(&message->arena, "mail forwarding loop for %.*s",
                                       SPAN_PRINTF(message->recipients[0].recipient));
        break;
    case PIPE_CHECK_CORRUPT:
        message->is_corrupt = true;
        *outcome =
            outcome_temporary(451, 3, 0, "the message in the queue does not match its checksum");
        break;
    case PIPE_CHECK_READ_FAILED:
        *outcome = outcome_temporary(451, 3, 0, strerrordesc_np(errno));
        break;
    }
    return false;
}

static struct outcome deliver_text(const struct runner *runner, struct outcome outcome,
                                   struct arena *arena)
{
    if (outcome.kind == OUTCOME_OK)
        outcome.reason = span_is_empty(outcome.reason)
                             ? arena_format(arena, "delivered via %s service", runner->service_name)
                             : arena_format(arena, "delivered via %s service (%.*s)",
                                            runner->service_name, SPAN_PRINTF(outcome.reason));
    return outcome.reason.bytes ? outcome : outcome_temporary(451, 3, 0, "out of memory");
}

static struct outcome run_command(struct runner *runner, struct agent_message *message)
{
    const struct pipe_rules *rules = runner->rules;
    const struct conf_family *limits = &rules->settings->transport_time_limit;
    struct arena *arena = &message->arena;
    struct outcome outcome;
    struct feed feed_context = {.message = message, .command = rules->command};
    static struct command_result result; /* one at a time */
    if (!may_run(runner, message, &outcome))
        return outcome;
    struct command command = {
        .text = rules->command->arguments[0], /* the rest is not for reports */
        .arguments = pipe_arguments_make(rules, message, arena, &outcome),
        .environment = pipe_environment_make(rules->settings, environ, arena),
        .directory = span_is_empty(rules->command->directory)
                         ? NULL
                         : arena_string(arena, rules->command->directory),
        .time_limit_ms = conf_family_get(limits, span_from_string(runner->service_name)),
        .feed = feed,
        .feed_context = &feed_context,
    };
    if (!command.arguments)
        return outcome;
    if (!command.environment)
        return outcome_temporary(451, 3, 0, "out of memory");
    feed_context.head = make_head(rules, message);
    command_run(&command, &result);
    return deliver_text(runner, command_outcome(&command, &result, arena), arena);
}

static void deliver(struct agent_message *message, void *context)
{
    struct runner *runner = context;
    const struct outcome outcome =
        runner->is_refusing ? runner->refusal : run_command(runner, message);
    const struct ipc_recipient_result result = {
        .outcome = outcome, .is_relayed = !(runner->rules->command->flags & CONF_PIPE_FINAL)};
    for (size_t i = 0; i < message->recipient_count; i++)
        agent_finish_result(&message->recipients[i], &result);
}

/* ---- the process of one delivery ---- */

static void leave(struct agent *agent, void *context)
{
    (void)agent;
    (void)context;
    _exit(0); /* the dispatcher has what it wanted, or is gone */
}

static NORETURN void run_runner(void *context, struct span key UNUSED, int socket)
{
    struct runner *runner = context;
    (void)prctl(PR_SET_NAME, "pipe: command", 0, 0, 0); /* a help for people only */
    (void)signal(SIGCHLD, SIG_DFL);
    /* What the root part has open is not the command's; its loop is not ours either. */
    const int kept = dup2(socket, STDERR_FILENO + 1);
    if (kept < 0 || close_range(STDERR_FILENO + 2, ~0U, 0) != 0 ||
        file_set_close_on_exec(kept, true) != 0 || !take_identity(runner) ||
        !(runner->loop = loop_create()))
        _exit(1); /* the dispatcher sees the channel close and defers the mail */
    const struct agent_settings settings = {.capacity = 1,
                                            .is_worker = true,
                                            .deliver = deliver,
                                            .context = runner,
                                            .on_closed = leave};
    if (!(runner->agent = agent_create(runner->loop, &settings)))
        _exit(1);
    agent_attach(runner->agent, kept, IPC_ROLE_PIPE);
    loop_run(runner->loop);
    _exit(0);
}

/* ---- the root part ---- */

static NORETURN void run_root_part(void *runner, int socket)
{
    note_detach();
    (void)prctl(PR_SET_NAME, "pipe: root part", 0, 0, 0); /* a help for people only */
    const int kept = dup2(socket, STDERR_FILENO + 1);
    if (kept < 0 || close_range(STDERR_FILENO + 2, ~0U, 0) != 0 ||
        file_set_close_on_exec(kept, true) != 0 || chdir("/") != 0)
        _exit(1);
    root_part_warm_up();
    root_part_serve(kept, IPC_ROLE_PIPE, run_runner, runner);
}

int pipe_run_fork_root_part(struct service *service, const struct pipe_rules *rules)
{
    static struct runner runner; /* the root part's own: it has one */
    runner = (struct runner){.service = service, .rules = rules, .service_name = service->name};
    return part_fork(run_root_part, &runner);
}
