/* master/fleet - see fleet.h. */
#include "fleet_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queuefile/id.h"
#include "system/clock.h"
#include "system/file.h"

enum { PING_INTERVAL_MS = 5000, GENERATIONS_MAX = 8 };

static bool is_gone(const struct process *process)
{
    return process->state == SUPERVISE_GONE;
}

static bool is_exclusive(const struct process *process)
{
    return (process->service->program->traits & WIRING_EXCLUSIVE) != 0;
}

/* ---- wiring ---- */

/* One end to one process. The descriptor goes in any case. */
static void give_end(struct process *to, const struct process *peer, bool is_server, int end,
                     uint32_t channel)
{
    const struct ipc_peer message = {
        .role = peer->service->program->role,
        .service = peer->service->name,
        .process_number = peer->number,
        .process_id = (uint32_t)peer->pid,
        .is_server = is_server,
        .socket = end,
        .channel = channel,
    };
    (void)ipc_channel_send(to->control, IPC_PEER, &message); /* full: it hangs, the watchdog sees */
}

static struct generation *generation_of(struct fleet *fleet, const struct process *process)
{
    FOR_EACH_GENERATION(fleet, generation)
    if (generation->number == process->generation)
        return generation;
    return NULL;
}

static bool is_foreign(struct fleet *fleet, const struct process *process)
{
    const struct generation *generation = generation_of(fleet, process);
    return generation && generation->is_foreign;
}

/* False: a channel is needed, and cannot be made now. */
static bool join(struct fleet *fleet, struct process *client, struct process *server)
{
    int pair[2];
    if (is_foreign(fleet, client) || is_foreign(fleet, server))
        return true;
    /* Of two of one kind the elder is asked. */
    if (client->service->program == server->service->program && client->number < server->number)
        return true;
    if (!wiring_joins(client->service->program->role, client->generation,
                      server->service->program->role, server->generation))
        return true;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        maillog_text(fleet->options.log, LOG_LEVEL_ERROR, span_empty(),
                     "cannot make a channel from %s to %s: %s", client->service->program->program,
                     server->service->program->program, strerror(errno));
        return false;
    }
    fleet->last_channel++;
    give_end(client, server, false, pair[0], fleet->last_channel);
    give_end(server, client, true, pair[1], fleet->last_channel);
    return true;
}

/* Or later: without the channel they would be there for nothing until one of them ends. */
static void join_surely(struct fleet *fleet, struct process *client, struct process *server)
{
    if (join(fleet, client, server))
        return;
    repairs_want(&fleet->repairs, client->number, server->number, clock_monotonic_ms());
    loop_timer_set(&fleet->repair_timer, repairs_due_ms(&fleet->repairs));
}

static struct process *find_process(struct fleet *fleet, uint32_t number)
{
    FOR_EACH_GENERATION(fleet, generation)
    FOR_EACH_PROCESS(generation, process)
    if (process->number == number && number != 0)
        return process;
    return NULL;
}

static void on_peer_lost(struct process *process, const struct ipc_peer_lost *lost, void *context)
{
    struct fleet *fleet = context;
    const struct process *peer = find_process(fleet, lost->process_number);
    if (!peer)
        return;
    const struct process *client = lost->is_server ? peer : process;
    const struct process *server = lost->is_server ? process : peer;
    if (!wiring_joins(client->service->program->role, client->generation,
                      server->service->program->role, server->generation))
        return;
    repairs_tell(&fleet->repairs, client->number, server->number, lost->channel, lost->is_server,
                 clock_monotonic_ms());
    loop_timer_set(&fleet->repair_timer, repairs_due_ms(&fleet->repairs));
}

/* Has a reload brought the client a newer server? It has let go of the one before by itself, and
 * wants that back only when the newer one comes to nothing. */
static bool has_newer(struct fleet *fleet, const struct process *client,
                      const struct process *server)
{
    const enum ipc_role role = server->service->program->role;
    const struct wiring_line *line = wiring_between(client->service->program->role, role);
    if (!line || line->reach != WIRING_SERVER_MAY_BE_NEWER)
        return false;
    FOR_EACH_GENERATION(fleet, generation)
    FOR_EACH_PROCESS(generation, other)
    if (other->service->program->role == role && other->generation > server->generation &&
        process_is_reachable(other))
        return true;
    return false;
}

