/* tools/postmap_build - tables from their texts: build, add to, delete from. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "postmap.h"
#include "table/alias_source.h"
#include "table/build.h"
#include "table/names.h"
#include "table/source.h"

enum { POSTMAP_READ_BYTES = 64 * 1024, POSTMAP_SAFE_MODES = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH };

/* ---- values that are files ---- */

static void append_file(const char *path, const char *where, struct buffer *content)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t count = descriptor < 0 ? -1 : 1;

    while (count > 0) {
        uint8_t *room = buffer_reserve(content, POSTMAP_READ_BYTES);
        if (!room)
            fatal("%s: %s is too long", where, path);
        count = read(descriptor, room, POSTMAP_READ_BYTES);
        buffer_extend(content, count > 0 ? (size_t)count : 0);
    }
    if (count < 0)
        fatal("%s: open %s: %s", where, path, strerror(errno));
    (void)close(descriptor); /* only read */
}

void postmap_read_files(struct span names, const char *where, struct buffer *content)
{
    struct span name;

    while (table_next_name(&names, &name)) {
        char *path = strndup((const char *)name.bytes, name.length);
        if (!path)
            fatal("memory is out");
        if (content->length)
            buffer_append_byte(content, '\n');
        append_file(path, where, content);
        free(path);
    }
}

void postmap_decode_value(struct span key, struct span value, struct buffer *out)
{
    if (base64_decode(value, out) != PARSE_OK)
        fatal("key %.*s: malformed BASE64 value: %.*s", SPAN_PRINTF(key),
              SPAN_PRINTF(span_first(value, 30)));
}

/* ---- tables ---- */

/* A table that can be built: its type, and the path without ".db". */
static const char *buildable(struct postmap *postmap, struct arena *arena, const char *name,
                             enum table_build_type *type)
{
    struct span type_name;
    struct span path;
    (void)span_split_once(postmap_full_name(postmap, arena, name), ':', &type_name, &path);
    if (!table_build_find_type(type_name, type))
        fatal("unsupported map type for this operation: %.*s", SPAN_PRINTF(type_name));
    const char *string = arena_string(arena, path);
    if (!string || path.length == 0)
        fatal("%s: bad table name", name);
    return string;
}

static struct table_build *begin(const struct postmap *postmap, enum table_build_type type,
                                 const char *path, unsigned flags, mode_t mode)
{
    struct buffer error;

    buffer_init(&error, NULL, POSTMAP_ERROR_MAX_BYTES);
    struct table_build *build =
        table_build_begin(type, path, postmap->build_flags | flags, mode, &error);
    if (!build)
        fatal("%.*s", SPAN_PRINTF(buffer_span(&error)));
    if (postmap->is_verbose)
        postmap_say("info", "building %s", table_build_file(build));
    return build;
}

static void commit(struct table_build **build)
{
    struct buffer error;

    buffer_init(&error, NULL, POSTMAP_ERROR_MAX_BYTES);
    if (!table_build_commit(build, &error))
        fatal("%.*s", SPAN_PRINTF(buffer_span(&error)));
}

static bool delete_key(void *context, struct span key, bool is_one_of_many UNUSED)
{
    struct table_build *build = context;
    const enum table_result result = table_build_delete(build, key);
    if (result == TABLE_ERROR) {
        const char *reason = table_build_error(build);
        table_build_abandon(&build);
        fatal("delete from table: %s", reason);
    }
    return result == TABLE_FOUND;
}

bool postmap_delete(struct postmap *postmap, char **names, size_t count)
{
    bool is_found = false;

    if (count > 1 && strcmp(postmap->key, "-") == 0)
        fatal("keys from standard input can be deleted from one table at a time");
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        enum table_build_type type;

        arena_init(&arena, 2 * TABLE_NAME_MAX_BYTES, 0);
        const char *path = buildable(postmap, &arena, names[i], &type);
        struct table_build *build =
            begin(postmap, type, path, TABLE_BUILD_INCREMENTAL | TABLE_BUILD_MUST_EXIST, 0);
        if (postmap_for_each_key(postmap, delete_key, build)) {
            is_found = true;
            commit(&build);
        } else {
            table_build_abandon(&build);
        }
        arena_destroy(&arena);
    }
    return is_found;
}

