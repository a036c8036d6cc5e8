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
    if (name && name[0] == '/' && /* else it is relative to nothing that an operator knows */
        file_read_whole(AT_FDCWD, name, TLS_KEY_FILE_MAX_BYTES, arena, content) == 0)
        return name;
    tls_chains_complain_of_file(chains, name ? name : "a file",
                                name && name[0] != '/' ? ENOENT : errno);
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
