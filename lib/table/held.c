/* table/held - see held.h. */
#include "table/held.h"

enum { SHOWN_BYTES = 200 };

bool table_is_held(struct span name)
{
    static const struct span types[] = {SPAN_LITERAL("cidr"),    SPAN_LITERAL("fail"),
                                        SPAN_LITERAL("inline"),  SPAN_LITERAL("pcre"),
                                        SPAN_LITERAL("regexp"),  SPAN_LITERAL("static"),
                                        SPAN_LITERAL("texthash")};
    const struct span type = span_first(name, span_find_byte(name, ':'));
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (span_equals(type, types[i]))
            return true;
    return false;
}

struct table_list *table_held_open(const char *parameter, struct span names,
                                   struct conf_error *error)
{
    const struct table_options options = {.flags = (unsigned)TABLE_READ_ONCE | TABLE_MAY_BLOCK |
                                                   TABLE_KEEP_CASE};
    struct table_list *list = table_list_open(names, &options);
    if (!list)
        conf_error_set(error, "%s: out of memory", parameter);
    for (size_t i = 0; list && i < table_list_count(list); i++) {
        struct table *table = table_list_at(list, i);
        const struct span name = table_name(table);
        if (!table_is_held(name))
            conf_error_set(error, "%s: %.*s: " TABLE_HELD_TYPES " is needed here", parameter,
                           SPAN_PRINTF(span_first(name, SHOWN_BYTES)));
        else if (table_prepare(table) != TABLE_FOUND)
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
