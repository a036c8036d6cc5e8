/* table/list - several tables asked in order, as in "alias_maps = hash:/a, inline:{b=c}".
 * Interface: table_list_open(), table_list_lookup(). Callers: addrd. */
#ifndef TABLE_LIST_H
#define TABLE_LIST_H

#include "table/table.h"

struct table_list;

/* A name that cannot be opened takes part as a table whose lookups are temporary errors, and is
 * told to options->warn. NULL only when memory is out. */
MUST_USE struct table_list *table_list_open(struct span names, const struct table_options *options);
void table_list_close(struct table_list **list);

bool table_list_is_empty(const struct table_list *list);
/* The first table that has the key, or the first that cannot say, decides. Replaces what was in
 * *value. An empty value is TABLE_ERROR, as in Postfix: tables say "not found" by having no such
 * key. */
MUST_USE enum table_result table_list_lookup(struct table_list *list, struct span key,
                                             struct buffer *value);
/* After TABLE_ERROR: "TABLE: reason". */
struct span table_list_error(const struct table_list *list);
/* The tables, for those who must know their files. */
size_t table_list_count(const struct table_list *list);
struct table *table_list_at(const struct table_list *list, size_t index);
/* Another in its place, which the list owns from now on; the one before is the caller's. */
void table_list_replace(struct table_list *list, size_t index, struct table *table);

#endif
