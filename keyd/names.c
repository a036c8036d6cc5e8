/* keyd/names - see names.h. */
#include "names.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/list.h"
#include "system/clock.h"
#include "system/random.h"
#include "table/list.h"
#include "tls/key_files.h"

enum {
    KEPT_MAX = 1000, /* sets of tables' contents; a set is a few kilobytes */
    VALUE_MAX_BYTES = 256 * 1024,
    NAME_MAX_BYTES = 255,
    LABEL_MAX_BYTES = 512
};

/* By the list of files. */
struct file_set {
    struct map_node node;
    struct key_set set;
};

struct name_files {
    struct maillog *log;
    struct file_watch *watch; /* NULL: none */
    struct map sets;
};

/* What a table has for a key; found by both. */
struct kept {
    struct map_node node;
    struct list_link link; /* used last comes last */
    struct key_set set;
    uint8_t *key;
};

struct name_tables {
    struct name_files *files;
    struct table_list *list;
    struct map kept;
    struct list by_use;
};

static void log_complaint(void *context, const char *text)
{
    const struct name_files *files = context;
    maillog_text(files->log, LOG_LEVEL_WARNING, span_empty(), "%s", text);
}

static void watch_file(void *context, const char *path)
{
    const struct name_files *files = context;
    if (files->watch)
        (void)!file_watch_add(files->watch, path);
}

static bool is_of_type(const struct table *table, const char *const *types, size_t count)
{
    const struct span proxy = SPAN("proxy:");
    struct span name = table_name(table);
    if (span_starts_with(name, proxy))
        name = span_after(name, proxy.length);
    const struct span type = span_first(name, span_find_byte(name, ':'));
    for (size_t i = 0; i < count; i++)
        if (span_equals(type, span_from_string(types[i])))
            return true;
    return false;
}

/* Their entries name files; other tables have what the files hold. */
static bool has_file_names(const struct table *table)
{
    static const char *const types[] = {"inline", "static", "texthash"};
    return is_of_type(table, types, ARRAY_LENGTH(types));
}

static bool has_contents(const struct table *table)
{
    static const char *const types[] = {"btree", "cdb", "hash", "lmdb"};
    return is_of_type(table, types, ARRAY_LENGTH(types));
}

static time_t now_s(void)
{
    return (time_t)(clock_realtime_us() / 1000000);
}

static enum tls_key_status status_of(const struct tls_chains *chains)
{
    return chains->count > 0 ? TLS_KEY_STATUS_FOUND : TLS_KEY_STATUS_BROKEN;
}

static void init_map(struct map *map)
{
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    map_init(map, seed);
}

struct name_files *name_files_create(struct maillog *log, struct file_watch *watch)
{
    struct name_files *files = calloc(1, sizeof(*files));
    if (!files)
        return NULL;
    files->log = log;
    files->watch = watch;
    init_map(&files->sets);
    return files;
}

static bool release_files(struct map_node *node, void *context UNUSED)
{
    key_set_release(&CONTAINER_OF(node, struct file_set, node)->set);
    return true;
}

void name_files_destroy(struct name_files **files)
{
    if (!*files)
        return;
    map_for_each(&(*files)->sets, release_files, NULL);
    map_destroy(&(*files)->sets);
    free(*files);
    *files = NULL;
}

/* ---- tables of file names ---- */

struct preload {
    struct name_files *files;
    struct arena *arena;
    const struct table *table;
};

static bool load_files(void *context, struct span key, struct span value)
{
    const struct preload *preload = context;
    struct name_files *files = preload->files;
    char label[LABEL_MAX_BYTES];
    struct tls_chains chains;
    if (map_find(&files->sets, value))
        return true;
    struct file_set *set = arena_alloc(preload->arena, sizeof(*set));
    const struct span list = arena_copy(preload->arena, value);
    if (!set || !list.bytes)
        return false;
    (void)snprintf(label, sizeof(label), "tls_server_sni_maps: %.*s: %.*s",
                   SPAN_PRINTF(span_first(table_name(preload->table), 100)),
                   SPAN_PRINTF(span_first(key, NAME_MAX_BYTES)));
    tls_chains_init(&chains, label, now_s(), log_complaint, files);
    chains.on_file = watch_file;
    tls_key_files_list(value, &chains);
    key_set_fill(&set->set, &chains, status_of(&chains));
    set->node.key = list;
    return map_insert(&files->sets, &set->node);
}

