/* table/memory - entries held in memory: what inline: and texthash: look up. */
#ifndef TABLE_MEMORY_H
#define TABLE_MEMORY_H

#include "base/map.h"
#include "table/table.h"

enum { TABLE_MEMORY_MAX_BYTES = 256 * 1024 * 1024 };

struct table_memory_entry;
struct table_memory {
    struct arena arena;
    struct map map;
    struct table_memory_entry *first; /* in the order of the source */
    struct table_memory_entry *last;
};

enum table_memory_added { TABLE_MEMORY_ADDED, TABLE_MEMORY_DUPLICATE, TABLE_MEMORY_FULL };

void table_memory_init(struct table_memory *memory);
void table_memory_destroy(struct table_memory *memory);
/* Copies both, the key in lower case if asked. On TABLE_MEMORY_DUPLICATE nothing changes, or with
 * replaces the value does. */
enum table_memory_added table_memory_add(struct table_memory *memory, struct span key,
                                         struct span value, bool fold_key, bool replaces);
MUST_USE enum table_result table_memory_lookup(const struct table_memory *memory, struct span key,
                                               struct buffer *value);
void table_memory_walk(const struct table_memory *memory,
                       bool (*visit)(void *context, struct span key, struct span value),
                       void *context);

#endif
