/* virtual - delivers to virtual mailboxes, below virtual_mailbox_base.
 * Where virtual_uid_maps and virtual_gid_maps are one static: table each, this process becomes that
 * user and delivers itself; otherwise it is the dispatcher of workers, and only their root part,
 * which reads no mail, stays root.
 * Manual: man/virtual.8. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/virtual.h"
#include "dispatch.h"
#include "maillog/event.h"
#include "mbox.h"
#include "owner.h"
#include "owners.h"
#include "service/agent_service.h"
#include "worker.h"

enum { DESCRIPTOR_LIMIT = 8192 };

struct virtual
{
    struct deliverer_rules rules;
    bool has_workers;
    int root_part;
    struct agent_service agent;
};

/* ---- who delivers ---- */

/* Mail for virtual mailboxes waits until the setting is right; the daemon itself runs, because many
 * configurations have this service and never use it. */
static void refuse_all(struct virtual *virtual, const char *reason)
{
    virtual->rules.is_refusing = true;
    virtual->rules.refusal = outcome_temporary(451, 3, 5, reason);
}

static void open_base(struct service *service, struct virtual *virtual)
{
    const struct conf_virtual *settings = service->settings;
    const char *path = arena_string(&service->arena, settings->virtual_mailbox_base);
    struct sandbox_path *permitted = arena_alloc(&service->arena, sizeof(*permitted));
    ASSERT(path && permitted);
    if (path[0] != '/') {
        refuse_all(virtual, "virtual_mailbox_base is not set");
        return;
    }
    virtual->rules.base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (virtual->rules.base < 0) {
        refuse_all(virtual, "the directory virtual_mailbox_base cannot be opened");
        return;
    }
    *permitted = (struct sandbox_path){path, SANDBOX_PATH_READ | SANDBOX_PATH_WRITE};
    service->profile.paths = permitted;
    service->profile.path_count = 1;
}

static void become_static_owner(struct service *service, struct virtual *virtual)
{
    struct owner owner = {0, 0};
    struct span error;
    const enum owner_result result = owner_look_up(
        service->settings, SPAN("anybody@example.invalid"), &service->arena, &owner, &error);
    if (result != OWNER_FOUND) {
        refuse_all(virtual, result == OWNER_REFUSED
                                ? "virtual_uid_maps or virtual_gid_maps names an owner that "
                                  "virtual_minimum_uid and last_valid_uid do not permit"
                                : "virtual_uid_maps or virtual_gid_maps has no number");
        return;
    }
    if (!service->is_root && owner.uid != getuid()) {
        refuse_all(virtual, "delivery to another user's mailbox needs a master that runs as root");
        return;
    }
    if (service->is_root) {
        service->profile.uid = owner.uid;
        service->profile.gid = owner.gid;
    }
    open_base(service, virtual);
}

static void identify(struct worker_identity *identity, struct span key, void *context)
{
    const struct service *service = context;
    const struct conf_virtual *settings = service->settings;
    struct owner owner = {0, 0};
    struct span error = span_empty();
    identity->rules = ((const struct virtual *)service->state)->rules;
    identity->context = context;
    if (span_equals(key, SPAN(OWNERS_KEY))) {
        identity->is_answering = true;
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "nobody delivers here");
        return;
    }
    switch (owner_look_up(settings, key, &identity->arena, &owner, &error)) {
    case OWNER_FOUND:
        identity->uid = owner.uid;
        identity->gid = owner.gid;
        identity->rules.owner = owner.uid;
        identity->base_path = arena_string(&identity->arena, settings->virtual_mailbox_base);
        if (!identity->base_path)
            worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "out of memory");
        break;
    case OWNER_ABSENT:
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 5, "recipient %.*s has no uid or gid",
                      SPAN_PRINTF(key));
        break;
    case OWNER_REFUSED:
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 5,
                      "recipient %.*s has an owner (uid %lu) that is not permitted",
                      SPAN_PRINTF(key), (unsigned long)owner.uid);
        break;
    case OWNER_MALFORMED:
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 5,
                      "recipient %.*s has a uid or gid that is no number", SPAN_PRINTF(key));
        break;
    case OWNER_ERROR:
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "cannot look up the owner: %.*s",
                      SPAN_PRINTF(error));
        break;
    }
}

/* What a worker has, or the process that looks owners up. */
struct part {
    struct deliverer *deliverer;
    const struct conf_virtual *settings;
};

static void *begin_part(const struct worker_place *place)
{
    const struct service *service = place->identity->context;
    struct part *part = calloc(1, sizeof(*part));
    if (!part)
        return NULL;
    part->settings = service->settings;
    part->deliverer = deliverer_create(place->loop, place->pool, &place->identity->rules);
    return part->deliverer ? part : NULL; /* the process ends */
}

static void deliver_in_part(struct agent_message *message, void *context)
{
    const struct part *part = context;
    deliverer_deliver(message, part->deliverer);
}

static void answer_in_part(struct ipc_channel *channel, const struct ipc_delivery *question,
                           void *context)
{
    const struct part *part = context;
    owners_answer(channel, question, part->settings);
}

