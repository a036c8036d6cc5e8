/* limitd/counters - see counters.h. */
#include "counters.h"

#include <stdlib.h>

/* Beside its own bytes an entry costs a slot of the map and what malloc() keeps. */
enum { ENTRY_OVERHEAD_BYTES = 32 };

void counters_init(struct counters *counters, const uint8_t seed[16], size_t capacity_bytes)
{
    *counters = (struct counters){.capacity_bytes = capacity_bytes};
    map_init(&counters->map, seed);
    for (int kind = 0; kind < LIMIT_KIND_COUNT; kind++)
        list_init(&counters->idle[kind]);
    list_init(&counters->held);
}

static size_t cost_bytes(struct span name)
{
    return sizeof(struct counter) + 1 + name.length + ENTRY_OVERHEAD_BYTES;
}

static struct list *idle_list(struct counters *counters, const struct counter *counter)
{
    return &counters->idle[counter->kind];
}

static void forget(struct counters *counters, struct counter *counter)
{
    map_remove(&counters->map, &counter->node);
    list_remove(counter->held_count ? &counters->held : idle_list(counters, counter),
                &counter->link);
    counters->kind_bytes[counter->kind] -= cost_bytes(counter->name);
    counters->size_bytes -= cost_bytes(counter->name);
    free(counter);
}

void counters_destroy(struct counters *counters)
{
    for (int kind = 0; kind < LIMIT_KIND_COUNT; kind++)
        LIST_FOR_EACH (&counters->idle[kind], link)
            forget(counters, LIST_ITEM(link, struct counter, link));
    LIST_FOR_EACH (&counters->held, held_link)
        forget(counters, LIST_ITEM(held_link, struct counter, link));
    map_destroy(&counters->map);
}

static size_t make_key(uint8_t key[1 + COUNTER_KEY_MAX_BYTES], enum limit_kind kind,
                       struct span name)
{
    key[0] = (uint8_t)kind;
    memcpy(key + 1, name.bytes, name.length);
    return 1 + name.length;
}

struct counter *counters_find(struct counters *counters, enum limit_kind kind, struct span name)
{
    uint8_t key[1 + COUNTER_KEY_MAX_BYTES];
    if (name.length > COUNTER_KEY_MAX_BYTES)
        return NULL;
    struct map_node *node = map_find(&counters->map, span_of(key, make_key(key, kind, name)));
    return node ? CONTAINER_OF(node, struct counter, node) : NULL;
}

/* The entry that goes first; NULL when all are held. */
static struct counter *first_to_go(const struct counters *counters)
{
    const struct list *list = NULL;
    size_t most_bytes = 0;
    for (int kind = 0; kind < LIMIT_KIND_COUNT; kind++) {
        if (list_is_empty(&counters->idle[kind]) || counters->kind_bytes[kind] <= most_bytes)
            continue;
        most_bytes = counters->kind_bytes[kind];
        list = &counters->idle[kind];
    }
    return list ? LIST_ITEM(list_first(list), struct counter, link) : NULL;
}

static bool make_room(struct counters *counters, size_t wanted_bytes)
{
    while (counters->size_bytes + wanted_bytes > counters->capacity_bytes) {
        struct counter *counter = first_to_go(counters);
        if (!counter)
            return false;
        forget(counters, counter);
    }
    return true;
}

struct counter *counters_get(struct counters *counters, enum limit_kind kind, struct span name,
                             int64_t now_ms)
{
    struct counter *counter = counters_find(counters, kind, name);
    if (counter) {
        if (counter->held_count == 0) {
            list_remove(idle_list(counters, counter), &counter->link);
            list_append(idle_list(counters, counter), &counter->link);
        }
        return counter;
    }
    if (name.length > COUNTER_KEY_MAX_BYTES || !make_room(counters, cost_bytes(name)))
        return NULL;
    counter = calloc(1, sizeof(*counter) + 1 + name.length);
    if (!counter)
        return NULL;
    counter->kind = kind;
    counter->began_ms = now_ms;
    counter->node.key = span_of(counter->key, make_key(counter->key, kind, name));
    counter->name = span_after(counter->node.key, 1);
    if (!map_insert(&counters->map, &counter->node)) {
        free(counter);
        return NULL;
    }
    list_append(idle_list(counters, counter), &counter->link);
    counters->kind_bytes[kind] += cost_bytes(name);
    counters->size_bytes += cost_bytes(name);
    return counter;
}

static bool is_over(const struct counter *counter, int64_t now_ms)
{
    return now_ms - counter->began_ms >= counter->window_ms;
}

uint32_t counter_count(const struct counter *counter, int64_t now_ms)
{
    return is_over(counter, now_ms) ? 0 : counter->count;
}

void counter_add(struct counter *counter, uint32_t amount, int64_t window_ms, int64_t now_ms)
{
    if (is_over(counter, now_ms)) {
        counter->began_ms = now_ms;
        counter->count = 0;
    }
    counter->window_ms = window_ms; /* may have changed with the settings */
    counter->count = amount > UINT32_MAX - counter->count ? UINT32_MAX : counter->count + amount;
}

void counter_set(struct counter *counter, uint32_t count, int64_t window_ms, int64_t now_ms)
{
    counter->began_ms = now_ms;
    counter->window_ms = window_ms;
    counter->count = count;
}

bool counters_hold(struct counters *counters, struct counter *counter)
{
    if (counter->held_count == UINT32_MAX)
        return false;
    if (counter->held_count == 0) {
        list_remove(idle_list(counters, counter), &counter->link);
        list_append(&counters->held, &counter->link);
    }
    counter->held_count++;
    return true;
}

void counters_release(struct counters *counters, struct counter *counter)
{
    ASSERT(counter->held_count > 0);
    if (counter->held_count == 1) {
        list_remove(&counters->held, &counter->link);
        list_append(idle_list(counters, counter), &counter->link);
    }
    counter->held_count--;
}

void counters_expire(struct counters *counters, int64_t now_ms)
{
    for (int kind = 0; kind < LIMIT_KIND_COUNT; kind++)
        LIST_FOR_EACH (&counters->idle[kind], link) {
            struct counter *counter = LIST_ITEM(link, struct counter, link);
            if (is_over(counter, now_ms))
                forget(counters, counter);
        }
}