static void on_repair(void *context)
{
    struct fleet *fleet = context;
    const int64_t now_ms = clock_monotonic_ms();
    struct repair *repair;
    while ((repair = repairs_next_due(&fleet->repairs, now_ms)) != NULL) {
        struct process *client = find_process(fleet, repair->client);
        struct process *server = find_process(fleet, repair->server);
        const bool is_possible =
            client && server && process_is_reachable(client) && process_is_reachable(server);
        if (is_possible && has_newer(fleet, client, server)) {
            repair_put_off(repair, now_ms);
            continue;
        }
        if (is_possible) {
            maillog_text(fleet->options.log, LOG_LEVEL_WARNING, span_empty(),
                         "the channel from %s to %s is missing: making another",
                         client->service->program->program, server->service->program->program);
            if (!join(fleet, client, server)) {
                repair_put_off(repair, now_ms);
                continue;
            }
        }
        repair_made(repair, fleet->last_channel);
    }
    loop_timer_set(&fleet->repair_timer, repairs_due_ms(&fleet->repairs));
}

/* Our own log lines. */
void fleet_join_ourselves(struct fleet *fleet, struct process *logd)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return; /* the lines wait for the next tick */
    const struct ipc_peer message = {
        .role = IPC_ROLE_MASTER,
        .service = SPAN("master"),
        .process_id = (uint32_t)getpid(),
        .is_server = true,
        .socket = pair[1],
    };
    (void)ipc_channel_send(logd->control, IPC_PEER, &message);
    maillog_client_flush(fleet->options.log_client); /* to the one before */
    maillog_client_attach(fleet->options.log_client, pair[0]);
}

/* False: it cannot be had now, and errno says why. */
static bool give_listener(struct fleet *fleet, struct process *process, const char *text)
{
    const struct listener *listener = listeners_find(fleet->options.listeners, text);
    if (!listener)
        return true;
    const struct ipc_listener message = {
        .endpoint = span_from_string(text),
        .socket = fcntl(listener->socket, F_DUPFD_CLOEXEC, 0),
    };
    if (message.socket >= 0)
        (void)ipc_channel_send(process->control, IPC_LISTENER, &message);
    return message.socket >= 0;
}

/* Its sockets in a row: what master.cf names, and what is its own in public/. NULL behind them. */
static const char *listener_name(const struct plan_service *service, size_t index, char text[64])
{
    const char *const public_names[] = {service->program->public_socket,
                                        service->program->public_stream};
    if (index < service->endpoint_count)
        return service->endpoints[index].text;
    index -= service->endpoint_count;
    if (index >= ARRAY_LENGTH(public_names))
        return NULL;
    (void)snprintf(text, 64, "public/%s", public_names[index] ? public_names[index] : "");
    return text;
}

/* Those that it has not got yet. Where descriptors are short the rest waits for the next tick:
 * without them it would be there for nothing, and look whole. */
static void give_listeners(struct fleet *fleet, struct process *process)
{
    const bool was_told = process->lacks_listeners;
    char text[64];
    const char *name;
    listeners_restore(fleet->options.listeners, fleet->options.log);
    while ((name = listener_name(process->service, process->listeners_given, text)) != NULL &&
           give_listener(fleet, process, name))
        process->listeners_given++;
    process->lacks_listeners = name != NULL;
    if (name && !was_told)
        maillog_text(fleet->options.log, LOG_LEVEL_ERROR, span_empty(),
                     "cannot give %s to %s[%d]: %s: trying again", name,
                     process->service->program->program, (int)process->pid, strerror(errno));
    else if (!name && was_told)
        maillog_text(fleet->options.log, LOG_LEVEL_INFO, span_empty(),
                     "%s[%d] has its listening sockets now", process->service->program->program,
                     (int)process->pid);
}

