/* table/table - see table.h. */
#include "config.h"

#include "table/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "table/table_private.h"

enum {
    TABLE_ARENA_MAX_BYTES = 4 * TABLE_NAME_MAX_BYTES,
    TABLE_ERROR_MAX_BYTES = 1024,
    TABLE_DEPTH_MAX = 8
};

static const struct table_kind *const kinds[] = {
    &table_kind_btree,
#ifdef HAVE_CDB
    &table_kind_cdb,
#endif
    &table_kind_cidr,      &table_kind_environ,  &table_kind_fail,    &table_kind_hash,
    &table_kind_inline,    &table_kind_internal,
#ifdef HAVE_LMDB
    &table_kind_lmdb,
#endif
    &table_kind_pcre,      &table_kind_pipemap,  &table_kind_randmap, &table_kind_regexp,
    &table_kind_socketmap, &table_kind_static,   &table_kind_tcp,     &table_kind_texthash,
    &table_kind_unionmap,  &table_kind_unix};

const char *const table_type_names[] = {
    "btree",
#ifdef HAVE_CDB
    "cdb",
#endif
    "cidr",   "environ", "fail",     "hash",     "inline", "internal",
#ifdef HAVE_LMDB
    "lmdb",
#endif
    "pcre",   "pipemap", "proxy",    "randmap",  "regexp", "socketmap",
    "static", "tcp",     "texthash", "unionmap", "unix",   NULL};