/* -F: what stands in the files of that list, in base64. */
static void encode_files(struct span names, const char *source_name, size_t line_number,
                         struct buffer *out)
{
    char where[POSTMAP_WHERE_MAX_BYTES];
    struct buffer content;

    (void)snprintf(where, sizeof(where), "%s, line %zu", source_name, line_number);
    buffer_init(&content, NULL, TABLE_VALUE_MAX_BYTES + POSTMAP_READ_BYTES);
    postmap_read_files(names, where, &content);
    base64_encode(buffer_span(&content), out);
    if (!buffer_ok(out))
        fatal("%s: the files are too long for a table", where);
    buffer_release(&content);
}

static void add_pair(const struct postmap *postmap, struct table_build *build, struct span key,
                     struct span value, const char *source_name, size_t line_number)
{
    struct buffer encoded;
    enum table_build_added added;

    buffer_init(&encoded, NULL, TABLE_VALUE_MAX_BYTES);
    if (postmap->has_files) {
        encode_files(value, source_name, line_number, &encoded);
        value = buffer_span(&encoded);
    }
    added = table_build_add(build, key, value);
    buffer_release(&encoded);
    switch (added) {
    case TABLE_BUILD_ADDED:
        break;
    case TABLE_BUILD_DUPLICATE:
        warning("%s, line %zu: duplicate entry: \"%.*s\"", source_name, line_number,
                SPAN_PRINTF(key));
        break;
    case TABLE_BUILD_FAILED: {
        const char *reason = table_build_error(build);
        table_build_abandon(&build);
        fatal("%s, line %zu: %s", source_name, line_number, reason);
    }
    }
}

static void add_entry(const struct postmap *postmap, struct table_build *build,
                      const struct table_source_entry *entry, const char *source_name)
{
    struct buffer text;

    buffer_init(&text, NULL, POSTMAP_ERROR_MAX_BYTES);
    if (entry->problem == TABLE_SOURCE_TOO_LONG) { /* Postfix's has no limit, and no key is lost */
        table_build_abandon(&build);
        fatal("%s, line %zu: the line is longer than %d bytes", source_name, entry->line_number,
              (int)TABLE_SOURCE_LINE_MAX_BYTES);
    }
    table_source_warning(entry, source_name, &text);
    if (text.length && buffer_ok(&text))
        warning("%.*s", SPAN_PRINTF(buffer_span(&text)));
    buffer_release(&text);
    if (table_source_is_usable(entry))
        add_pair(postmap, build, entry->key, entry->value, source_name, entry->line_number);
}

static void add_alias(const struct postmap *postmap, struct table_build *build,
                      const struct table_source_entry *entry, const char *source_name)
{
    struct buffer name;
    struct buffer value;

    switch (entry->problem) {
    case TABLE_SOURCE_FINE:
    case TABLE_SOURCE_LOOKS_LIKE_ALIAS:
    case TABLE_SOURCE_NO_VALUE:
    case TABLE_SOURCE_UNBALANCED_QUOTE:
        break; /* another syntax */
    case TABLE_SOURCE_LEADING_SPACE:
    case TABLE_SOURCE_HAS_NUL:
    case TABLE_SOURCE_NOT_UTF8:
    case TABLE_SOURCE_TOO_LONG:
        add_entry(postmap, build, entry, source_name); /* only warns */
        return;
    }
    buffer_init(&name, NULL, TABLE_KEY_MAX_BYTES);
    buffer_init(&value, NULL, TABLE_SOURCE_LINE_MAX_BYTES);
    const enum alias_problem problem = alias_source_split(entry->line, &name, &value);
    if (problem == ALIAS_FINE)
        add_pair(postmap, build, buffer_span(&name), buffer_span(&value), source_name,
                 entry->line_number);
    else
        warning("%s, line %zu: %s", source_name, entry->line_number, alias_problem_text(problem));
    buffer_release(&name);
    buffer_release(&value);
}

