/* base/map - see map.h. */
#include "base/map.h"

#include <stdlib.h>

enum { MAP_FIRST_SLOTS = 16 };

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate_left(v[1], 13) ^ v[0];
    v[0] = rotate_left(v[0], 32);
    v[2] += v[3];
    v[3] = rotate_left(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate_left(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate_left(v[1], 17) ^ v[2];
    v[2] = rotate_left(v[2], 32);
}

static uint64_t load_little_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

uint64_t map_siphash(const uint8_t seed[16], struct span span)
{
    const uint64_t k0 = load_little_endian(seed, 8);
    const uint64_t k1 = load_little_endian(seed + 8, 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU, k0 ^ 0x6c7967656e657261U,
                     k1 ^ 0x7465646279746573U};
    const size_t whole = span.length / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        const uint64_t word = load_little_endian(span.bytes + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    const uint64_t last =
        load_little_endian(span.bytes + whole, span.length - whole) | (uint64_t)span.length << 56;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *map, const uint8_t seed[16])
{
    *map = (struct map){.slots = NULL};
    memcpy(map->seed, seed, sizeof(map->seed));
}

void map_destroy(struct map *map)
{
    free(map->slots);
    map->slots = NULL;
    map->slot_count = map->count = 0;
}

struct map_node *map_find(const struct map *map, struct span key)
{
    if (map->count == 0)
        return NULL;
    const uint64_t hash = map_siphash(map->seed, key);
    struct map_node *node = map->slots[hash & (map->slot_count - 1)];
    while (node && !(node->hash == hash && span_equals(node->key, key)))
        node = node->next;
    return node;
}

static bool resize(struct map *map, size_t slot_count)
{
    struct map_node **slots = calloc(slot_count, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < map->slot_count; i++) {
        struct map_node *node = map->slots[i];
        while (node) {
            struct map_node *next = node->next;
            node->next = slots[node->hash & (slot_count - 1)];
            slots[node->hash & (slot_count - 1)] = node;
            node = next;
        }
    }
    free(map->slots);
    map->slots = slots;
    map->slot_count = slot_count;
    return true;
}

bool map_insert(struct map *map, struct map_node *node)
{
    if (map->count >= map->slot_count &&
        !resize(map, map->slot_count ? map->slot_count * 2 : MAP_FIRST_SLOTS) &&
        map->slot_count == 0)
        return false; /* a failed doubling only makes chains longer */
    node->hash = map_siphash(map->seed, node->key);
    struct map_node **slot = &map->slots[node->hash & (map->slot_count - 1)];
    node->next = *slot;
    *slot = node;
    map->count++;
    return true;
}

void map_remove(struct map *map, struct map_node *node)
{
    struct map_node **link = &map->slots[node->hash & (map->slot_count - 1)];
    while (*link != node) {
        ASSERT(*link);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

void map_for_each(struct map *map, bool (*visit)(struct map_node *node, void *context),
                  void *context)
{
    for (size_t i = 0; i < map->slot_count; i++) {
        struct map_node *node = map->slots[i];
        while (node) {
            struct map_node *next = node->next;
            if (!visit(node, context))
                return;
            node = next;
        }
    }
}
