/* local/identity - see identity.h. */
#include "identity.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PASSWD_FIRST_BYTES = 4096, PASSWD_MAX_BYTES = 1 << 20 };

struct table_list *local_open_tables(struct span names)
{
    const struct table_options options = {.flags = TABLE_MAY_BLOCK};
    return table_list_open(names, &options);
}

/* 0 with *found NULL: nobody has that name (or, name NULL, that uid). */
static int look_up(const char *name, uid_t uid, struct arena *arena, struct passwd *entry,
                   struct passwd **found)
{
    int result = ERANGE;
    for (size_t size = PASSWD_FIRST_BYTES; result == ERANGE && size <= PASSWD_MAX_BYTES / 2;
         size *= 2) {
        char *memory = arena_alloc(arena, size);
        if (!memory)
            return ENOMEM;
        result = name ? getpwnam_r(name, entry, memory, size, found)
                      : getpwuid_r(uid, entry, memory, size, found);
    }
    /* Some name services say in this way that there is no such entry. */
    if (result == ENOENT || result == ESRCH)
        result = 0;
    return result;
}

/* ---- rules that all have ---- */

static bool set_rules(struct worker_identity *identity, const struct conf_local *settings)
{
    identity->rules.owner = MAILDIR_ANY_OWNER;
    identity->rules.size_limit_bytes = settings->mailbox_size_limit;
    identity->rules.has_delivered_to = true;
    identity->rules.refuses_loops = true;
    identity->rules.host = settings->myhostname;
    identity->rules.policy = commit_policy_from_name(settings->mailbox_sync);
    return deliverer_set_quota(&identity->rules, settings->mailbox_quota,
                               settings->mailbox_quota_code);
}

static void permit(struct worker_identity *identity, const char *path, unsigned access)
{
    if (identity->path_count < WORKER_PATHS_MAX)
        identity->paths[identity->path_count++] =
            (struct sandbox_path){path, access | SANDBOX_PATH_OPTIONAL};
}

/* Files that are named in aliases and .forward files may lie anywhere: there what the user may do
 * is the limit. */
static void permit_paths(struct worker_identity *identity, const struct conf_local *settings)
{
    const bool writes_anywhere = !span_is_empty(settings->allow_mail_to_files);
    permit(identity, "/", SANDBOX_PATH_READ | (writes_anywhere ? SANDBOX_PATH_WRITE : 0));
    if (!writes_anywhere && identity->base_path)
        permit(identity, identity->base_path, SANDBOX_PATH_READ | SANDBOX_PATH_WRITE);
    const char *spool = arena_string(&identity->arena, settings->mail_spool_directory);
    if (!writes_anywhere && identity->spool_path && spool)
        permit(identity, spool, SANDBOX_PATH_READ | SANDBOX_PATH_WRITE);
}

/* ---- a user ---- */

static bool ends_in_slash(struct span path)
{
    return span_ends_with(path, SPAN("/"));
}

static void set_mailbox(struct worker_identity *identity, const struct conf_local *settings,
                        const struct passwd *user)
{
    identity->base_path = user->pw_dir;
    identity->rules.mailbox = settings->home_mailbox;
    if (!span_is_empty(settings->home_mailbox))
        return;
    identity->rules.mailbox = span_from_string(user->pw_name);
    if (ends_in_slash(settings->mail_spool_directory)) {
        identity->base_path = arena_string(&identity->arena, settings->mail_spool_directory);
        identity->rules.is_confined = true; /* a directory of many users' mailboxes */
        identity->rules.owner = user->pw_uid;
        return;
    }
    const struct span path = arena_format(
        &identity->arena, "%.*s/%s", SPAN_PRINTF(settings->mail_spool_directory), user->pw_name);
    identity->base_path = NULL;
    identity->spool_path = path.bytes ? arena_string(&identity->arena, path) : NULL;
    if (!identity->spool_path)
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "out of memory");
}

