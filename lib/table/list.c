/* table/list - see list.h. */
#include "table/list.h"

#include <stdlib.h>

#include "table/names.h"
#include "table/table_private.h"

enum { TABLE_LIST_ERROR_MAX_BYTES = 2048 };

struct table_list {
    struct table **tables;
    size_t count;
    struct buffer error;
};

static void warn(const struct table_options *options, struct span name, struct span reason)
{
    struct buffer text;

    if (!options || !options->warn)
        return;
    buffer_init(&text, NULL, TABLE_LIST_ERROR_MAX_BYTES);
    buffer_append_format(&text, "%.*s is unavailable. %.*s", SPAN_PRINTF(span_first(name, 400)),
                         SPAN_PRINTF(reason));
    if (buffer_ok(&text))
        options->warn(options->warn_context, buffer_span(&text));
    buffer_release(&text);
}

static bool append(struct table_list *list, struct span name, const struct table_options *options)
{
    struct table **grown = realloc(list->tables, (list->count + 1) * sizeof(struct table *));
    if (!grown)
        return false;
    list->tables = grown;
    buffer_reset(&list->error);
    struct table *table = table_open(name, options, &list->error);
    if (!table) {
        warn(options, name, buffer_span(&list->error));
        table = table_open_unavailable(name, buffer_span(&list->error));
    }
    grown[list->count] = table;
    list->count += table != NULL;
    return table != NULL;
}

struct table_list *table_list_open(struct span names, const struct table_options *options)
{
    struct table_list *list = calloc(1, sizeof(*list));
    struct span name;

    if (!list)
        return NULL;
    buffer_init(&list->error, NULL, TABLE_LIST_ERROR_MAX_BYTES);
    while (table_next_name(&names, &name))
        if (!append(list, name, options)) {
            table_list_close(&list);
            break;
        }
    return list;
}

void table_list_close(struct table_list **list)
{
    struct table_list *const closed = *list;
    if (!closed)
        return;
    *list = NULL;
    for (size_t i = 0; i < closed->count; i++)
        table_close(&closed->tables[i]);
    free(closed->tables);
    buffer_release(&closed->error);
    free(closed);
}

bool table_list_is_empty(const struct table_list *list)
{
    return list->count == 0;
}

static enum table_result fail(struct table_list *list, struct span name, struct span reason)
{
    buffer_reset(&list->error);
    buffer_append_format(&list->error, "%.*s: %.*s", SPAN_PRINTF(span_first(name, 400)),
                         SPAN_PRINTF(span_first(reason, 1000)));
    return TABLE_ERROR;
}

enum table_result table_list_lookup(struct table_list *list, struct span key, struct buffer *value)
{
    for (size_t i = 0; i < list->count; i++) {
        struct table *table = list->tables[i];
        buffer_reset(value);
        const enum table_result result = table_lookup(table, key, value);
        if (result == TABLE_ERROR)
            return fail(list, table_name(table), table_error(table));
        if (result == TABLE_FOUND && value->length == 0)
            return fail(list, table_name(table),
                        span_from_string("an empty string as result is not allowed"));
        if (result != TABLE_NOT_FOUND)
            return result;
    }
    return TABLE_NOT_FOUND;
}

struct span table_list_error(const struct table_list *list)
{
    return buffer_span(&list->error);
}

size_t table_list_count(const struct table_list *list)
{
    return list->count;
}

void table_list_replace(struct table_list *list, size_t index, struct table *table)
{
    list->tables[index] = table;
}

struct table *table_list_at(const struct table_list *list, size_t index)
{
    return list->tables[index];
}
