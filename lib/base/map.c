/* base/map - see map.h. */
#include "base/map.h"

#include <stdlib.h>

enum { MAP_FIRST_SLOTS = 16 };

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

/* In line, and each word loaded as one: who serves many names does little else. */
static inline void sip_round(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v1 = rotate_left(sip->v1, 13) ^ sip->v0;
    sip->v0 = rotate_left(sip->v0, 32);
    sip->v2 += sip->v3;
    sip->v3 = rotate_left(sip->v3, 16) ^ sip->v2;
    sip->v0 += sip->v3;
    sip->v3 = rotate_left(sip->v3, 21) ^ sip->v0;
    sip->v2 += sip->v1;
    sip->v1 = rotate_left(sip->v1, 17) ^ sip->v2;
    sip->v2 = rotate_left(sip->v2, 32);
}

static inline void sip_take(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_round(sip);
    sip->v0 ^= word;
}

/* Compilers make one load of it. */
static inline uint64_t load_word(const uint8_t *bytes)
{
    return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
           (uint64_t)bytes[3] << 24 | (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 |
           (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

uint64_t map_siphash(const uint8_t seed[16], struct span span)
{
    const uint64_t k0 = load_word(seed), k1 = load_word(seed + 8);
    struct sip sip = {k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU, k0 ^ 0x6c7967656e657261U,
                      k1 ^ 0x7465646279746573U};
    const size_t whole = span.length / 8 * 8;
    uint64_t last = (uint64_t)span.length << 56;
    for (size_t i = 0; i < whole; i += 8)
        sip_take(&sip, load_word(span.bytes + i));
    for (size_t i = whole; i < span.length; i++)
        last |= (uint64_t)span.bytes[i] << (8 * (i - whole));
    sip_take(&sip, last);
    sip.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
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