static void identify_user(struct worker_identity *identity, struct local_identity *local,
                          const char *name)
{
    const struct conf_local *settings = local->settings;
    struct passwd *entry = arena_alloc(&identity->arena, sizeof(*entry)), *user = NULL;
    const int error = entry ? look_up(name, 0, &identity->arena, entry, &user) : ENOMEM;
    if (error != 0) {
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "cannot look up user \"%s\": %s", name,
                      strerrordesc_np(error));
        return;
    }
    if (!user) {
        local->kind = LOCAL_NOBODY;
        local->name = span_from_string(name);
        identity->is_unprivileged = true;
        permit(identity, "/", SANDBOX_PATH_READ);
        return;
    }
    local->kind = LOCAL_USER;
    local->name = span_from_string(user->pw_name);
    local->home = span_from_string(user->pw_dir);
    local->shell = span_from_string(user->pw_shell);
    identity->uid = user->pw_uid;
    identity->gid = user->pw_gid;
    identity->user_name = user->pw_name;
    if (user->pw_uid == 0 && (!span_is_empty(settings->mailbox_transport) ||
                              !span_is_empty(settings->mailbox_transport_maps))) {
        local->kind = LOCAL_ROOT;
        identity->is_unprivileged = true;
        permit(identity, "/", SANDBOX_PATH_READ);
        return;
    }
    set_mailbox(identity, settings, user);
    if (user->pw_dir[0] != '/' || (identity->base_path && identity->base_path[0] != '/')) {
        worker_refuse(identity, OUTCOME_TEMPORARY, 2, 0, "user \"%s\" has no home directory", name);
        return;
    }
    permit_paths(identity, settings);
}

/* ---- aliases ---- */

/* The owner of the table's file, and where that is root default_privs; without root's privilege
 * whoever we are. */
static bool look_up_owner(struct worker_identity *identity, const struct local_identity *local,
                          const struct table *table, struct passwd *entry, struct passwd **owner,
                          bool *is_default)
{
    const char *path = arena_string(&identity->arena, table_file(table));
    const char *privileges = arena_string(&identity->arena, local->settings->default_privs);
    struct stat status = {.st_uid = 0};
    if (path && path[0] && stat(path, &status) != 0) {
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "cannot look at alias table %s: %s", path,
                      strerrordesc_np(errno));
        return false;
    }
    if (status.st_mode & S_IWOTH) {
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 5, "anybody may write to alias table %s",
                      path);
        return false;
    }
    const bool is_root = geteuid() == 0;
    const uid_t uid = is_root ? status.st_uid : geteuid();
    *is_default = uid == 0;
    const int error = look_up(uid == 0 ? privileges : NULL, uid, &identity->arena, entry, owner);
    if (error == 0 && *owner)
        return true;
    worker_refuse(identity, OUTCOME_TEMPORARY, 3, 5, "cannot find the owner of alias table %.*s",
                  SPAN_PRINTF(table_name(table)));
    return false;
}

static void identify_aliases(struct worker_identity *identity, struct local_identity *local,
                             const char *number)
{
    struct passwd *entry = arena_alloc(&identity->arena, sizeof(*entry)), *owner = NULL;
    struct table_list *tables = local_open_tables(local->settings->alias_maps);
    char *end = NULL;
    const unsigned long index = strtoul(number, &end, 10);
    local->kind = LOCAL_ALIASES;
    if (!entry || !tables || *end || index >= table_list_count(tables)) {
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "alias_maps cannot be read");
        table_list_close(&tables);
        return;
    }
    local->table_number = index;
    bool is_default = false;
    const bool is_found =
        look_up_owner(identity, local, table_list_at(tables, index), entry, &owner, &is_default);
    table_list_close(&tables);
    if (!is_found)
        return;
    /* default_privs is nobody's home. */
    if (!is_default) {
        local->home = span_from_string(owner->pw_dir);
        local->shell = span_from_string(owner->pw_shell);
    }
    identity->uid = owner->pw_uid;
    identity->gid = owner->pw_gid;
    identity->user_name = owner->pw_name;
    permit_paths(identity, local->settings);
}

void local_identify(struct worker_identity *identity, struct span key, void *context)
{
    const struct service *service = context;
    struct local_identity *local = arena_alloc(&identity->arena, sizeof(*local));
    const char *name = arena_string(&identity->arena, span_after(key, 1));
    identity->context = local;
    if (!local || !name) {
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 0, "out of memory");
        return;
    }
    local->settings = service->settings;
    if (!set_rules(identity, local->settings))
        worker_refuse(identity, OUTCOME_TEMPORARY, 3, 5, "mailbox_quota is no quota");
    else if (span_starts_with(key, SPAN("a")))
        identify_aliases(identity, local, name);
    else
        identify_user(identity, local, name);
}