void table_fail(struct table *table, const char *format, ...)
{
    char text[TABLE_ERROR_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    buffer_reset(&table->error);
    if (length > 0)
        buffer_append(&table->error, text,
                      (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

static const struct table_kind *find_kind(struct span type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (span_equals(type, span_from_string(kinds[i]->type)))
            return kinds[i];
    return NULL;
}

struct table *table_create(struct span name, const struct table_kind *kind,
                           const struct table_options *options)
{
    struct table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->kind = kind;
    if (options)
        table->options = *options;
    arena_init(&table->arena, TABLE_ARENA_MAX_BYTES, 0);
    buffer_init(&table->error, NULL, TABLE_ERROR_MAX_BYTES);
    buffer_init(&table->folded_key, NULL, TABLE_KEY_MAX_BYTES);
    table->name = arena_copy(&table->arena, name);
    if (table->name.bytes)
        return table;
    free(table);
    return NULL;
}

static struct table *open_at(struct span name, const struct table_options *options, unsigned depth,
                             struct buffer *error)
{
    static const struct span proxy = {(const uint8_t *)"proxy:", 6};
    const struct span real = span_starts_with(name, proxy) ? span_after(name, proxy.length) : name;
    struct span type;
    struct span argument;

    const struct table_kind *kind =
        span_split_once(real, ':', &type, &argument) ? find_kind(type) : NULL;
    const bool is_nameless = kind && kind->is_nameless;
    if (type.length == 0 || real.length == type.length || (argument.length == 0 && !is_nameless) ||
        name.length > TABLE_NAME_MAX_BYTES) {
        buffer_append_format(error,
                             "open dictionary: expecting \"type:name\" form instead of "
                             "\"%.*s\"",
                             SPAN_PRINTF(span_first(name, 100)));
        return NULL;
    }
    if (!kind) {
        buffer_append_format(error, "unsupported dictionary type: %.*s",
                             SPAN_PRINTF(span_first(type, 100)));
        return NULL;
    }
    struct table *table = table_create(name, kind, options);
    if (!table) {
        buffer_append_string(error, "memory is out");
        return NULL;
    }
    table->depth = depth;
    const size_t prefix = (size_t)(argument.bytes - name.bytes);
    if (!kind->open(table, span_after(table->name, prefix))) {
        buffer_append_span(error, table_error(table));
        table_close(&table);
        return NULL;
    }
    return table;
}

struct table *table_open(struct span name, const struct table_options *options,
                         struct buffer *error)
{
    return open_at(name, options, 0, error);
}

struct table *table_open_part(struct table *whole, struct span name)
{
    struct table_options options = whole->options;
    struct buffer error;

    if (whole->depth >= TABLE_DEPTH_MAX) {
        table_fail(whole, "tables inside tables, more than %d deep", (int)TABLE_DEPTH_MAX);
        return NULL;
    }
    options.ask_elsewhere = NULL;
    buffer_init(&error, NULL, TABLE_ERROR_MAX_BYTES);
    struct table *part = open_at(name, &options, whole->depth + 1, &error);
    if (!part)
        table_fail(whole, "%.*s", SPAN_PRINTF(buffer_span(&error)));
    buffer_release(&error);
    return part;
}

static enum table_result unavailable_lookup(struct table *table, struct span key UNUSED,
                                            struct buffer *value UNUSED)
{
    const struct span *reason = table->state;
    table_fail(table, "%.*s", SPAN_PRINTF(*reason));
    return TABLE_ERROR;
}

struct table *table_open_unavailable(struct span name, struct span reason)
{
    static const struct table_kind unavailable = {.type = "unavailable",
                                                  .lookup = unavailable_lookup};
    struct table *table = table_create(span_first(name, TABLE_NAME_MAX_BYTES), &unavailable, NULL);
    struct span *kept = table ? arena_alloc(&table->arena, sizeof(*kept)) : NULL;
    if (kept) {
        *kept = arena_copy(&table->arena, reason);
        table->state = kept;
    }
    if (!kept || !kept->bytes)
        table_close(&table);
    return table;
}

void table_close(struct table **table)
{
    struct table *const closed = *table;
    if (!closed)
        return;
    *table = NULL;
    if (closed->kind->close)
        closed->kind->close(closed);
    buffer_release(&closed->error);
    buffer_release(&closed->folded_key);
    arena_destroy(&closed->arena);
    free(closed);
}

enum table_result table_lookup(struct table *table, struct span key, struct buffer *value)
{
    if (key.length > TABLE_KEY_MAX_BYTES)
        return TABLE_NOT_FOUND;
    if (!(table->options.flags & TABLE_KEEP_CASE) && !table->kind->keeps_key) {
        buffer_reset(&table->folded_key);
        buffer_append_span(&table->folded_key, key);
        if (!buffer_ok(&table->folded_key)) {
            table_fail(table, "memory is out");
            return TABLE_ERROR;
        }
        if (key.length)
            ascii_lower_in_place(table->folded_key.bytes, table->folded_key.length);
        key = buffer_span(&table->folded_key);
    }
    enum table_result result = TABLE_WOULD_BLOCK;
    if (!table->kind->is_slow || (table->options.flags & TABLE_MAY_BLOCK))
        result = table->kind->lookup(table, key, value);
    if (result == TABLE_WOULD_BLOCK && table->options.ask_elsewhere)
        result = table->options.ask_elsewhere(table->options.ask_context, table, key, value);
    if (result == TABLE_FOUND && !buffer_ok(value)) {
        table_fail(table, "a value is too long");
        return TABLE_ERROR;
    }
    return result;
}

enum table_result table_walk(struct table *table,
                             bool (*visit)(void *context, struct span key, struct span value),
                             void *context)
{
    if (table->kind->walk)
        return table->kind->walk(table, visit, context);
    table_fail(table, "%s tables do not list their entries", table->kind->type);
    return TABLE_ERROR;
}

enum table_result table_prepare(struct table *table)
{
    return table->kind->prepare ? table->kind->prepare(table) : TABLE_FOUND;
}

struct span table_name(const struct table *table)
{
    return table->name;
}

struct span table_error(const struct table *table)
{
    return buffer_span(&table->error);
}

void table_set_error(struct table *table, struct span reason)
{
    table_fail(table, "%.*s", SPAN_PRINTF(reason));
}

bool table_is_slow(const struct table *table)
{
    return table->kind->is_slow;
}

size_t table_part_count(const struct table *table)
{
    return table->part_count;
}

const struct table *table_part(const struct table *table, size_t index)
{
    return table->parts[index];
}

struct span table_file(const struct table *table)
{
    return span_from_string(table->file);
}
