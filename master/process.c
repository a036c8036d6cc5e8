/* master/process - see process.h. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn.h"
#include "system/file.h"

enum { ERROR_LINES_MAX = 100 };

static const char *program_of(const struct process *process)
{
    return process->service->program->program;
}

/* ---- what it writes to standard error ---- */

static void log_error_lines(struct process *process, bool is_end)
{
    struct buffer *errors = &process->errors;
    for (;;) {
        const struct span waiting = buffer_span(errors);
        const size_t length = span_find_byte(waiting, '\n');
        if (length == 0 && waiting.length == 0)
            break;
        if (length == waiting.length && !is_end && length < PROCESS_ERRORS_BYTES / 2)
            break; /* the rest of the line may follow */
        if (length > 0 && ++process->error_line_count <= ERROR_LINES_MAX)
            maillog_text(process->world->log, LOG_LEVEL_WARNING, span_empty(), "%s[%d]: %.*s",
                         program_of(process), (int)process->pid,
                         SPAN_PRINTF(span_first(waiting, length)));
        buffer_consume(errors, length < waiting.length ? length + 1 : length);
    }
}

/* False at the end of the pipe. */
static bool read_errors(struct process *process)
{
    char bytes[1024];
    const ssize_t count = read(process->error_pipe, bytes, sizeof(bytes));
    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    if (count == 0)
        return false;
    if (process->errors.length + (size_t)count <= PROCESS_ERRORS_BYTES)
        buffer_append(&process->errors, bytes, (size_t)count);
    if (process->state != SUPERVISE_STARTING)
        log_error_lines(process, false);
    return true;
}

static void on_errors(evutil_socket_t descriptor, short what, void *context)
{
    struct process *process = context;
    (void)descriptor;
    (void)what;
    if (!read_errors(process))
        (void)event_del(&process->error_event);
}

static void close_errors(struct process *process)
{
    if (process->error_pipe < 0)
        return;
    (void)event_del(&process->error_event);
    for (int i = 0; i < 8; i++) /* what it wrote last; the pipe does not block */
        if (!read_errors(process))
            break;
    file_close(process->error_pipe);
    process->error_pipe = -1;
}

/* ---- the control channel ---- */

static void on_control_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                               void *context)
{
    struct process *process = context;
    (void)channel;
    switch ((int)delivery->type) {
    case IPC_READY:
        process_handle(process, SUPERVISE_READY, NULL);
        break;
    case IPC_FAILED: {
        const struct ipc_failed *failed = delivery->message;
        (void)snprintf(process->reason, sizeof(process->reason), "%.*s",
                       SPAN_PRINTF(failed->reason));
        process_handle(process, SUPERVISE_FAILED, process->reason);
        break;
    }
    case IPC_PEER_LOST:
        process->world->on_peer_lost(process, delivery->message, process->world->context);
        break;
    case IPC_RENEW:
        process->world->on_renewal(process, process->world->context);
        break;
    case IPC_PONG: {
        const struct ipc_pong *pong = delivery->message;
        if (pong->serial == process->ping_serial)
            process->pinged_ms = 0;
        break;
    }
    default:
        break;
    }
}

static void on_control_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct process *process = context;
    (void)channel;
    ipc_channel_destroy(&process->control);
    if (strcmp(reason, "the peer closed it") != 0) {
        (void)snprintf(process->reason, sizeof(process->reason), "control channel: %s", reason);
        maillog_text(process->world->log, LOG_LEVEL_WARNING, span_empty(),
                     "process %s pid %d: %s: killed", process->service->path, (int)process->pid,
                     process->reason);
    }
    /* Either it ends, which we shall be told, or it has lost its mind; it must not go on alone. */
    if (process->pid > 0)
        (void)kill(process->pid, SIGKILL);
}