/* What new processes should have got at their start, and could not. */
static void give_what_is_missing(struct fleet *fleet)
{
    if (!fleet->present || fleet->present->is_foreign || fleet->is_stopping)
        return;
    FOR_EACH_PROCESS(fleet->present, process)
    {
        if ((process->state != SUPERVISE_STARTING && process->state != SUPERVISE_SERVING) ||
            !process_is_reachable(process))
            continue;
        if (process->lacks_listeners)
            give_listeners(fleet, process);
        if (process->service->program->role == IPC_ROLE_LOGD && !fleet->options.log_client->channel)
            fleet_join_ourselves(fleet, process);
    }
}

/* ---- work that kills ---- */

/* A message is qmgr's affair, a kind of request that of its servers. */
static bool concerns(const struct poison *poison, const struct process *process)
{
    const enum ipc_role role = process->service->program->role;
    return queue_id_is_valid(span_from_string(poison->work)) ? role == IPC_ROLE_QMGR
                                                             : role == poison->role;
}

static void tell_poison(struct process *process, const struct poison *poison)
{
    const struct ipc_poison message = {.work = span_from_string(poison->work),
                                       .role = poison->role,
                                       .process_number = poison->process_number};
    if (process_is_reachable(process))
        (void)ipc_channel_send(process->control, IPC_POISON, &message);
}

static void on_work_failed(struct process *dead, struct span work, void *context)
{
    struct fleet *fleet = context;
    const int64_t now_ms = clock_monotonic_ms();
    const struct poison *poison =
        poisons_count(&fleet->poisons, dead->service->program->role, dead->number, work, now_ms);
    if (!poison || !poison_is_proven(poison, now_ms))
        return;
    FOR_EACH_GENERATION(fleet, generation)
    FOR_EACH_PROCESS(generation, process)
    if (process != dead && !generation->is_foreign && concerns(poison, process))
        tell_poison(process, poison);
}

/* What killed those before it. Of messages that killed agents a new qmgr knows not whom it gave
 * them to: it hears of them when they kill again. */
static void warn_of_poison(struct fleet *fleet, struct process *process)
{
    const int64_t now_ms = clock_monotonic_ms();
    LIST_FOR_EACH (&fleet->poisons.list, link) {
        const struct poison *poison = LIST_ITEM(link, struct poison, link);
        if (poison_is_proven(poison, now_ms) && concerns(poison, process) &&
            poison->role == process->service->program->role)
            tell_poison(process, poison);
    }
}

static void on_started(struct process *process, void *context)
{
    struct fleet *fleet = context;
    const struct generation *own = generation_of(fleet, process);
    warn_of_poison(fleet, process);
    FOR_EACH_GENERATION(fleet, generation)
    FOR_EACH_PROCESS(generation, other)
    if (other != process && process_is_reachable(other)) {
        join_surely(fleet, process, other);
        join_surely(fleet, other, process);
    }
    if (own == fleet->present) {
        give_listeners(fleet, process);
        if (process->service->program->role == IPC_ROLE_LOGD)
            fleet_join_ourselves(fleet, process);
    }
}

/* ---- starting ---- */

static void finish_run(struct fleet *fleet, bool is_ok, const char *text)
{
    fleet_done *done = fleet->run_done;
    fleet->awaited = NULL;
    fleet->run_done = NULL;
    if (done)
        done(is_ok, text, fleet->run_context);
}

static void leave_by_force(struct generation *generation)
{
    generation->is_leaving = true;
    FOR_EACH_PROCESS(generation, process)
    process_handle(process, SUPERVISE_END, NULL);
}

static void on_changed(struct process *process, enum supervise_event event, const char *reason,
                       void *context)
{
    struct fleet *fleet = context;
    const bool is_trouble = event == SUPERVISE_FAILED || event == SUPERVISE_HUNG ||
                            (event == SUPERVISE_EXITED && process->state == SUPERVISE_WAITING);
    loop_hook_request(fleet->options.loop, &fleet->hook);
    if (!is_trouble || !fleet->awaited || fleet->awaited->number != process->generation)
        return;
    char text[PROCESS_REASON_BYTES + 64];
    (void)snprintf(text, sizeof(text), "%s: %s", process->service->program->program,
                   reason ? reason : "failed");
    struct generation *failed = fleet->awaited;
    if (failed != fleet->present) {
        maillog_text(fleet->options.log, LOG_LEVEL_ERROR, span_empty(),
                     "reload given up, what ran before goes on: %s", text);
        leave_by_force(failed);
        listeners_abandon(fleet->options.listeners, failed->number);
    }
    finish_run(fleet, false, text);
}

