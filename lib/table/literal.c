/* table/literal - tables whose content stands in their name, or nowhere: inline:, static:, fail:,
 * environ: and internal:. */
#include <stdlib.h>

#include "base/ascii.h"
#include "table/memory.h"
#include "table/names.h"
#include "table/table_private.h"

enum { ENVIRON_NAME_MAX_BYTES = 255 };

static const char inline_usage[] = "need \"inline:{name=value...}\"";

/* "name=value" or "{ name = value }"; the name may be quoted like the key of a table's source. */
static const char *split_entry(struct span word, struct span *key, struct span *value)
{
    bool is_quoted = false;
    size_t equals = 0;

    if (word.bytes[0] == '{') {
        const char *problem = table_strip_braces(word, &word);
        if (problem)
            return problem;
    }
    for (; equals < word.length && (is_quoted || word.bytes[equals] != '='); equals++) {
        if (word.bytes[equals] == '\\')
            equals++;
        else if (word.bytes[equals] == '"')
            is_quoted = !is_quoted;
    }
    if (equals >= word.length)
        return "missing '=' after attribute name";
    *key = span_trim_spaces(span_first(word, equals));
    *value = span_trim_spaces(span_after(word, equals + 1));
    return key->length ? NULL : "missing attribute name";
}

static bool inline_fail(struct table *table, const char *problem, struct span word)
{
    table_fail(table, "%s%s%.*s%s: \"%.*s\"; %s", problem, word.length ? " in \"" : "",
               SPAN_PRINTF(span_first(word, 200)), word.length ? "\"" : "",
               SPAN_PRINTF(span_first(table->name, 400)), inline_usage);
    return false;
}

static bool inline_open(struct table *table, struct span argument)
{
    struct table_memory *memory = arena_alloc(&table->arena, sizeof(*memory));
    struct span rest;
    struct span word;

    if (!memory)
        return false;
    table_memory_init(memory);
    table->state = memory;
    if (argument.bytes[0] != '{' || table_strip_braces(argument, &rest) != NULL)
        return inline_fail(table, "bad syntax", span_empty());
    while (table_next_name(&rest, &word)) {
        struct span key;
        struct span value;
        const char *problem = split_entry(word, &key, &value);
        if (problem)
            return inline_fail(table, problem, word);
        if (table_memory_add(memory, key, value, !(table->options.flags & TABLE_KEEP_CASE), true) ==
            TABLE_MEMORY_FULL) {
            table_fail(table, "memory is out");
            return false;
        }
    }
    return memory->first ? true : inline_fail(table, "empty table", span_empty());
}

static enum table_result inline_lookup(struct table *table, struct span key, struct buffer *value)
{
    return table_memory_lookup(table->state, key, value);
}

static enum table_result
inline_walk(struct table *table, bool (*visit)(void *context, struct span key, struct span value),
            void *context)
{
    table_memory_walk(table->state, visit, context);
    return TABLE_FOUND;
}

static void inline_close(struct table *table)
{
    if (table->state)
        table_memory_destroy(table->state);
}

const struct table_kind table_kind_inline = {.type = "inline",
                                             .open = inline_open,
                                             .lookup = inline_lookup,
                                             .walk = inline_walk,
                                             .close = inline_close};

static bool static_open(struct table *table, struct span argument)
{
    struct span *text = arena_alloc(&table->arena, sizeof(*text));
    if (!text)
        return false;
    *text = argument;
    table->state = text;
    const char *problem = argument.bytes[0] == '{' ? table_strip_braces(argument, text) : NULL;
    if (problem)
        table_fail(table, "bad static:name syntax: %s in \"%.*s\"", problem,
                   SPAN_PRINTF(span_first(argument, 200)));
    return !problem;
}

static enum table_result static_lookup(struct table *table, struct span key UNUSED,
                                       struct buffer *value)
{
    const struct span *text = table->state;
    buffer_append_span(value, *text);
    return TABLE_FOUND;
}

const struct table_kind table_kind_static = {
    .type = "static", .open = static_open, .lookup = static_lookup};

static bool fail_open(struct table *table UNUSED, struct span argument UNUSED)
{
    return true;
}

static enum table_result fail_lookup(struct table *table, struct span key UNUSED,
                                     struct buffer *value UNUSED)
{
    table_fail(table, "this table fails every request");
    return TABLE_ERROR;
}

const struct table_kind table_kind_fail = {
    .type = "fail", .open = fail_open, .lookup = fail_lookup};

static enum table_result environ_lookup(struct table *table UNUSED, struct span key,
                                        struct buffer *value)
{
    char name[ENVIRON_NAME_MAX_BYTES + 1];

    if (key.length == 0 || key.length > ENVIRON_NAME_MAX_BYTES ||
        span_find_byte(key, '\0') < key.length || span_find_byte(key, '=') < key.length)
        return TABLE_NOT_FOUND;
    memcpy(name, key.bytes, key.length);
    name[key.length] = '\0';
    const char *text = getenv(name);
    if (!text)
        return TABLE_NOT_FOUND;
    buffer_append_string(value, text);
    return TABLE_FOUND;
}

const struct table_kind table_kind_environ = {.type = "environ",
                                              .is_nameless = true,
                                              .keeps_key = true,
                                              .open = fail_open,
                                              .lookup = environ_lookup};

/* A process's own memory, in which whoever only looks up finds nothing. */
static enum table_result internal_lookup(struct table *table UNUSED, struct span key UNUSED,
                                         struct buffer *value UNUSED)
{
    return TABLE_NOT_FOUND;
}

const struct table_kind table_kind_internal = {
    .type = "internal", .open = fail_open, .lookup = internal_lookup};
