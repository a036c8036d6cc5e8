/* local - delivers to the users of this system, into a Maildir each.
 * This process dispatches: it holds qmgr's channel, knows no uid and opens nothing. Its root part
 * only forks; a worker looks its user up, becomes that user for good and delivers.
 * Manual: man/local.8. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address/rewrite.h"
#include "base/ascii.h"
#include "conf/local.h"
#include "dispatch.h"
#include "worker.h"

enum { DESCRIPTOR_LIMIT = 4096, PASSWD_FIRST_BYTES = 4096, PASSWD_MAX_BYTES = 1 << 20 };

struct local {
    int root_part;
    struct dispatch *dispatch;
    struct agent *agent;
};

/* ---- in the worker ---- */

/* 0 with *found NULL: nobody has that name. */
static int look_up_user(const char *name, struct arena *arena, struct passwd *entry,
                        struct passwd **found)
{
    int result = ERANGE;
    for (size_t size = PASSWD_FIRST_BYTES; result == ERANGE && size <= PASSWD_MAX_BYTES / 2;
         size *= 2) {
        char *memory = arena_alloc(arena, size);
        if (!memory)
            return ENOMEM;
        result = getpwnam_r(name, entry, memory, size, found);
    }
    /* Some name services say in this way that there is no such entry. */
    if (result == ENOENT || result == ESRCH)
        result = 0;
    return result;
}

static void set_mailbox(struct worker_identity *identity, const struct conf_local *settings,
                        const struct passwd *user)
{
    if (!span_is_empty(settings->home_mailbox)) {
        identity->base_path = user->pw_dir;
        identity->rules.mailbox = settings->home_mailbox;
        return;
    }
    identity->base_path = arena_string(&identity->arena, settings->mail_spool_directory);
    identity->rules.mailbox = span_from_string(user->pw_name);
    identity->rules.is_confined = true; /* a directory of many users' mailboxes */
    identity->rules.owner = user->pw_uid;
}

static void identify(struct worker_identity *identity, struct span key, void *context)
{
    const struct service *service = context;
    const struct conf_local *settings = service->settings;
    struct passwd *entry = arena_alloc(&identity->arena, sizeof(*entry)), *user = NULL;
    const char *name = arena_string(&identity->arena, key);
    identity->rules.owner = MAILDIR_ANY_OWNER;
    identity->rules.size_limit_bytes = settings->mailbox_size_limit;
    identity->rules.has_delivered_to = true;
    identity->rules.refuses_loops = true;
    identity->rules.host = settings->myhostname;
    identity->rules.policy = commit_policy_from_name(settings->mailbox_sync);
    if (!name || !entry) {
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "out of memory");
        return;
    }
    if (!deliverer_set_quota(&identity->rules, settings->mailbox_quota,
                             settings->mailbox_quota_code)) {
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 5, "mailbox_quota is no quota");
        return;
    }
    const int error_number = look_up_user(name, &identity->arena, entry, &user);
    if (error_number != 0) {
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "cannot look up user \"%s\": %s", name,
                      strerrordesc_np(error_number));
        return;
    }
    if (!user) {
        worker_refuse(identity, OUTCOME_PERMANENT, 1, 1, "unknown user: \"%s\"", name);
        return;
    }
    identity->uid = user->pw_uid;
    identity->gid = user->pw_gid;
    identity->user_name = user->pw_name;
    set_mailbox(identity, settings, user);
    if (!identity->base_path || identity->base_path[0] != '/')
        worker_refuse(identity, OUTCOME_TEMPORARY, 2, 0, "user \"%s\" has no home directory", name);
}

/* ---- in the dispatcher ---- */

/* The user name: the local part in lower case, without its extension. */
static bool recipient_key(const struct agent_recipient *recipient, struct buffer *key,
                          struct outcome *outcome, void *context)
{
    const struct service *service = context;
    const struct conf_local *settings = service->settings;
    struct arena *arena = &recipient->message->arena;
    struct mailbox mailbox;
    struct span user, extension;
    if (mailbox_parse(recipient->recipient, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena,
                      &mailbox) != PARSE_OK) {
        *outcome = outcome_permanent(550, 1, 3, "bad address syntax");
        return false;
    }
    (void)address_split_extension(mailbox.local_part, settings->recipient_delimiter, true, &user,
                                  &extension);
    for (size_t i = 0; i < user.length; i++) {
        if (user.bytes[i] < ' ' || user.bytes[i] == '/' || user.bytes[i] == ':') {
            *outcome = outcome_permanent(550, 1, 1, "unknown user"); /* no name in passwd(5) */
            return false;
        }
        buffer_append_byte(key, ascii_to_lower(user.bytes[i]));
    }
    return true;
}

static bool is_maildir(struct span path)
{
    return span_ends_with(path, SPAN("/"));
}

static bool prepare(struct service *service)
{
    const struct conf_local *settings = service->settings;
    struct local *local = arena_alloc(&service->arena, sizeof(*local));
    const struct worker_program program = {.role = IPC_ROLE_LOCAL,
                                           .is_root = service->is_root,
                                           .refusing_uid = service->profile.uid,
                                           .refusing_gid = service->profile.gid,
                                           .identify = identify,
                                           .context = service};
    ASSERT(local);
    service->state = local;
    if (span_is_empty(settings->home_mailbox) ? !is_maildir(settings->mail_spool_directory)
                                              : !is_maildir(settings->home_mailbox)) {
        service_say(service, "this release delivers to Maildirs only: end %s with a slash",
                    span_is_empty(settings->home_mailbox) ? "mail_spool_directory"
                                                          : "home_mailbox");
        return false;
    }
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
    local->root_part = worker_fork_root_part(service, &program);
    if (local->root_part < 0)
        service_say(service, "cannot fork: %s", strerrordesc_np(errno));
    return local->root_part >= 0;
}

static void on_root_part_gone(void *service)
{
    service_leave(service, 1); /* master starts both again */
}

static bool begin(struct service *service)
{
    const struct conf_local *settings = service->settings;
    struct local *local = service->state;
    const struct dispatch_settings dispatch = {.role = IPC_ROLE_LOCAL,
                                               .root_part = local->root_part,
                                               .worker_limit = settings->local_client_limit,
                                               .key = recipient_key,
                                               .on_root_part_gone = on_root_part_gone,
                                               .context = service};
    local->dispatch = dispatch_create(service->loop, &dispatch);
    const struct agent_settings agent = {.relay = span_from_string(service->name),
                                         .log = &service->log,
                                         .is_soft_bouncing = settings->soft_bounce,
                                         .capacity = DISPATCH_CAPACITY,
                                         .takes_verification = true,
                                         .deliver = dispatch_deliver,
                                         .context = local->dispatch};
    if (local->dispatch)
        local->agent = agent_create(service->loop, &agent);
    if (!local->agent)
        service_say(service, "cannot start: out of memory");
    return local->agent != NULL;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct local *local = service->state;
    if (peer->role == IPC_ROLE_QMGR)
        agent_attach(local->agent, descriptor, peer->role);
    else
        (void)close(descriptor); /* nobody else has business here */
}

static void leave(void *service)
{
    service_leave(service, 0);
}

static void drain(struct service *service)
{
    struct local *local = service->state;
    agent_drain(local->agent, leave, service);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "local",
        .part = &conf_part_local,
        .promises = SANDBOX_SOCKETPAIR,
        .descriptor_limit = DESCRIPTOR_LIMIT,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