static bool has_predecessor(struct fleet *fleet, const struct process *process)
{
    FOR_EACH_GENERATION(fleet, generation)
    FOR_EACH_PROCESS(generation, other)
    if (other != process && other->service->program == process->service->program &&
        other->generation < process->generation && !is_gone(other))
        return true;
    return false;
}

/* Begins those whose turn it is. */
static void begin_held(struct fleet *fleet, struct generation *generation)
{
    FOR_EACH_PROCESS(generation, process)
    if (process->state == SUPERVISE_HELD &&
        (!is_exclusive(process) ||
         (generation == fleet->present && !has_predecessor(fleet, process))))
        process_handle(process, SUPERVISE_BEGIN, NULL);
}

static bool all_serve(const struct generation *generation, bool counts_exclusive)
{
    FOR_EACH_PROCESS(generation, process)
    if (process->state != SUPERVISE_SERVING && (counts_exclusive || !is_exclusive(process)))
        return false;
    return true;
}

/* The new generation takes over. */
static void make_present(struct fleet *fleet, struct generation *generation)
{
    if (fleet->present)
        fleet->present->is_leaving = true;
    fleet->present = generation;
    FOR_EACH_PROCESS(generation, process)
    if (process_is_reachable(process)) {
        give_listeners(fleet, process);
        if (process->service->program->role == IPC_ROLE_LOGD)
            fleet_join_ourselves(fleet, process);
    }
    listeners_retire(fleet->options.listeners, generation->number);
}

/* ---- leaving ---- */

/* After a reload what has one owner (the queue, the counters) is handed over while the others
 * finish; at a stop it waits for them. */
static enum wiring_stage stage_of(const struct fleet *fleet, const struct process *process)
{
    const enum wiring_stage stage = process->service->program->stage;
    return is_exclusive(process) && !fleet->is_stopping ? WIRING_STAGE_WORK : stage;
}

/* Who serves clients may finish with them after a reload. qmgr leaves its deliveries to its
 * successor and has nothing to wait for; a helper nobody needs any more. */
static enum supervise_event way_out(const struct fleet *fleet, const struct process *process)
{
    return process->service->program->stage == WIRING_STAGE_WORK && !fleet->is_stopping
               ? SUPERVISE_DRAIN
               : SUPERVISE_LEAVE;
}

static void let_leave(struct fleet *fleet, struct generation *generation)
{
    for (int stage = 0; stage < WIRING_STAGE_COUNT; stage++) {
        bool all_gone = true;
        if (stage == WIRING_STAGE_LOG && fleet->is_stopping)
            maillog_client_detach(
                fleet->options.log_client); /* logd leaves after the last sender */
        FOR_EACH_PROCESS(generation, process)
        if ((int)stage_of(fleet, process) == stage && !is_gone(process)) {
            process_handle(process, way_out(fleet, process), NULL);
            all_gone = all_gone && is_gone(process);
        }
        if (!all_gone)
            return;
    }
}

static void free_generation(struct fleet *fleet, struct generation *generation)
{
    LIST_FOR_EACH (&generation->processes, link) {
        struct process *process = LIST_ITEM(link, struct process, link);
        list_remove(&generation->processes, link);
        process_destroy(&process);
    }
    list_remove(&fleet->generations, &generation->link);
    if (fleet->present == generation)
        fleet->present = NULL;
    plan_destroy(&generation->plan);
    free(generation);
}

static bool all_gone(const struct generation *generation)
{
    FOR_EACH_PROCESS(generation, process)
    if (!is_gone(process))
        return false;
    return true;
}

/* Reloads faster than sessions end: the oldest sessions are told to come again (RFC 5321 section
 * 3.8), deliveries end with what they are at, and only what piles up in spite of that is killed. */