static bool fork_root_part(struct service *service, struct virtual *virtual)
{
    const struct conf_virtual *settings = service->settings;
    const struct worker_program program = {.role = IPC_ROLE_VIRTUAL,
                                           .is_root = service->is_root,
                                           .refusing_uid = service->profile.uid,
                                           .refusing_gid = service->profile.gid,
                                           .identify = identify,
                                           .context = service,
                                           .begin = begin_part,
                                           .deliver = deliver_in_part,
                                           .on_question = answer_in_part};
    if (span_first(settings->virtual_mailbox_base, 1).length == 0 ||
        settings->virtual_mailbox_base.bytes[0] != '/') {
        refuse_all(virtual, "virtual_mailbox_base is not set");
        return true;
    }
    if (span_is_empty(settings->virtual_uid_maps) || span_is_empty(settings->virtual_gid_maps)) {
        refuse_all(virtual, "virtual_uid_maps or virtual_gid_maps is not set");
        return true;
    }
    virtual->has_workers = true;
    virtual->root_part = worker_fork_root_part(service, &program);
    service->profile.promises = SANDBOX_RECEIVE_FDS | SANDBOX_SOCKETPAIR | SANDBOX_LOCK;
    return virtual->root_part >= 0;
}

static bool prepare(struct service *service)
{
    const struct conf_virtual *settings = service->settings;
    struct virtual *virtual = arena_alloc(&service->arena, sizeof(*virtual));
    ASSERT(virtual);
    service->state = virtual;
    if (!agent_service_prepare(service, &virtual->agent, "virtual_delivery_status_filter",
                               settings->virtual_delivery_status_filter))
        return false;
    virtual->root_part = virtual->rules.base = -1;
    virtual->rules.is_confined = true;
    virtual->rules.owner = MAILDIR_ANY_OWNER;
    virtual->rules.size_limit_bytes = settings->virtual_mailbox_limit;
    virtual->rules.has_delivered_to = settings->virtual_delivered_to;
    virtual->rules.host = settings->myhostname;
    virtual->rules.policy = commit_policy_from_name(settings->mailbox_sync);
    virtual->rules.locks = (struct filelock_rules){
        .kinds = filelock_kinds_from_names(settings->virtual_mailbox_lock),
        .attempts = settings->deliver_lock_attempts,
        .delay_ms = settings->deliver_lock_delay_ms,
        .stale_ms = settings->stale_lock_time_ms};
    if (!deliverer_set_quota(&virtual->rules, settings->mailbox_quota,
                             settings->mailbox_quota_code)) {
        service_say(service,
                    "mailbox_quota is no quota: give bytes and messages, 100000000S,1000C");
        return false;
    }
    if (!sandbox_warm_up_crypto()) {
        service_say(service, "libcrypto does not work on this system");
        return false;
    }
    if (owner_is_static(settings))
        become_static_owner(service, virtual);
    else if (!fork_root_part(service, virtual)) {
        service_say(service, "cannot fork: %s", strerrordesc_np(errno));
        return false;
    }
    return true;
}

/* ---- delivering ---- */

/* The owner is looked up for the address, so a worker is wanted for the address. */
static bool recipient_key(const struct agent_recipient *recipient, struct buffer *key,
                          struct outcome *outcome, void *context)
{
    (void)context;
    if (span_is_empty(recipient->mailbox)) {
        *outcome = deliverer_unknown_user(recipient);
        return false;
    }
    buffer_append_span(key, recipient->recipient);
    return true;
}

static void on_root_part_gone(void *service)
{
    service_leave(service, 1); /* master starts both again */
}

static void *make_workers(struct service *service, struct virtual *virtual)
{
    const struct conf_virtual *settings = service->settings;
    const struct dispatch_settings dispatch = {.role = IPC_ROLE_VIRTUAL,
                                               .root_part = virtual->root_part,
                                               .worker_limit = settings->virtual_client_limit,
                                               .time_limit_ms = settings->daemon_timeout_ms,
                                               .key = recipient_key,
                                               .on_root_part_gone = on_root_part_gone,
                                               .root_part_context = service,
                                               .context = service};
    return dispatch_create(service->loop, &dispatch);
}

static void *make_deliverer(struct service *service, const struct virtual *virtual)
{
    struct pool *pool = NULL;
    if (virtual->rules.is_refusing) {
        const struct log_context context = {.log = &service->log};
        log_event(&context, LOG_LEVEL_WARNING, "virtual.all_mail_deferred",
                  log_text("reason", virtual->rules.refusal.reason));
    } else if (!(pool = pool_create(service->loop, DELIVERER_THREADS))) {
        return NULL;
    }
    return deliverer_create(service->loop, pool, &virtual->rules);
}

static bool begin(struct service *service)
{
    const struct conf_virtual *settings = service->settings;
    struct virtual *virtual = service->state;
    void *context = virtual->has_workers ? make_workers(service, virtual)
                                         : make_deliverer(service, virtual);
    if (!context) {
        service_say(service, "cannot start: out of memory or threads");
        return false;
    }
    const struct agent_settings agent = {
        .relay = span_from_string(service->name),
        .is_soft_bouncing = settings->soft_bounce,
        .capacity = deliverer_capacity(),
        .has_workers = virtual->has_workers,
        .takes_verification = true,
        .deliver = virtual->has_workers ? owners_deliver : deliverer_deliver,
        .context = context,
    };
    return agent_service_begin(service, &virtual->agent, agent);
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct virtual *virtual = service->state;
    agent_service_on_peer(&virtual->agent, peer, descriptor);
}

static void drain(struct service *service)
{
    struct virtual *virtual = service->state;
    agent_service_drain(service, &virtual->agent);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "virtual",
        .part = &conf_part_virtual,
        .promises = SANDBOX_MAILDIR | SANDBOX_THREADS,
        .descriptor_limit = DESCRIPTOR_LIMIT,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
