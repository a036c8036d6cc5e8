/* table/texthash - texthash:FILE, the source of a table read into memory.
 * The file is read when it is first asked and again whenever it has been changed; one that changes
 * while it is read is read once more. Between two writes of an editor that writes in place half a
 * file looks whole: posthouse-table(5) says to replace such files by renaming. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/ascii.h"
#include "table/memory.h"
#include "table/source.h"
#include "table/table_private.h"

enum { TEXTHASH_READ_BYTES = 64 * 1024, TEXTHASH_ATTEMPTS = 3, TEXTHASH_WARNING_MAX_BYTES = 1024 };

struct texthash {
    struct table_memory memory;
    struct file_identity identity;
    bool is_loaded;
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

static void unload(struct texthash *texthash)
{
    table_memory_destroy(&texthash->memory);
    table_memory_init(&texthash->memory);
    texthash->is_loaded = false;
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

/* True when all of the file was read; false with errno. */
static bool read_entries(struct table *table, int descriptor, struct table_source *source,
                         struct buffer *input)
{
    for (bool is_last = false;;) {
        struct table_source_entry entry;
        size_t consumed;
        const enum parse_result result =
            table_source_next(source, buffer_span(input), is_last, &entry, &consumed);
        if (result == PARSE_OK && !add_entry(table, &entry))
            break;
        buffer_consume(input, consumed);
        if (result == PARSE_OK)
            continue;
        if (result != PARSE_NEED_MORE)
            break;
        if (is_last)
            return true;
        uint8_t *room = buffer_reserve(input, TEXTHASH_READ_BYTES);
        if (!room)
            break;
        const ssize_t count = read(descriptor, room, TEXTHASH_READ_BYTES);
        if (count < 0 && errno != EINTR)
            return false;
        is_last = count == 0;
        buffer_extend(input, count > 0 ? (size_t)count : 0);
    }
    errno = ENOMEM;
    return false;
}

static bool read_file(struct table *table, int descriptor)
{
    struct table_source source;
    struct buffer input;

    table_source_init(&source, NULL, false);
    buffer_init(&input, NULL, TABLE_SOURCE_LINE_MAX_BYTES + 2 * TEXTHASH_READ_BYTES);
    const bool is_read = read_entries(table, descriptor, &source, &input);
    const int error = errno;
    buffer_release(&input);
    table_source_release(&source);
    errno = error;
    return is_read;
}

/* TABLE_FOUND, or TABLE_ERROR with errno; TABLE_WOULD_BLOCK: changed meanwhile. */
static enum table_result load_once(struct table *table)
{
    struct texthash *texthash = table->state;
    struct stat before;
    struct stat after;

    unload(texthash);
    const int descriptor = open(table->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return TABLE_ERROR;
    enum table_result result = TABLE_ERROR;
    if (fstat(descriptor, &before) == 0) {
        if (!S_ISREG(before.st_mode))
            errno = EINVAL;
        else if (read_file(table, descriptor) && fstat(descriptor, &after) == 0)
            result = TABLE_FOUND;
    }
    const int error = errno;
    (void)close(descriptor); /* only read */
    errno = error;
    if (result != TABLE_FOUND)
        return result;
    texthash->identity = file_identity_of(&before);
    const struct file_identity now = file_identity_of(&after);
    if (!file_identity_equals(&texthash->identity, &now))
        return TABLE_WOULD_BLOCK;
    texthash->is_loaded = true;
    return TABLE_FOUND;
}

static enum table_result load(struct table *table)
{
    enum table_result result = TABLE_WOULD_BLOCK;

    for (int attempt = 0; attempt < TEXTHASH_ATTEMPTS && result == TABLE_WOULD_BLOCK; attempt++)
        result = load_once(table);
    if (result == TABLE_FOUND)
        return result;
    table_fail(table, "open %s: %s", table->file,
               result == TABLE_ERROR ? strerror(errno) : "it changes while it is being read");
    unload(table->state);
    return TABLE_ERROR;
}

static enum table_result texthash_prepare(struct table *table)
{
    struct texthash *texthash = table->state;
    struct stat status;

    if (texthash->is_loaded) {
        if (stat(table->file, &status) != 0) {
            table_fail(table, "open %s: %s", table->file, strerror(errno));
            return TABLE_ERROR; /* removed, perhaps for a moment only */
        }
        const struct file_identity now = file_identity_of(&status);
        if (file_identity_equals(&texthash->identity, &now))
            return TABLE_FOUND;
    }
    return load(table);
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