static void limit_generations(struct fleet *fleet)
{
    size_t count = fleet->generations.count;
    FOR_EACH_GENERATION(fleet, generation)
    if (count > GENERATIONS_MAX && generation->is_leaving) {
        if (count-- > 2 * (size_t)GENERATIONS_MAX) {
            leave_by_force(generation);
            continue;
        }
        FOR_EACH_PROCESS(generation, process)
        if (process->state == SUPERVISE_DRAINING)
            process_handle(process, SUPERVISE_LEAVE, NULL);
    }
}

/* ---- looking at everything ---- */

static void review(struct loop_hook *hook)
{
    struct fleet *fleet = CONTAINER_OF(hook, struct fleet, hook);
    struct generation *awaited = fleet->awaited;
    fleet_review_renewals(fleet);
    if (awaited && awaited != fleet->present && all_serve(awaited, false))
        make_present(fleet, awaited);
    FOR_EACH_GENERATION(fleet, generation)
    if (generation->is_leaving)
        let_leave(fleet, generation);
    FOR_EACH_GENERATION(fleet, generation)
    if (!generation->is_leaving)
        begin_held(fleet, generation);
    if (awaited && awaited == fleet->present && all_serve(awaited, true))
        finish_run(fleet, true, "");
    FOR_EACH_GENERATION(fleet, generation)
    if (generation->is_leaving && all_gone(generation)) {
        free_generation(fleet, generation);
        break; /* the walk's own variables: one at a time, and come back */
    }
    FOR_EACH_GENERATION(fleet, generation)
    if (generation->is_leaving && all_gone(generation))
        loop_hook_request(fleet->options.loop, &fleet->hook);
    if (fleet->is_stopping && list_is_empty(&fleet->generations) && fleet->stop_done) {
        fleet_done *done = fleet->stop_done;
        fleet->stop_done = NULL;
        done(true, "", fleet->stop_context);
    }
}

void fleet_reap(struct fleet *fleet)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct process *reaped = NULL;
        FOR_EACH_GENERATION(fleet, generation)
        FOR_EACH_PROCESS(generation, process)
        if (process->pid == pid)
            reaped = process;
        if (!reaped)
            continue;
        repairs_forget(&fleet->repairs, reaped->number);
        process_reaped(reaped, status);
    }
}

static void on_child(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    fleet_reap(context);
}

static int64_t tick_ms(const struct fleet *fleet)
{
    const int64_t third_ms =
        fleet->present ? fleet->present->plan->settings.watchdog_timeout_ms / 3 : PING_INTERVAL_MS;
    return third_ms < PING_INTERVAL_MS ? third_ms : PING_INTERVAL_MS;
}

static void on_tick(void *context)
{
    struct fleet *fleet = context;
    const int64_t now_ms = clock_monotonic_ms();
    /* We were stopped, or the machine slept: the answers may lie unread. */
    const bool forgives = now_ms - fleet->last_tick_ms > 2 * tick_ms(fleet);
    FOR_EACH_GENERATION(fleet, generation)
    FOR_EACH_PROCESS(generation, process)
    process_check_pulse(process, now_ms, forgives);
    listeners_restore(fleet->options.listeners, fleet->options.log);
    give_what_is_missing(fleet);
    fleet->last_tick_ms = now_ms;
    loop_timer_set(&fleet->ping_timer, now_ms + tick_ms(fleet));
}

/* ---- interface ---- */

struct fleet *fleet_create(const struct fleet_options *options)
{
    struct fleet *fleet = calloc(1, sizeof(*fleet));
    if (!fleet)
        return NULL;
    fleet->options = *options;
    fleet->world = (struct process_world){
        .loop = options->loop,
        .log = options->log,
        .output = options->output,
        .is_verbose = options->is_verbose,
        .on_started = on_started,
        .on_peer_lost = on_peer_lost,
        .on_work_failed = on_work_failed,
        .on_changed = on_changed,
        .on_renewal = fleet_renew,
        .context = fleet,
    };
    fleet->hook.run = review;
    list_init(&fleet->generations);
    loop_timer_init(&fleet->ping_timer, options->loop, on_tick, fleet);
    repairs_init(&fleet->repairs);
    poisons_init(&fleet->poisons);
    loop_timer_init(&fleet->repair_timer, options->loop, on_repair, fleet);
    if (event_assign(&fleet->child_event, loop_event_base(options->loop), SIGCHLD,
                     EV_SIGNAL | EV_PERSIST, on_child, fleet) != 0 ||
        event_add(&fleet->child_event, NULL) != 0) {
        loop_timer_release(&fleet->ping_timer);
        free(fleet);
        return NULL;
    }
    return fleet;
}