#define FROM_CHILDREN                                                                              \
    (~(IPC_ROLE_BIT(IPC_ROLE_NONE) | IPC_ROLE_BIT(IPC_ROLE_MASTER) |                               \
       IPC_ROLE_BIT(IPC_ROLE_WORKER) | IPC_ROLE_BIT(IPC_ROLE_TOOL)))
static const struct ipc_permission control_permissions[] = {
    {IPC_READY, FROM_CHILDREN},
    {IPC_FAILED, FROM_CHILDREN},
    {IPC_PONG, FROM_CHILDREN},
    {IPC_PEER_LOST, FROM_CHILDREN},
    {IPC_RENEW, IPC_ROLE_BIT(IPC_ROLE_KEYD)},
    {0, 0},
};
static const struct ipc_channel_handlers control_handlers = {on_control_message, on_control_closed,
                                                             control_permissions};

/* ---- actions ---- */

/* Without a page nobody learns what it worked on when it died; it works all the same. */
static void send_notes(struct process *process)
{
    note_page_destroy(&process->notes);
    const struct ipc_notes notes = {.page = note_page_create(&process->notes)};
    if (notes.page >= 0)
        (void)ipc_channel_send(process->control, IPC_NOTES, &notes);
}

static bool send_start(struct process *process)
{
    const struct plan_service *service = process->service;
    const struct ipc_start start = {
        .service = service->name,
        .process_number = process->number,
        .settings = fcntl(service->settings, F_DUPFD_CLOEXEC, 0),
        .stressed_settings = service->stressed_settings < 0
                                 ? -1
                                 : fcntl(service->stressed_settings, F_DUPFD_CLOEXEC, 0),
        .uid = service->identity.uid,
        .gid = service->identity.gid,
        .root_directory = span_from_string(process->plan->empty_directory),
        .generation = process->generation,
        .is_verbose = process->world->is_verbose || service->is_verbose,
        .arguments = service->arguments,
        .process_limit = service->process_limit,
    };
    const bool is_whole =
        start.settings >= 0 && (service->stressed_settings < 0 || start.stressed_settings >= 0);
    if (is_whole)
        return ipc_channel_send(process->control, IPC_START, &start);
    file_close(start.settings);
    file_close(start.stressed_settings);
    return false;
}

static bool watch_errors(struct process *process, int errors)
{
    process->error_pipe = errors;
    if (event_assign(&process->error_event, loop_event_base(process->world->loop), errors,
                     EV_READ | EV_PERSIST, on_errors, process) == 0 &&
        event_add(&process->error_event, NULL) == 0)
        return true;
    file_close(errors);
    process->error_pipe = -1;
    return false;
}

/* Both ends are closed on failure. */
static bool attach(struct process *process, int control, int errors)
{
    if (!watch_errors(process, errors)) {
        file_close(control);
        return false;
    }
    process->control = ipc_channel_create(
        process->world->loop, control, process->service->program->role, &control_handlers, process);
    if (!process->control)
        return false;
    send_notes(process);
    return send_start(process);
}

static pid_t fork_child(struct process *process, int control, int errors)
{
    const bool writes_output = process->service->program->role == IPC_ROLE_LOGD;
    const struct spawn_request request = {
        .path = process->service->path,
        .control = control,
        .errors = errors,
        .output = writes_output ? process->world->output : -1,
    };
    return spawn_child(&request);
}

static void start(struct process *process)
{
    int pair[2], pipe_ends[2];
    process->number = ++process->world->last_process_number;
    process->pinged_ms = process->served_since_ms = 0;
    process->error_line_count = 0;
    process->is_kill_expected = process->has_hung = false;
    process->listeners_given = 0;
    process->lacks_listeners = false;
    process->reason[0] = '\0';
    buffer_reset(&process->errors);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        goto failed;
    if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        file_close(pair[0]);
        file_close(pair[1]);
        goto failed;
    }
    process->pid = fork_child(process, pair[1], pipe_ends[1]);
    file_close(pair[1]);
    file_close(pipe_ends[1]);
    if (process->pid < 0) {
        process->pid = 0;
        file_close(pair[0]);
        file_close(pipe_ends[0]);
        goto failed;
    }
    if (attach(process, pair[0], pipe_ends[0])) {
        loop_timer_set(&process->timer,
                       clock_deadline_after(process->plan->settings.start_timeout_ms));
        process->world->on_started(process, process->world->context);
        return;
    }
    /* Its exit will bring us back. */
    (void)snprintf(process->reason, sizeof(process->reason), "no memory or descriptors for it");
    (void)kill(process->pid, SIGKILL);
    return;
