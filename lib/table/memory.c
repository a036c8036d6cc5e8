/* table/memory - see memory.h. */
#include "table/memory.h"

#include "base/ascii.h"

struct table_memory_entry {
    struct map_node node;
    struct span value;
    struct table_memory_entry *next;
};

/* The stored keys are the operator's, so nobody can choose collisions among them; who looks up
 * stores nothing. A fixed seed serves. */
static const uint8_t seed[16] = "table in memory";

void table_memory_init(struct table_memory *memory)
{
    *memory = (struct table_memory){.first = NULL};
    arena_init(&memory->arena, TABLE_MEMORY_MAX_BYTES, 0);
    map_init(&memory->map, seed);
}

void table_memory_destroy(struct table_memory *memory)
{
    map_destroy(&memory->map);
    arena_destroy(&memory->arena);
    memory->first = memory->last = NULL;
}

static struct span copy_key(struct table_memory *memory, struct span key, bool fold_key)
{
    uint8_t *bytes = arena_alloc(&memory->arena, key.length);
    if (!bytes)
        return (struct span){NULL, 0};
    if (key.length)
        memcpy(bytes, key.bytes, key.length);
    if (fold_key)
        ascii_lower_in_place(bytes, key.length);
    return span_of(bytes, key.length);
}

enum table_memory_added table_memory_add(struct table_memory *memory, struct span key,
                                         struct span value, bool fold_key, bool replaces)
{
    const struct span stored_key = copy_key(memory, key, fold_key);
    const struct span stored_value = arena_copy(&memory->arena, value);
    if (!stored_key.bytes || !stored_value.bytes)
        return TABLE_MEMORY_FULL;
    struct map_node *existing = map_find(&memory->map, stored_key);
    if (existing) {
        if (replaces)
            CONTAINER_OF(existing, struct table_memory_entry, node)->value = stored_value;
        return TABLE_MEMORY_DUPLICATE;
    }
    struct table_memory_entry *entry = arena_alloc(&memory->arena, sizeof(*entry));
    if (!entry)
        return TABLE_MEMORY_FULL;
    entry->node.key = stored_key;
    entry->value = stored_value;
    if (!map_insert(&memory->map, &entry->node))
        return TABLE_MEMORY_FULL;
    if (memory->last)
        memory->last->next = entry;
    else
        memory->first = entry;
    memory->last = entry;
    return TABLE_MEMORY_ADDED;
}

enum table_result table_memory_lookup(const struct table_memory *memory, struct span key,
                                      struct buffer *value)
{
    struct map_node *node = map_find(&memory->map, key);
    if (!node)
        return TABLE_NOT_FOUND;
    buffer_append_span(value, CONTAINER_OF(node, struct table_memory_entry, node)->value);
    return TABLE_FOUND;
}

void table_memory_walk(const struct table_memory *memory,
                       bool (*visit)(void *context, struct span key, struct span value),
                       void *context)
{
    for (struct table_memory_entry *entry = memory->first; entry; entry = entry->next)
        if (!visit(context, entry->node.key, entry->value))
            return;
}
