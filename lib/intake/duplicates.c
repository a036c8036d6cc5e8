/* intake/duplicates - see duplicates.h. */
#include "intake/duplicates.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/map.h"
#include "system/random.h"

enum { DUPLICATES_BYTES_EACH = 8192 }; /* more than any record has */

struct intake_duplicates {
    struct arena arena;
    struct map map;
    size_t limit;
};

struct intake_duplicates *intake_duplicates_create(size_t limit)
{
    struct intake_duplicates *duplicates = calloc(1, sizeof(*duplicates));
    uint8_t seed[16];

    if (!duplicates)
        return NULL;
    random_bytes(seed, sizeof(seed));
    arena_init(&duplicates->arena, limit * DUPLICATES_BYTES_EACH, 0);
    map_init(&duplicates->map, seed);
    duplicates->limit = limit;
    return duplicates;
}

void intake_duplicates_destroy(struct intake_duplicates **duplicates)
{
    if (!*duplicates)
        return;
    map_destroy(&(*duplicates)->map);
    arena_destroy(&(*duplicates)->arena);
    free(*duplicates);
    *duplicates = NULL;
}

bool intake_duplicates_note(struct intake_duplicates *duplicates, struct span record)
{
    struct map_node *node = arena_alloc(&duplicates->arena, sizeof(*node));
    uint8_t *key = node ? arena_alloc(&duplicates->arena, record.length) : NULL;

    if (!key)
        return false; /* delivered twice rather than not at all */
    memcpy(key, record.bytes, record.length);
    ascii_lower_in_place(key, record.length);
    node->key = span_of(key, record.length);
    if (map_find(&duplicates->map, node->key))
        return true;
    if (duplicates->map.count < duplicates->limit)
        (void)!map_insert(&duplicates->map, node); /* memory is out: likewise */
    return false;
}