failed:
    (void)snprintf(process->reason, sizeof(process->reason), "cannot fork: %s", strerror(errno));
    loop_timer_set(&process->timer, clock_deadline_after(0)); /* as a process that died */
}

static void schedule_restart(struct process *process)
{
    const int64_t served_ms =
        process->served_since_ms ? clock_monotonic_ms() - process->served_since_ms : 0;
    process->failure_count = supervise_count_failure(process->failure_count, served_ms);
    const int64_t delay_ms = supervise_restart_delay_ms(
        process->failure_count, process->plan->settings.service_throttle_time_ms);
    if (delay_ms > 0)
        maillog_text(process->world->log, LOG_LEVEL_WARNING, span_empty(),
                     "%s: bad command startup -- throttling: next start in %d s",
                     program_of(process), (int)(delay_ms / 1000));
    loop_timer_set(&process->timer, clock_deadline_after(delay_ms));
}

static void end_by_force(struct process *process)
{
    process->is_kill_expected = true;
    loop_timer_set(&process->timer, process->pid ? CLOCK_NEVER : clock_deadline_after(0));
    if (process->pid > 0)
        (void)kill(process->pid,
                   SIGKILL); /* it is our child and not waited for: the id is its own */
}

static void ask_to_leave(struct process *process, bool lets_sessions_finish, int64_t limit_ms)
{
    const struct ipc_stop stop = {.is_graceful = true,
                                  .lets_sessions_finish = lets_sessions_finish};
    if (process->control)
        (void)ipc_channel_send(process->control, IPC_STOP, &stop); /* else its time runs out */
    loop_timer_set(&process->timer, clock_deadline_after(process->pid ? limit_ms : 0));
}

static void act(struct process *process, enum supervise_action action)
{
    switch (action) {
    case SUPERVISE_DO_NOTHING:
        break;
    case SUPERVISE_DO_START:
        start(process);
        break;
    case SUPERVISE_DO_SERVE:
        loop_timer_set(&process->timer, CLOCK_NEVER);
        process->served_since_ms = clock_monotonic_ms();
        log_error_lines(process, false);
        break;
    case SUPERVISE_DO_KILL:
        end_by_force(process);
        break;
    case SUPERVISE_DO_SCHEDULE:
        schedule_restart(process);
        break;
    case SUPERVISE_DO_DRAIN:
        ask_to_leave(process, true, process->plan->settings.drain_timeout_ms);
        break;
    case SUPERVISE_DO_STOP:
        ask_to_leave(process, false, PROCESS_LEAVE_MS);
        break;
    case SUPERVISE_DO_FORGET:
        loop_timer_set(&process->timer, CLOCK_NEVER);
        break;
    }
}

void process_handle(struct process *process, enum supervise_event event, const char *reason)
{
    const struct supervise_step step = supervise(process->state, event);
    const bool is_news = step.next != process->state || step.action != SUPERVISE_DO_NOTHING;
    process->state = step.next;
    act(process, step.action);
    if (is_news)
        process->world->on_changed(process, event, reason, process->world->context);
}

