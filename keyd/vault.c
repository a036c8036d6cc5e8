/* keyd/vault - see vault.h. */
#include "vault.h"

#include <stdlib.h>

#include "system/clock.h"

enum { ARENA_MAX_BYTES = 256 << 20 };

static void log_complaint(void *context, const char *text)
{
    maillog_text(context, LOG_LEVEL_WARNING, span_empty(), "%s", text);
}

/* What a parameter is for that service. */
static struct span value_for(struct span values, struct span service)
{
    struct span name, value;
    while (conf_each_service_next(&values, &name, &value))
        if (span_equals(name, service))
            return value;
    return span_empty();
}

static bool is_new(const struct vault *vault, bool is_server, enum ipc_role client,
                   struct span name)
{
    LIST_FOR_EACH (&vault->services, link) {
        const struct vault_service *service = LIST_ITEM(link, struct vault_service, link);
        if (service->is_server == is_server && service->client == client &&
            span_equals(service->name, name))
            return false;
    }
    return true;
}

/* The five values, for all services of the programs that have them. */
struct group {
    const char *prefix;
    bool is_server;
    enum ipc_role client;
    struct span chain_files, cert_file, key_file, eccert_file, eckey_file, tables;
};

static bool load_service(struct vault *vault, const struct group *group, struct span name)
{
    struct tls_chains chains;
    char label[300];
    struct vault_service *service = arena_alloc(&vault->arena, sizeof(*service));
    const struct tls_key_settings settings = {
        .prefix = group->prefix,
        .chain_files = value_for(group->chain_files, name),
        .cert_file = value_for(group->cert_file, name),
        .key_file = value_for(group->key_file, name),
        .eccert_file = value_for(group->eccert_file, name),
        .eckey_file = value_for(group->eckey_file, name),
    };
    const struct span tables = value_for(group->tables, name);
    if (!service)
        return false;
    service->is_server = group->is_server;
    service->client = group->client;
    service->name = name;
    tls_chains_init(&chains, group->prefix, (time_t)(clock_realtime_us() / 1000000), log_complaint,
                    vault->log);
    const enum tls_key_status status = tls_key_files_read(&settings, &chains);
    if (status == TLS_KEY_STATUS_BROKEN) {
        (void)snprintf(label, sizeof(label), "service %.*s: ", SPAN_PRINTF(span_first(name, 255)));
        maillog_text(vault->log, LOG_LEVEL_WARNING, span_empty(),
                     "%sno usable private key: TLS is not available for now%s", label,
                     group->is_server ? "" : " with a certificate of its own");
    }
    key_set_fill(&service->own, &chains, status);
    list_append(&vault->services, &service->link);
    if (span_is_empty(tables))
        return true;
    service->tables = name_tables_open(tables, vault->files, &vault->arena);
    return service->tables != NULL;
}

static bool load_group(struct vault *vault, const struct group *group)
{
    struct span rest = group->chain_files, name, value;
    while (conf_each_service_next(&rest, &name, &value))
        if (is_new(vault, group->is_server, group->client, name) &&
            !load_service(vault, group, name))
            return false;
    return true;
}

bool vault_load(struct vault *vault, const struct conf_keyd *conf, struct maillog *log)
{
    const struct group groups[] = {
        {"smtpd_tls", true, IPC_ROLE_NONE, conf->smtpd_tls_chain_files, conf->smtpd_tls_cert_file,
         conf->smtpd_tls_key_file, conf->smtpd_tls_eccert_file, conf->smtpd_tls_eckey_file,
         conf->tls_server_sni_maps},
        {"smtp_tls", false, IPC_ROLE_SMTP, conf->smtp_tls_chain_files, conf->smtp_tls_cert_file,
         conf->smtp_tls_key_file, conf->smtp_tls_eccert_file, conf->smtp_tls_eckey_file,
         span_empty()},
        {"lmtp_tls", false, IPC_ROLE_LMTP, conf->lmtp_tls_chain_files, conf->lmtp_tls_cert_file,
         conf->lmtp_tls_key_file, conf->lmtp_tls_eccert_file, conf->lmtp_tls_eckey_file,
         span_empty()},
    };
    *vault = (struct vault){.log = log};
    arena_init(&vault->arena, ARENA_MAX_BYTES, 0);
    list_init(&vault->services);
    vault->files = name_files_create(log);
    bool is_ok = vault->files != NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(groups) && is_ok; i++)
        is_ok = load_group(vault, &groups[i]);
    return is_ok;
}

void vault_destroy(struct vault *vault)
{
    LIST_FOR_EACH (&vault->services, link) {
        struct vault_service *service = LIST_ITEM(link, struct vault_service, link);
        key_set_release(&service->own);
        name_tables_close(&service->tables);
    }
    name_files_destroy(&vault->files);
    arena_destroy(&vault->arena);
}

struct vault_service *vault_find_service(const struct vault *vault, enum ipc_role role,
                                         struct span name)
{
    const bool is_client = role == IPC_ROLE_SMTP || role == IPC_ROLE_LMTP;
    LIST_FOR_EACH (&vault->services, link) {
        struct vault_service *service = LIST_ITEM(link, struct vault_service, link);
        if (service->is_server != is_client && (!is_client || service->client == role) &&
            span_equals(service->name, name))
            return service;
    }
    return NULL;
}

const struct key_set *vault_certificates(struct vault_service *service, struct span name,
                                         enum tls_key_status *status)
{
    const struct key_set *set = &service->own;
    bool is_error = false;
    if (!span_is_empty(name))
        set = service->tables ? name_tables_find(service->tables, name, &is_error) : NULL;
    *status = set ? set->status : is_error ? TLS_KEY_STATUS_BROKEN : TLS_KEY_STATUS_ABSENT;
    return *status == TLS_KEY_STATUS_FOUND ? set : NULL;
}

EVP_PKEY *vault_find_key(struct vault_service *service, struct span digest, struct span name)
{
    enum tls_key_status status;
    EVP_PKEY *key = key_set_find(&service->own, digest);
    const struct key_set *set =
        key || span_is_empty(name) ? NULL : vault_certificates(service, name, &status);
    return set ? key_set_find(set, digest) : key;
}