struct key_set *name_files_find(const struct name_files *files, struct span list)
{
    struct map_node *node = map_find(&files->sets, list);
    return node ? &CONTAINER_OF(node, struct file_set, node)->set : NULL;
}

struct visit {
    bool (*visit)(void *context, struct span list, struct key_set *set);
    void *context;
};

static bool visit_files(struct map_node *node, void *context)
{
    const struct visit *visit = context;
    return visit->visit(visit->context, node->key, &CONTAINER_OF(node, struct file_set, node)->set);
}

void name_files_each(struct name_files *files,
                     bool (*visit)(void *context, struct span list, struct key_set *set),
                     void *context)
{
    struct visit walk = {visit, context};
    map_for_each(&files->sets, visit_files, &walk);
}

static void load_listed(struct name_tables *tables, struct table *table, struct arena *arena)
{
    struct preload preload = {tables->files, arena, table};
    struct buffer value;
    enum table_result result;
    static const char *const types[] = {"static"};
    if (is_of_type(table, types, 1)) { /* it has no list */
        buffer_init(&value, NULL, VALUE_MAX_BYTES);
        result = table_lookup(table, SPAN("any"), &value);
        if (result == TABLE_FOUND && !load_files(&preload, SPAN("any"), buffer_span(&value)))
            result = TABLE_ERROR;
        buffer_release(&value);
    } else {
        result = table_walk(table, load_files, &preload);
    }
    if (result == TABLE_ERROR)
        maillog_text(tables->files->log, LOG_LEVEL_WARNING, span_empty(),
                     "tls_server_sni_maps: %.*s: not all of it can be used: %.*s",
                     SPAN_PRINTF(span_first(table_name(table), 100)),
                     SPAN_PRINTF(table_error(table)));
}

/* ---- tables of contents ---- */

static void forget(struct name_tables *tables, struct kept *kept)
{
    map_remove(&tables->kept, &kept->node);
    list_remove(&tables->by_use, &kept->link);
    key_set_release(&kept->set);
    free(kept->key);
    free(kept);
}

/* Which table and which key: "number:key". */
static struct span name_kept(size_t index, struct span key, char text[LABEL_MAX_BYTES])
{
    const int length = snprintf(text, LABEL_MAX_BYTES, "%zu:%.*s", index,
                                SPAN_PRINTF(span_first(key, NAME_MAX_BYTES)));
    return span_of(text, length > 0 ? (size_t)length : 0);
}

static struct kept *find_kept(struct name_tables *tables, struct span name)
{
    struct map_node *node = map_find(&tables->kept, name);
    if (!node)
        return NULL;
    struct kept *kept = CONTAINER_OF(node, struct kept, node);
    list_remove(&tables->by_use, &kept->link);
    list_append(&tables->by_use, &kept->link);
    return kept;
}

/* Keeps what the value says, even if that is nothing of use: it is complained of once. NULL when
 * memory is out. */
static struct kept *keep(struct name_tables *tables, struct span name, const struct table *table,
                         struct span value)
{
    char label[LABEL_MAX_BYTES];
    struct tls_chains chains;
    struct arena arena;
    struct buffer pem;
    if (tables->kept.count >= KEPT_MAX)
        forget(tables, LIST_ITEM(tables->by_use.head.next, struct kept, link));
    struct kept *kept = calloc(1, sizeof(*kept));
    if (!kept)
        return NULL;
    kept->key = malloc(name.length);
    if (!kept->key) {
        free(kept);
        return NULL;
    }
    memcpy(kept->key, name.bytes, name.length);
    kept->node.key = span_of(kept->key, name.length);
    if (!map_insert(&tables->kept, &kept->node)) {
        free(kept->key);
        free(kept);
        return NULL;
    }
    list_append(&tables->by_use, &kept->link);
    (void)snprintf(label, sizeof(label), "tls_server_sni_maps: %.*s: %.*s",
                   SPAN_PRINTF(span_first(table_name(table), 100)),
                   SPAN_PRINTF(span_after(name, span_find_byte(name, ':') + 1)));
    tls_chains_init(&chains, label, now_s(), log_complaint, tables->files);
    arena_init(&arena, 4 * VALUE_MAX_BYTES, ARENA_WIPE);
    buffer_init(&pem, &arena, VALUE_MAX_BYTES);
    if (base64_decode(value, &pem) == PARSE_OK && buffer_ok(&pem)) {
        tls_chains_read(&chains, buffer_span(&pem), "the table");
        tls_chains_finish(&chains);
    } else {
        maillog_text(tables->files->log, LOG_LEVEL_WARNING, span_empty(),
                     "%s: malformed BASE64 value: build the table by postmap -F; then run "
                     "posthouse reload",
                     label);
    }
    key_set_fill(&kept->set, &chains, status_of(&chains));
    arena_destroy(&arena);
    return kept;
}

