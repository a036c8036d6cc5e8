/* table/texthash - texthash:FILE, the source of a table read into memory. */
#include "base/ascii.h"
#include "table/memory.h"
#include "table/text_file.h"

enum { TEXTHASH_WARNING_MAX_BYTES = 1024 };

struct texthash {
    struct table_memory memory;
    struct text_file file;
};

static bool texthash_open(struct table *table, struct span argument)
{
    struct texthash *texthash = arena_alloc(&table->arena, sizeof(*texthash));
    table->state = texthash;
    table->file = arena_string(&table->arena, argument);
    if (!texthash || !table->file)
        return false;
    table_memory_init(&texthash->memory);
    return true;
}

static void clear(struct table *table)
{
    struct texthash *texthash = table->state;
    table_memory_destroy(&texthash->memory);
    table_memory_init(&texthash->memory);
}

static void warn(struct table *table, const struct table_source_entry *entry, bool is_duplicate)
{
    struct buffer text;

    if (!table->options.warn)
        return;
    buffer_init(&text, NULL, TEXTHASH_WARNING_MAX_BYTES);
    if (is_duplicate)
        buffer_append_format(&text, "%s, line %zu: duplicate entry: \"%.*s\"", table->file,
                             entry->line_number, SPAN_PRINTF(span_first(entry->key, 200)));
    else
        table_source_warning(entry, table->file, &text);
    if (buffer_ok(&text) && text.length)
        table->options.warn(table->options.warn_context, buffer_span(&text));
    buffer_release(&text);
}

static bool add_entry(struct table *table, const struct table_source_entry *entry)
{
    struct texthash *texthash = table->state;
    const bool fold_key = !(table->options.flags & TABLE_KEEP_CASE);
    enum table_memory_added added = TABLE_MEMORY_ADDED;

    warn(table, entry, false);
    if (table_source_is_usable(entry))
        added = table_memory_add(&texthash->memory, entry->key, entry->value, fold_key, false);
    if (added == TABLE_MEMORY_DUPLICATE)
        warn(table, entry, true);
    return added != TABLE_MEMORY_FULL;
}

static const struct text_file_reader reader = {.clear = clear, .add = add_entry};

static enum table_result texthash_prepare(struct table *table)
{
    struct texthash *texthash = table->state;
    return text_file_prepare(table, &texthash->file, &reader);
}

static enum table_result texthash_lookup(struct table *table, struct span key, struct buffer *value)
{
    const struct texthash *texthash = table->state;
    const enum table_result result = texthash_prepare(table);
    return result == TABLE_FOUND ? table_memory_lookup(&texthash->memory, key, value) : result;
}

static enum table_result
texthash_walk(struct table *table, bool (*visit)(void *context, struct span key, struct span value),
              void *context)
{
    struct texthash *texthash = table->state;
    const enum table_result result = texthash_prepare(table);
    if (result == TABLE_FOUND)
        table_memory_walk(&texthash->memory, visit, context);
    return result;
}

static void texthash_close(struct table *table)
{
    struct texthash *texthash = table->state;
    if (texthash)
        table_memory_destroy(&texthash->memory);
}

const struct table_kind table_kind_texthash = {.type = "texthash",
                                               .open = texthash_open,
                                               .lookup = texthash_lookup,
                                               .walk = texthash_walk,
                                               .prepare = texthash_prepare,
                                               .close = texthash_close};
