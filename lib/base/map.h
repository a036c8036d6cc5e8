/* base/map - a hash table whose nodes live in its members, keyed by bytes.
 * Keys are hashed with SipHash-1-3 under a seed from the caller, so that whoever chooses keys
 * cannot choose collisions. The table grows by doubling; it owns neither nodes nor key bytes. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/span.h"

struct map_node {
    struct map_node *next;
    struct span key; /* bytes stay in place while the node is in the map */
    uint64_t hash;
};

struct map {
    struct map_node **slots;
    size_t slot_count; /* a power of two, or 0 before first use */
    size_t count;
    uint8_t seed[16];
};

void map_init(struct map *map, const uint8_t seed[16]);
/* Frees the slots, not the nodes. */
void map_destroy(struct map *map);
/* NULL when absent. */
MUST_USE struct map_node *map_find(const struct map *map, struct span key);
/* node->key is set by the caller; it must not be in the map yet. False when memory is out. */
MUST_USE bool map_insert(struct map *map, struct map_node *node);
/* The node must be in the map. */
void map_remove(struct map *map, struct map_node *node);
/* Calls visit for each node, which may remove and free that node only; stops when visit returns
 * false. */
void map_for_each(struct map *map, bool (*visit)(struct map_node *node, void *context),
                  void *context);

MUST_USE uint64_t map_siphash(const uint8_t seed[16], struct span span);

#endif