/* ---- both ---- */

static void complain_of_type(const struct name_files *files, const struct table *table)
{
    maillog_text(files->log, LOG_LEVEL_WARNING, span_empty(),
                 "tls_server_sni_maps: %.*s: use a table of type btree, cdb, hash, inline, lmdb, "
                 "static or texthash; then run posthouse reload",
                 SPAN_PRINTF(span_first(table_name(table), 100)));
}

struct name_tables *name_tables_open(struct span names, struct name_files *files,
                                     struct arena *arena)
{
    struct name_tables *tables = calloc(1, sizeof(*tables));
    const struct table_options options = {.flags = (unsigned)TABLE_READ_ONCE | TABLE_MAY_BLOCK |
                                                   TABLE_STAY_OPEN};
    if (!tables)
        return NULL;
    tables->files = files;
    init_map(&tables->kept);
    list_init(&tables->by_use);
    tables->list = table_list_open(names, &options);
    if (!tables->list) {
        free(tables);
        return NULL;
    }
    for (size_t i = 0; i < table_list_count(tables->list); i++) {
        struct table *table = table_list_at(tables->list, i);
        if (table_prepare(table) != TABLE_FOUND)
            maillog_text(files->log, LOG_LEVEL_WARNING, span_empty(),
                         "tls_server_sni_maps: %.*s: correct the name, or make the table; then run "
                         "posthouse reload",
                         SPAN_PRINTF(table_error(table)));
        else if (has_file_names(table))
            load_listed(tables, table, arena);
        else if (!has_contents(table))
            complain_of_type(files, table);
    }
    return tables;
}

void name_tables_close(struct name_tables **tables)
{
    if (!*tables)
        return;
    while (!list_is_empty(&(*tables)->by_use))
        forget(*tables, LIST_ITEM((*tables)->by_use.head.next, struct kept, link));
    map_destroy(&(*tables)->kept);
    table_list_close(&(*tables)->list);
    free(*tables);
    *tables = NULL;
}

/* A key in one table. */
static const struct key_set *find_in(struct name_tables *tables, size_t index, struct span key,
                                     bool *is_error)
{
    struct table *table = table_list_at(tables->list, index);
    const struct key_set *found = NULL;
    char text[LABEL_MAX_BYTES];
    const struct span name = name_kept(index, key, text);
    struct arena arena;
    struct buffer value;
    struct kept *kept = find_kept(tables, name);
    if (kept)
        return &kept->set;
    arena_init(&arena, 4 * VALUE_MAX_BYTES, ARENA_WIPE);
    buffer_init(&value, &arena, VALUE_MAX_BYTES);
    const enum table_result result = table_lookup(table, key, &value);
    if (result == TABLE_FOUND && has_file_names(table)) {
        found = name_files_find(tables->files, buffer_span(&value));
        *is_error = !found;
    } else if (result == TABLE_FOUND && has_contents(table)) {
        kept = keep(tables, name, table, buffer_span(&value));
        found = kept ? &kept->set : NULL;
        *is_error = !found;
    } else {
        *is_error = result != TABLE_NOT_FOUND;
    }
    arena_destroy(&arena);
    return found;
}

const struct key_set *name_tables_find(struct name_tables *tables, struct span name, bool *is_error)
{
    struct span key = span_first(name, NAME_MAX_BYTES);
    *is_error = name.length > NAME_MAX_BYTES;
    while (!*is_error && !span_is_empty(key)) {
        for (size_t i = 0; i < table_list_count(tables->list) && !*is_error; i++) {
            const struct key_set *found = find_in(tables, i, key, is_error);
            if (found)
                return found;
        }
        const size_t dot = span_find_byte(span_after(key, 1), '.');
        key = span_after(key, dot + 1);
    }
    return NULL;
}
