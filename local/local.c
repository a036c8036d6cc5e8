/* local - delivers to the users of this system: aliases, .forward files, mailboxes, commands.
 * This process dispatches: it holds qmgr's channels, knows no uid and opens nothing. Its root parts
 * only fork; a worker looks its user up, becomes that user for good and delivers. Commands are run
 * by workers of a root part of their own, which has no filter: a program would have it, too.
 * Manual: man/local.8. */
#include <errno.h>
#include <unistd.h>

#include "biff.h"
#include "conf/local.h"
#include "deliverer.h"
#include "delivery.h"
#include "identity.h"
#include "runner.h"
#include "service/agent_service.h"
#include "stages.h"

enum { DESCRIPTOR_LIMIT = 8192, SPARE_IDS = 1 };

struct local {
    int root_part;
    int commands; /* the root part whose workers run commands; -1: none are run */
    int biff;     /* socket to comsat; -1: none */
    struct dispatch *dispatch;
    struct stages stages;
    struct agent_service agent;
};

/* ---- before the sandbox ---- */

static bool runs_commands(const struct conf_local *settings)
{
    return !span_is_empty(settings->allow_mail_to_commands) ||
           !span_is_empty(settings->mailbox_command) ||
           !span_is_empty(settings->mailbox_command_maps);
}

static bool fork_root_parts(struct service *service, struct local *local)
{
    struct worker_program program = {.role = IPC_ROLE_LOCAL,
                                     .is_root = service->is_root,
                                     .refusing_uid = service->profile.uid,
                                     .refusing_gid = service->profile.gid,
                                     .identify = local_identify,
                                     .context = service,
                                     .begin = local_delivery_begin,
                                     .deliver = local_delivery_deliver,
                                     .on_question = local_delivery_answer};
    local->root_part = worker_fork_root_part(service, &program);
    local->commands = -1;
    if (local->root_part < 0 || !runs_commands(service->settings))
        return local->root_part >= 0;
    program.begin = runner_begin;
    program.deliver = runner_deliver;
    program.on_question = NULL;
    program.runs_commands = true;
    local->commands = worker_fork_root_part(service, &program);
    return local->commands >= 0;
}

static bool prepare(struct service *service)
{
    const struct conf_local *settings = service->settings;
    struct local *local = arena_alloc(&service->arena, sizeof(*local));
    ASSERT(local);
    service->state = local;
    if (!agent_service_prepare(service, &local->agent, "local_delivery_status_filter",
                               settings->local_delivery_status_filter))
        return false;
    struct deliverer_rules rules;
    if (!deliverer_set_quota(&rules, settings->mailbox_quota, settings->mailbox_quota_code)) {
        service_say(service,
                    "mailbox_quota is no quota: give bytes and messages, 100000000S,1000C");
        return false;
    }
    if (!sandbox_warm_up_crypto()) {
        service_say(service, "libcrypto does not work on this system");
        return false;
    }
    if (!fork_root_parts(service, local)) {
        service_say(service, "cannot fork: %s", strerrordesc_np(errno));
        return false;
    }
    local->biff = settings->biff ? biff_open() : -1; /* which the root parts do not have */
    return true;
}

/* The key of a user's worker is "u" and the name. */
static void on_notice(struct span key, const struct ipc_mail_notice *notice, void *context)
{
    struct stages *stages = context;
    const struct local *local = CONTAINER_OF(stages, struct local, stages);
    if (span_starts_with(key, SPAN("u")))
        biff_tell(local->biff, span_after(key, 1), notice->offset);
}

static void on_root_part_gone(void *service)
{
    service_leave(service, 1); /* master starts both again */
}

static bool make_dispatches(struct service *service, struct local *local)
{
    const struct conf_local *settings = service->settings;
    const struct dispatch_settings dispatch = {.role = IPC_ROLE_LOCAL,
                                               .root_part = local->root_part,
                                               .worker_limit = settings->local_client_limit,
                                               .time_limit_ms = settings->daemon_timeout_ms +
                                                                settings->command_time_limit_ms,
                                               .route = stages_route,
                                               .on_result = stages_on_result,
                                               .on_request = stages_on_request,
                                               .is_waiting = stages_is_waiting,
                                               .on_notice = on_notice,
                                               .on_worker_gone = stages_on_worker_gone,
                                               .on_root_part_gone = on_root_part_gone,
                                               .root_part_context = service,
                                               .context = &local->stages};
    struct dispatch_settings commands = dispatch;
    commands.root_part = local->commands;
    local->dispatch = local->stages.dispatch = dispatch_create(service->loop, &dispatch);
    if (local->commands >= 0)
        local->stages.commands = dispatch_create(service->loop, &commands);
    return local->dispatch && (local->commands < 0 || local->stages.commands);
}

static bool begin(struct service *service)
{
    const struct conf_local *settings = service->settings;
    struct local *local = service->state;
    stages_init(&local->stages, service->loop, settings, &service->log);
    intake_init(&local->stages.forwarder.intake, service->loop, SPARE_IDS);
    if (!make_dispatches(service, local)) {
        service_say(service, "cannot start: out of memory");
        return false;
    }
    const struct agent_settings agent = {.relay = span_from_string(service->name),
                                         .is_soft_bouncing = settings->soft_bounce,
                                         .capacity = deliverer_capacity(),
                                         .has_workers = true,
                                         .takes_verification = true,
                                         .deliver = dispatch_deliver,
                                         .context = local->dispatch};
    return agent_service_begin(service, &local->agent, agent);
}

/* qmgr twice: it asks for deliveries on one channel, and takes forwarded mail on the other. */
static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct local *local = service->state;
    if (peer->role == IPC_ROLE_QMGR && !peer->is_server)
        intake_attach(&local->stages.forwarder.intake, descriptor);
    else if (peer->role == IPC_ROLE_ADDRD)
        addr_client_attach(&local->stages.forwarder.addr, service->loop, descriptor);
    else
        agent_service_on_peer(&local->agent, peer, descriptor);
}

static void drain(struct service *service)
{
    struct local *local = service->state;
    agent_service_drain(service, &local->agent);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "local",
        .part = &conf_part_local,
        .promises = SANDBOX_SOCKETPAIR | SANDBOX_READ_FD | SANDBOX_WRITE_FD | SANDBOX_LOCK,
        .descriptor_limit = DESCRIPTOR_LIMIT,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
