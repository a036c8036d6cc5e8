/* tls/key_files - see key_files.h. */
#include "tls/key_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "system/file.h"

enum { NAME_MAX_BYTES = 64, ARENA_MAX_BYTES = 4 * TLS_KEY_FILE_MAX_BYTES };

/* The path as a string of C and what the file holds; NULL after a complaint. */
static const char *read_file(struct tls_chains *chains, struct span path, struct arena *arena,
                             struct span *content)
{
    const char *name = arena_string(arena, path);
    if (!name || name[0] != '/') {
        /* It may be anything, also what nobody else should read: it is not shown. */
        tls_chains_complain_of_file(chains, "a name that does not begin with /", ENOENT);
        return NULL;
    }
    if (chains->on_file)
        chains->on_file(chains->context, name);
    if (file_read_whole(AT_FDCWD, name, TLS_KEY_FILE_MAX_BYTES, arena, content) == 0)
        return name;
    tls_chains_complain_of_file(chains, name, errno);
    return NULL;
}

void tls_key_files_list(struct span files, struct tls_chains *chains)
{
    struct span path;
    while (span_next_word(&files, ", \t\r\n", &path)) {
        struct arena arena;
        struct span content;
        arena_init(&arena, ARENA_MAX_BYTES, ARENA_WIPE);
        const char *name = read_file(chains, path, &arena, &content);
        if (name)
            tls_chains_read(chains, content, name);
        arena_destroy(&arena);
    }
    tls_chains_finish(chains);
}

static void read_pair(struct tls_chains *chains, struct span cert_file, struct span key_file)
{
    struct arena arena;
    struct span certificates, key;
    arena_init(&arena, ARENA_MAX_BYTES, ARENA_WIPE);
    const char *cert_name = read_file(chains, cert_file, &arena, &certificates);
    const char *key_name = cert_name ? read_file(chains, key_file, &arena, &key) : NULL;
    if (key_name)
        tls_chains_read_pair(chains, certificates, cert_name, key, key_name);
    arena_destroy(&arena);
}

static bool is_none(struct span value)
{
    return span_equals(value, SPAN("none"));
}

static bool is_named(struct span value)
{
    return !span_is_empty(value) && !is_none(value);
}

static void name_setting(struct tls_chains *chains, char name[NAME_MAX_BYTES], const char *prefix,
                         const char *suffix)
{
    (void)snprintf(name, NAME_MAX_BYTES, "%s_%s", prefix, suffix);
    chains->setting = name;
}

enum tls_key_status tls_key_files_read(const struct tls_key_settings *settings,
                                       struct tls_chains *chains)
{
    char name[NAME_MAX_BYTES];
    const char *setting = chains->setting;
    if (is_named(settings->chain_files)) {
        name_setting(chains, name, settings->prefix, "chain_files");
        tls_key_files_list(settings->chain_files, chains);
    } else if (span_is_empty(settings->chain_files)) {
        name_setting(chains, name, settings->prefix, "cert_file");
        if (is_named(settings->cert_file))
            read_pair(chains, settings->cert_file, settings->key_file);
        name_setting(chains, name, settings->prefix, "eccert_file");
        if (is_named(settings->eccert_file))
            read_pair(chains, settings->eccert_file, settings->eckey_file);
    }
    chains->setting = setting;
    if (chains->count > 0)
        return TLS_KEY_STATUS_FOUND;
    if (chains->complaint_count > 0)
        return TLS_KEY_STATUS_BROKEN;
    return is_none(settings->chain_files) || is_none(settings->cert_file) ||
                   is_none(settings->eccert_file)
               ? TLS_KEY_STATUS_REFUSED
               : TLS_KEY_STATUS_ABSENT;
}

bool tls_key_settings_equal(const struct tls_key_settings *left,
                            const struct tls_key_settings *right)
{
    return strcmp(left->prefix, right->prefix) == 0 &&
           span_equals(left->chain_files, right->chain_files) &&
           span_equals(left->cert_file, right->cert_file) &&
           span_equals(left->key_file, right->key_file) &&
           span_equals(left->eccert_file, right->eccert_file) &&
           span_equals(left->eckey_file, right->eckey_file);
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

/* Has a service of that name been before? A name may stand for two ways to listen. */
static bool is_repeated(struct span values, struct span service, size_t index)
{
    struct span name, value;
    for (size_t i = 0; i < index && conf_each_service_next(&values, &name, &value); i++)
        if (span_equals(name, service))
            return true;
    return false;
}

void tls_key_services_each(const struct conf_keyd *conf,
                           bool (*visit)(void *context, const struct tls_key_service *service),
                           void *context)
{
    /* The values of all services of the programs that have a prefix. */
    const struct {
        bool is_server;
        struct tls_key_settings values;
        struct span tables;
    } groups[] = {
        {true,
         {"smtpd_tls", conf->smtpd_tls_chain_files, conf->smtpd_tls_cert_file,
          conf->smtpd_tls_key_file, conf->smtpd_tls_eccert_file, conf->smtpd_tls_eckey_file},
         conf->tls_server_sni_maps},
        {false,
         {"smtp_tls", conf->smtp_tls_chain_files, conf->smtp_tls_cert_file, conf->smtp_tls_key_file,
          conf->smtp_tls_eccert_file, conf->smtp_tls_eckey_file},
         span_empty()},
        {false,
         {"lmtp_tls", conf->lmtp_tls_chain_files, conf->lmtp_tls_cert_file, conf->lmtp_tls_key_file,
          conf->lmtp_tls_eccert_file, conf->lmtp_tls_eckey_file},
         span_empty()},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(groups); i++) {
        const struct tls_key_settings *values = &groups[i].values;
        struct span rest = values->chain_files, name, value;
        for (size_t n = 0; conf_each_service_next(&rest, &name, &value); n++) {
            const struct tls_key_service service = {
                .name = name,
                .is_server = groups[i].is_server,
                .settings = {.prefix = values->prefix,
                             .chain_files = value,
                             .cert_file = value_for(values->cert_file, name),
                             .key_file = value_for(values->key_file, name),
                             .eccert_file = value_for(values->eccert_file, name),
                             .eckey_file = value_for(values->eckey_file, name)},
                .tables = value_for(groups[i].tables, name)};
            if (!is_repeated(values->chain_files, name, n) && !visit(context, &service))
                return;
        }
    }
}