static void on_timer(void *context)
{
    struct process *process = context;
    char reason[128];
    if (process->pid == 0 && process->state != SUPERVISE_WAITING) { /* the fork failed */
        process_handle(process, SUPERVISE_EXITED, process->reason);
        return;
    }
    switch (process->state) {
    case SUPERVISE_STARTING:
        (void)snprintf(reason, sizeof(reason), "not ready within %d s",
                       (int)(process->plan->settings.start_timeout_ms / 1000));
        maillog_text(process->world->log, LOG_LEVEL_WARNING, span_empty(),
                     "process %s pid %d is %s: killed", process->service->path, (int)process->pid,
                     reason);
        process_handle(process, SUPERVISE_HUNG, reason);
        break;
    case SUPERVISE_WAITING:
        process_handle(process, SUPERVISE_DUE, NULL);
        break;
    case SUPERVISE_DRAINING:
        process_handle(process, SUPERVISE_LEAVE, NULL);
        break;
    case SUPERVISE_LEAVING:
        maillog_text(process->world->log, LOG_LEVEL_WARNING, span_empty(),
                     "process %s pid %d has not left within %d s: killed", process->service->path,
                     (int)process->pid, PROCESS_LEAVE_MS / 1000);
        process_handle(process, SUPERVISE_END, NULL);
        break;
    default:
        break;
    }
}

/* ---- its end ---- */

static void describe_end(struct process *process, int wait_status, char *text, size_t size)
{
    struct span first;
    struct span rest;
    (void)span_split_once(buffer_span(&process->errors), '\n', &first, &rest);
    if (process->reason[0])
        (void)snprintf(text, size, "%s", process->reason);
    else if (first.length > 0)
        (void)snprintf(text, size, "%.*s", SPAN_PRINTF(span_first(first, 500)));
    else if (WIFSIGNALED(wait_status))
        (void)snprintf(text, size, "killed by signal %d%s", WTERMSIG(wait_status),
                       WTERMSIG(wait_status) == SIGSYS ? ", for a call that its sandbox forbids"
                                                       : "");
    else
        (void)snprintf(text, size, "exit status %d", WEXITSTATUS(wait_status));
}

/* Deaths for which its work may be the reason; not those that somebody else wished. */
static void consider_work(struct process *process, int wait_status)
{
    char text[NOTE_BYTES];
    if (!WIFSIGNALED(wait_status) || !process->notes)
        return;
    const int number = WTERMSIG(wait_status);
    const bool is_own = number == SIGSEGV || number == SIGBUS || number == SIGILL ||
                        number == SIGFPE || number == SIGABRT || number == SIGSYS ||
                        process->has_hung;
    const struct span work = is_own ? note_page_read(process->notes, text) : span_empty();
    if (work.length == 0)
        return;
    maillog_text(process->world->log, LOG_LEVEL_WARNING, span_empty(),
                 "process %s pid %d died at work on %.*s", process->service->path,
                 (int)process->pid, SPAN_PRINTF(work));
    process->world->on_work_failed(process, work, process->world->context);
}

static void log_end(struct process *process, int wait_status)
{
    struct maillog *log = process->world->log;
    const bool is_leaving = process->state == SUPERVISE_DRAINING ||
                            process->state == SUPERVISE_LEAVING ||
                            process->state == SUPERVISE_ENDING;
    if (WIFSIGNALED(wait_status)) {
        if (!process->is_kill_expected || WTERMSIG(wait_status) != SIGKILL)
            maillog_text(log, LOG_LEVEL_WARNING, span_empty(),
                         "process %s pid %d killed by signal %d", process->service->path,
                         (int)process->pid, WTERMSIG(wait_status));
    } else if (WEXITSTATUS(wait_status) != 0 || !is_leaving) {
        maillog_text(log, LOG_LEVEL_WARNING, span_empty(), "process %s pid %d exit status %d",
                     process->service->path, (int)process->pid, WEXITSTATUS(wait_status));
    }
}