void fleet_destroy(struct fleet **fleet)
{
    struct fleet *dying = *fleet;
    *fleet = NULL;
    if (!dying)
        return;
    ASSERT(list_is_empty(&dying->generations));
    repairs_destroy(&dying->repairs);
    poisons_destroy(&dying->poisons);
    (void)event_del(&dying->child_event);
    loop_timer_release(&dying->repair_timer);
    loop_timer_release(&dying->ping_timer);
    loop_hook_cancel(dying->options.loop, &dying->hook);
    free(dying);
}

uint32_t fleet_next_generation(const struct fleet *fleet)
{
    return fleet->last_generation + 1;
}

struct generation *fleet_add_generation(struct fleet *fleet, struct plan *plan, uint32_t number)
{
    struct generation *generation = calloc(1, sizeof(*generation));
    if (!generation) {
        plan_destroy(&plan);
        return NULL;
    }
    generation->number = number;
    generation->plan = plan;
    list_init(&generation->processes);
    list_append(&fleet->generations, &generation->link);
    return generation;
}

static struct generation *create_generation(struct fleet *fleet, struct plan *plan)
{
    struct generation *generation = fleet_add_generation(fleet, plan, ++fleet->last_generation);
    if (!generation)
        return NULL;
    for (size_t i = 0; i < plan->service_count; i++) {
        for (size_t j = 0; j < plan->services[i]->process_count; j++) {
            struct process *process =
                process_create(&fleet->world, plan, plan->services[i], generation->number);
            if (!process) {
                free_generation(fleet, generation);
                return NULL;
            }
            list_append(&generation->processes, &process->link);
        }
    }
    return generation;
}

void fleet_run(struct fleet *fleet, struct plan *plan, fleet_done *done, void *context)
{
    ASSERT(!fleet_is_busy(fleet));
    struct generation *generation = create_generation(fleet, plan);
    if (!generation) {
        done(false, "out of memory", context);
        return;
    }
    fleet->awaited = generation;
    fleet->run_done = done;
    fleet->run_context = context;
    if (!fleet->present)
        make_present(fleet, generation);
    limit_generations(fleet);
    fleet->last_tick_ms = clock_monotonic_ms();
    loop_timer_set(&fleet->ping_timer, fleet->last_tick_ms + tick_ms(fleet));
    loop_hook_request(fleet->options.loop, &fleet->hook);
}

bool fleet_is_busy(const struct fleet *fleet)
{
    return fleet->awaited || fleet->is_stopping;
}

void fleet_stop(struct fleet *fleet, bool is_graceful, fleet_done *done, void *context)
{
    fleet->is_stopping = true;
    fleet->stop_done = done;
    fleet->stop_context = context;
    if (fleet->awaited)
        finish_run(fleet, false, "stopped meanwhile");
    FOR_EACH_GENERATION(fleet, generation)
    {
        generation->is_leaving = true;
        if (!is_graceful)
            leave_by_force(generation);
    }
    loop_hook_request(fleet->options.loop, &fleet->hook);
}

void fleet_describe(const struct fleet *fleet, struct buffer *text)
{
    FOR_EACH_GENERATION(fleet, generation)
    FOR_EACH_PROCESS(generation, process)
    if (!is_gone(process))
        buffer_append_format(text, "%-10.*s %-8s pid %-8d generation %u %s\n",
                             SPAN_PRINTF(process->service->name),
                             process->service->program->program, (int)process->pid,
                             process->generation, supervise_state_name(process->state));
}

const struct plan *fleet_plan(const struct fleet *fleet)
{
    return fleet->present ? fleet->present->plan : NULL;
}