static void add_source(const struct postmap *postmap, struct table_build *build, int descriptor,
                       const char *source_name)
{
    struct table_source source;
    struct buffer input;
    bool is_last = false;

    table_source_init(&source, NULL, postmap->requires_utf8);
    buffer_init(&input, NULL, TABLE_SOURCE_LINE_MAX_BYTES + 2 * POSTMAP_READ_BYTES);
    for (;;) {
        struct table_source_entry entry;
        size_t consumed;
        const enum parse_result result =
            table_source_next(&source, buffer_span(&input), is_last, &entry, &consumed);
        if (result == PARSE_OK && postmap->is_for_aliases)
            add_alias(postmap, build, &entry, source_name);
        else if (result == PARSE_OK)
            add_entry(postmap, build, &entry, source_name);
        buffer_consume(&input, consumed);
        if (result == PARSE_OK)
            continue;
        if (result == PARSE_NEED_MORE && is_last)
            break;
        uint8_t *room =
            result == PARSE_NEED_MORE ? buffer_reserve(&input, POSTMAP_READ_BYTES) : NULL;
        const ssize_t count = room ? read(descriptor, room, POSTMAP_READ_BYTES) : -1;
        if (!room || (count < 0 && errno != EINTR)) {
            const int error = room ? errno : ENOMEM;
            table_build_abandon(&build);
            fatal("read %s: %s", source_name, strerror(error));
        }
        is_last = count == 0;
        buffer_extend(&input, count > 0 ? (size_t)count : 0);
    }
    buffer_release(&input);
    table_source_release(&source);
}

/* A source in somebody's own directory is processed with that somebody's rights, so that its owner
 * cannot make root write where he likes (symbolic links). */
static void become_owner(const struct postmap *postmap, const struct stat *source)
{
    if (postmap->keeps_root || geteuid() != 0 || source->st_uid == 0)
        return;
    if (setgroups(0, NULL) != 0 || setegid(source->st_gid) != 0 || seteuid(source->st_uid) != 0)
        fatal("become uid %lu: %s", (unsigned long)source->st_uid, strerror(errno));
}

static void become_root_again(uid_t uid, gid_t gid)
{
    if (geteuid() != uid && (seteuid(uid) != 0 || setegid(gid) != 0))
        fatal("become root again: %s", strerror(errno));
}

void postmap_build_one(struct postmap *postmap, const char *name)
{
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    struct arena arena;
    struct stat status;
    enum table_build_type type;
    int descriptor = STDIN_FILENO;

    arena_init(&arena, 2 * TABLE_NAME_MAX_BYTES, 0);
    const char *path = buildable(postmap, &arena, name, &type);
    /* The source decides owner and mode; with -i it may be absent, and is not read. */
    const int source = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (source < 0 && !postmap->is_incremental)
        fatal("open %s: %s", path, strerror(errno));
    if (fstat(source >= 0 ? source : STDIN_FILENO, &status) != 0)
        fatal("open %s: %s", path, strerror(errno));
    if (source >= 0 && !S_ISREG(status.st_mode))
        fatal("open %s: not a regular file", path);
    if (source >= 0)
        become_owner(postmap, &status);
    const mode_t mode = postmap->has_own_mode || source < 0
                            ? POSTMAP_SAFE_MODES
                            : S_IRUSR | S_IWUSR | (status.st_mode & POSTMAP_SAFE_MODES);
    if (!postmap->is_incremental)
        descriptor = source;
    struct table_build *build =
        begin(postmap, type, path, postmap->is_incremental ? TABLE_BUILD_INCREMENTAL : 0, mode);
    add_source(postmap, build, descriptor, postmap->is_incremental ? "stdin" : path);
    commit(&build);
    if (source >= 0)
        (void)close(source); /* only read */
    become_root_again(uid, gid);
    arena_destroy(&arena);
}