void process_reaped(struct process *process, int wait_status)
{
    char reason[PROCESS_REASON_BYTES];
    close_errors(process);
    describe_end(process, wait_status, reason, sizeof(reason));
    log_error_lines(process, true);
    log_end(process, wait_status);
    consider_work(process, wait_status);
    ipc_channel_destroy(&process->control);
    process->pid = 0;
    process->number = 0;
    process->pinged_ms = 0;
    process_handle(process, SUPERVISE_EXITED, reason);
}

void process_check_pulse(struct process *process, int64_t now_ms, bool forgives)
{
    const int64_t timeout_ms = process->plan->settings.watchdog_timeout_ms;
    char reason[64];
    if (process->served_since_ms == 0 || process->state == SUPERVISE_STARTING ||
        !process_is_reachable(process))
        return;
    if (process->pinged_ms == 0) {
        const struct ipc_ping ping = {.serial = ++process->ping_serial};
        process->pinged_ms = now_ms;
        (void)ipc_channel_send(process->control, IPC_PING, &ping); /* unsent is unanswered */
    } else if (forgives) {
        process->pinged_ms = now_ms;
    } else if (now_ms - process->pinged_ms >= timeout_ms) {
        (void)snprintf(reason, sizeof(reason), "no answer for %d s", (int)(timeout_ms / 1000));
        maillog_text(process->world->log, LOG_LEVEL_WARNING, span_empty(),
                     "process %s pid %d gives %s: killed", process->service->path,
                     (int)process->pid, reason);
        process->has_hung = true;
        process_handle(process, SUPERVISE_HUNG, reason);
    }
}

bool process_is_reachable(const struct process *process)
{
    return process->control && ipc_channel_is_open(process->control) &&
           (process->state == SUPERVISE_STARTING || process->state == SUPERVISE_SERVING ||
            process->state == SUPERVISE_DRAINING || process->state == SUPERVISE_LEAVING);
}

struct process *process_create(struct process_world *world, const struct plan *plan,
                               const struct plan_service *service, uint32_t generation)
{
    struct process *process = calloc(1, sizeof(*process));
    if (!process)
        return NULL;
    process->world = world;
    process->plan = plan;
    process->service = service;
    process->generation = generation;
    process->state = SUPERVISE_HELD;
    process->error_pipe = -1;
    buffer_init(&process->errors, NULL, PROCESS_ERRORS_BYTES);
    loop_timer_init(&process->timer, world->loop, on_timer, process);
    return process;
}

struct process *process_adopt(struct process_world *world, const struct plan *plan,
                              const struct plan_service *service,
                              const struct handover_process *adopted)
{
    struct process *process = process_create(world, plan, service, adopted->generation);
    if (!process || !watch_errors(process, adopted->errors)) {
        file_close(adopted->control);
        free(process);
        return NULL;
    }
    process->pid = adopted->pid;
    process->number = adopted->number;
    process->state = SUPERVISE_SERVING;
    process->served_since_ms = clock_monotonic_ms();
    process->control = ipc_channel_adopt(world->loop, adopted->control, service->program->role,
                                         &control_handlers, process);
    if (!process->control)
        (void)kill(process->pid, SIGKILL); /* nobody could tell it anything; it is replaced */
    return process;
}

bool process_hand_over(struct process *process, struct handover_process *adopted)
{
    if (process->pid <= 0 || !process->control || process->error_pipe < 0)
        return false;
    ipc_channel_flush(process->control);
    *adopted = (struct handover_process){
        .pid = process->pid,
        .number = process->number,
        .generation = process->generation,
        .control = ipc_channel_descriptor(process->control),
        .errors = process->error_pipe,
        .program = span_from_string(program_of(process)),
        .service = process->service->name,
    };
    return true;
}

void process_destroy(struct process **process)
{
    struct process *dying = *process;
    *process = NULL;
    if (!dying)
        return;
    ASSERT(dying->pid == 0);
    ipc_channel_destroy(&dying->control);
    loop_timer_release(&dying->timer);
    note_page_destroy(&dying->notes);
    buffer_release(&dying->errors);
    free(dying);
}
