/* table/held - see held.h. */
#include "table/held.h"

#include <stdlib.h>

#include "table/memory.h"
#include "table/names.h"
#include "table/table_private.h"

enum { SHOWN_BYTES = 200 };

enum holding { HOLDING_NONE, HOLDING_AS_IT_IS, HOLDING_COPY };

static enum holding holding_of(struct span name)
{
    static const struct span held[] = {SPAN_LITERAL("cidr"),    SPAN_LITERAL("fail"),
                                       SPAN_LITERAL("inline"),  SPAN_LITERAL("pcre"),
                                       SPAN_LITERAL("regexp"),  SPAN_LITERAL("static"),
                                       SPAN_LITERAL("texthash")};
    /* Of these the entries are copied. */
    static const struct span listed[] = {SPAN_LITERAL("btree"), SPAN_LITERAL("cdb"),
                                         SPAN_LITERAL("hash"), SPAN_LITERAL("lmdb")};
    const struct span proxy = SPAN("proxy:");
    if (span_starts_with(name, proxy))
        name = span_after(name, proxy.length);
    const struct span type = span_first(name, span_find_byte(name, ':'));
    for (size_t i = 0; i < ARRAY_LENGTH(held); i++)
        if (span_equals(type, held[i]))
            return HOLDING_AS_IT_IS;
    for (size_t i = 0; i < ARRAY_LENGTH(listed); i++)
        if (span_equals(type, listed[i]))
            return HOLDING_COPY;
    return HOLDING_NONE;
}

bool table_is_held(struct span name)
{
    return holding_of(name) != HOLDING_NONE;
}

/* ---- copies ---- */

static enum table_result look_up_copy(struct table *table, struct span key, struct buffer *value)
{
    return table_memory_lookup(table->state, key, value);
}

static void close_copy(struct table *table)
{
    table_memory_destroy(table->state);
    free(table->state);
}

static const struct table_kind copy_kind = {
    .type = "copy", .lookup = look_up_copy, .close = close_copy};

struct copying {
    struct table_memory *memory;
    bool is_complete;
};

static bool copy_entry(void *context, struct span key, struct span value)
{
    struct copying *copying = context;
    copying->is_complete =
        table_memory_add(copying->memory, key, value, false, true) != TABLE_MEMORY_FULL;
    return copying->is_complete;
}

/* In place of the table, all that stands in it. */
static bool hold_copy(struct table **table)
{
    struct table_memory *memory = malloc(sizeof(*memory));
    if (!memory)
        return false;
    table_memory_init(memory);
    struct copying copying = {memory, true};
    struct table *copy = NULL;
    if (table_walk(*table, copy_entry, &copying) == TABLE_FOUND && copying.is_complete)
        copy = table_create(table_name(*table), &copy_kind, &(*table)->options);
    if (!copy) {
        table_memory_destroy(memory);
        free(memory);
        return false;
    }
    copy->state = memory;
    table_close(table);
    *table = copy;
    return true;
}

static bool hold(struct table_list *list, size_t index)
{
    struct table *table = table_list_at(list, index);
    if (table_prepare(table) != TABLE_FOUND)
        return false;
    if (holding_of(table_name(table)) != HOLDING_COPY)
        return true;
    if (!hold_copy(&table))
        return false;
    table_list_replace(list, index, table);
    return true;
}

struct table_list *table_held_open(const char *parameter, struct span names, unsigned flags,
                                   struct conf_error *error)
{
    const struct table_options options = {.flags =
                                              (unsigned)TABLE_READ_ONCE | TABLE_MAY_BLOCK | flags};
    struct table_list *list = table_list_open(names, &options);
    if (!list)
        conf_error_set(error, "%s: out of memory", parameter);
    for (size_t i = 0; list && i < table_list_count(list); i++) {
        const struct span name = table_name(table_list_at(list, i));
        if (!table_is_held(name))
            conf_error_set(error, "%s: %.*s: " TABLE_HELD_TYPES " is needed here", parameter,
                           SPAN_PRINTF(span_first(name, SHOWN_BYTES)));
        else if (!hold(list, i))
            conf_error_set(error, "%s: %.*s: cannot be read", parameter,
                           SPAN_PRINTF(span_first(name, SHOWN_BYTES)));
        else
            continue;
        table_list_close(&list);
    }
    if (list && table_list_is_empty(list))
        table_list_close(&list);
    return list;
}

/* ---- asked elsewhere ---- */

/* Patterns of the setting itself are matched here, slow as they may be. */
static bool is_elsewhere(const struct table *table)
{
    return !table_is_held(table_name(table)) || table_file(table).length > 0;
}

/* *elsewhere: it is not in the setting itself. False where the name is none of a table. */
static bool look_at(const char *parameter, struct span name, bool *elsewhere,
                    struct conf_error *error)
{
    struct buffer reason;
    buffer_init(&reason, NULL, CONF_ERROR_TEXT_BYTES);
    struct table *table = table_open(name, NULL, &reason);
    if (table)
        *elsewhere |= is_elsewhere(table);
    else
        conf_error_set(error, "%s: %.*s: %.*s", parameter,
                       SPAN_PRINTF(span_first(name, SHOWN_BYTES)),
                       SPAN_PRINTF(buffer_span(&reason)));
    const bool is_table = table != NULL;
    table_close(&table);
    buffer_release(&reason);
    return is_table;
}

bool table_reference_open(const char *parameter, struct span names, unsigned flags,
                          struct table_reference *reference, struct conf_error *error)
{
    struct span rest = names, name;
    bool elsewhere = false;
    *reference = (struct table_reference){
        .names = span_trim_spaces(names), .held = NULL, .keeps_case = flags & TABLE_KEEP_CASE};
    while (table_next_name(&rest, &name))
        if (!look_at(parameter, name, &elsewhere, error))
            return false;
    if (elsewhere && reference->names.length > TABLE_REFERENCE_MAX_BYTES) {
        conf_error_set(error, "%s: with files or services the list may have %d bytes", parameter,
                       TABLE_REFERENCE_MAX_BYTES);
        return false;
    }
    if (elsewhere || table_reference_is_empty(reference))
        return true;
    reference->held = table_held_open(parameter, names, flags, error);
    return reference->held != NULL;
}

void table_reference_close(struct table_reference *reference)
{
    table_list_close(&reference->held);
    reference->names = span_empty();
}
