/* keyd/vault - see vault.h. */
#include "vault.h"

#include <stdlib.h>

#include "system/clock.h"

enum { ARENA_MAX_BYTES = 256 << 20, NOTICE_S = 7 * 24 * 3600 };

static void log_complaint(void *context, const char *text)
{
    const struct vault *vault = context;
    maillog_text(vault->log, LOG_LEVEL_WARNING, span_empty(), "%s", text);
}

/* A file that cannot be watched is read all the same, and again with the next reload. */
static void watch_file(void *context, const char *path)
{
    const struct vault *vault = context;
    if (vault->watch)
        (void)!file_watch_add(vault->watch, path);
}

/* One that was read before and has the same files; or else the same tables. NULL: none. */
static struct vault_service *find_equal(const struct vault *vault,
                                        const struct vault_service *service, bool by_tables)
{
    LIST_FOR_EACH (&vault->services, link) {
        struct vault_service *other = LIST_ITEM(link, struct vault_service, link);
        if (by_tables ? span_equals(other->table_names, service->table_names)
                      : tls_key_settings_equal(&other->settings, &service->settings))
            return other;
    }
    return NULL;
}

static bool load_keys(struct vault *vault, struct vault_service *service)
{
    struct tls_chains chains;
    const struct vault_service *equal = find_equal(vault, service, false);
    if (equal) {
        service->own = equal->own;
        return true;
    }
    service->is_first = true;
    service->own = arena_alloc(&vault->arena, sizeof(*service->own));
    if (!service->own)
        return false;
    tls_chains_init(&chains, service->settings.prefix, (time_t)(clock_realtime_us() / 1000000),
                    log_complaint, vault);
    chains.on_file = watch_file;
    const enum tls_key_status status = tls_key_files_read(&service->settings, &chains);
    key_set_fill(service->own, &chains, status);
    return true;
}

void vault_complain(const struct vault *vault)
{
    LIST_FOR_EACH (&vault->services, link) {
        const struct vault_service *service = LIST_ITEM(link, struct vault_service, link);
        if (service->is_first && service->own->status == TLS_KEY_STATUS_BROKEN)
            maillog_text(vault->log, LOG_LEVEL_WARNING, span_empty(),
                         "service %.*s: there is no private key that can be used: %s",
                         SPAN_PRINTF(span_first(service->name, 255)),
                         service->is_server ? "STARTTLS is answered with 454"
                                            : "it shows no certificate to servers");
    }
}

bool vault_inherit(const struct vault *vault, struct key_set *set, const char *whose,
                   struct span name, struct tls_chains *chains, uint32_t elder)
{
    const bool was_inherited = set->is_inherited;
    if (!key_set_inherit(set, chains, elder))
        return false;
    if (!was_inherited)
        maillog_text(vault->log, LOG_LEVEL_WARNING, span_empty(),
                     "%s %.*s: the certificates from before stay in use, because the new "
                     "files cannot be used",
                     whose, SPAN_PRINTF(span_first(name, 255)));
    return true;
}

static bool load_tables(struct vault *vault, struct vault_service *service)
{
    if (span_is_empty(service->table_names))
        return true;
    const struct vault_service *equal = find_equal(vault, service, true);
    service->is_first_of_tables = !equal;
    service->tables =
        equal ? equal->tables : name_tables_open(service->table_names, vault->files, &vault->arena);
    return service->tables != NULL;
}

struct loading {
    struct vault *vault;
    bool is_ok;
};

static bool load_service(void *context, const struct tls_key_service *found)
{
    struct loading *loading = context;
    struct vault *vault = loading->vault;
    struct vault_service *service = arena_alloc(&vault->arena, sizeof(*service));
    loading->is_ok = service != NULL;
    if (!service)
        return false;
    service->name = found->name;
    service->is_server = found->is_server;
    service->settings = found->settings;
    service->table_names = found->tables;
    loading->is_ok = load_keys(vault, service) && load_tables(vault, service);
    list_append(&vault->services, &service->link);
    return loading->is_ok;
}

bool vault_load(struct vault *vault, const struct conf_keyd *conf, struct maillog *log,
                struct file_watch *watch)
{
    *vault = (struct vault){.log = log, .watch = watch};
    arena_init(&vault->arena, ARENA_MAX_BYTES, 0);
    list_init(&vault->services);
    vault->files = name_files_create(log, watch);
    struct loading loading = {.vault = vault, .is_ok = vault->files != NULL};
    if (loading.is_ok)
        tls_key_services_each(conf, load_service, &loading);
    return loading.is_ok;
}

void vault_remind(const struct vault *vault, time_t now)
{
    char text[TLS_CHAIN_TEXT_BYTES];
    LIST_FOR_EACH (&vault->services, link) {
        const struct vault_service *service = LIST_ITEM(link, struct vault_service, link);
        for (size_t i = 0; service->is_first && i < service->own->chains.count; i++)
            if (tls_chain_ends_before(&service->own->chains.items[i], now + NOTICE_S, text))
                maillog_text(vault->log, LOG_LEVEL_WARNING, span_empty(),
                             "service %.*s: %s, is over soon or already: renew it; then run "
                             "posthouse reload",
                             SPAN_PRINTF(span_first(service->name, 255)), text);
    }
}

void vault_destroy(struct vault *vault)
{
    LIST_FOR_EACH (&vault->services, link) {
        struct vault_service *service = LIST_ITEM(link, struct vault_service, link);
        if (service->is_first && service->own)
            key_set_release(service->own);
        if (service->is_first_of_tables)
            name_tables_close(&service->tables);
    }
    name_files_destroy(&vault->files);
    arena_destroy(&vault->arena);
}

struct vault_service *vault_find_service_of(const struct vault *vault, struct span prefix,
                                            struct span name)
{
    LIST_FOR_EACH (&vault->services, link) {
        struct vault_service *service = LIST_ITEM(link, struct vault_service, link);
        if (span_equals(prefix, span_from_string(service->settings.prefix)) &&
            span_equals(service->name, name))
            return service;
    }
    return NULL;
}

struct vault_service *vault_find_service(const struct vault *vault, enum ipc_role role,
                                         struct span name)
{
    const char *prefix = role == IPC_ROLE_SMTP   ? "smtp_tls"
                         : role == IPC_ROLE_LMTP ? "lmtp_tls"
                                                 : "smtpd_tls";
    return vault_find_service_of(vault, span_from_string(prefix), name);
}

const struct key_set *vault_certificates(struct vault_service *service, struct span name,
                                         enum tls_key_status *status)
{
    const struct key_set *set = service->own;
    bool is_error = false;
    if (!span_is_empty(name))
        set = service->tables ? name_tables_find(service->tables, name, &is_error) : NULL;
    *status = set ? set->status : is_error ? TLS_KEY_STATUS_BROKEN : TLS_KEY_STATUS_ABSENT;
    return *status == TLS_KEY_STATUS_FOUND ? set : NULL;
}

EVP_PKEY *vault_find_key(struct vault_service *service, struct span digest, struct span name)
{
    enum tls_key_status status;
    EVP_PKEY *key = key_set_find(service->own, digest);
    const struct key_set *set =
        key || span_is_empty(name) ? NULL : vault_certificates(service, name, &status);
    return set ? key_set_find(set, digest) : key;
}
