/* dnsd/cache - see cache.h. */
#include "cache.h"

#include <stdlib.h>

#include "base/number.h"

void dns_cache_init(struct dns_cache *cache, const uint8_t seed[16], struct dns_cache_limits limits)
{
    *cache = (struct dns_cache){.limits = limits};
    map_init(&cache->entries, seed);
    list_init(&cache->by_use);
}

static void remove_entry(struct dns_cache *cache, struct dns_cache_entry *entry)
{
    map_remove(&cache->entries, &entry->node);
    list_remove(&cache->by_use, &entry->link);
    cache->size_bytes -= entry->size_bytes;
    free(entry);
}

static struct dns_cache_entry *longest_unused(const struct dns_cache *cache)
{
    return LIST_ITEM(list_first(&cache->by_use), struct dns_cache_entry, link);
}

void dns_cache_destroy(struct dns_cache *cache)
{
    while (!list_is_empty(&cache->by_use))
        remove_entry(cache, longest_unused(cache));
    map_destroy(&cache->entries);
}

size_t dns_cache_key(const struct dns_question *question, uint8_t key[DNS_CACHE_KEY_MAX_BYTES])
{
    number_put_uint16(key, question->type);
    memcpy(key + 2, question->name.bytes, question->name.length);
    return 2 + question->name.length;
}

static struct dns_cache_entry *find_entry(struct dns_cache *cache, struct span key)
{
    struct map_node *node = map_find(&cache->entries, key);
    return node ? CONTAINER_OF(node, struct dns_cache_entry, node) : NULL;
}

const struct dns_cache_entry *dns_cache_find(struct dns_cache *cache,
                                             const struct dns_question *question, int64_t now_ms)
{
    uint8_t key[DNS_CACHE_KEY_MAX_BYTES];
    struct dns_cache_entry *entry = find_entry(cache, span_of(key, dns_cache_key(question, key)));
    if (!entry)
        return NULL;
    if (entry->expires_ms <= now_ms) {
        remove_entry(cache, entry);
        return NULL;
    }
    list_remove(&cache->by_use, &entry->link);
    list_append(&cache->by_use, &entry->link);
    return entry;
}

uint32_t dns_cache_ttl_s(const struct dns_cache_entry *entry, int64_t now_ms)
{
    return entry->expires_ms > now_ms ? (uint32_t)((entry->expires_ms - now_ms) / 1000) : 0;
}

/* Zero: not to be remembered. */
static uint32_t lifetime_s(const struct dns_cache *cache, const struct dns_answer *answer)
{
    uint32_t maximum_s = cache->limits.absent_max_s;
    switch (answer->status) {
    case DNS_FOUND:
        maximum_s = cache->limits.found_max_s;
        break;
    case DNS_NO_DATA:
    case DNS_NO_SUCH_NAME:
        break;
    case DNS_TEMPORARY: /* our own shortage may be over in a moment */
        return answer->failure == DNS_FAILURE_RESOURCES ? 0 : DNS_CACHE_TEMPORARY_S;
    }
    return answer->ttl_s < maximum_s ? answer->ttl_s : maximum_s;
}

static struct span put_bytes(struct dns_cache_entry *entry, size_t *offset, struct span bytes)
{
    uint8_t *place = entry->bytes + *offset;
    if (bytes.length)
        memcpy(place, bytes.bytes, bytes.length);
    *offset += bytes.length;
    return span_of(place, bytes.length);
}

void dns_cache_store(struct dns_cache *cache, const struct dns_question *question,
                     const struct dns_answer *answer, struct span records, int64_t now_ms)
{
    uint8_t key_bytes[DNS_CACHE_KEY_MAX_BYTES];
    const struct span key = span_of(key_bytes, dns_cache_key(question, key_bytes));
    struct dns_cache_entry *entry = find_entry(cache, key);
    const size_t size =
        sizeof(*entry) + key.length + answer->canonical_name.length + records.length;
    const uint32_t ttl_s = lifetime_s(cache, answer);
    size_t offset = 0;

    if (entry)
        remove_entry(cache, entry);
    if (ttl_s == 0 || size > cache->limits.size_bytes)
        return;
    while (size > cache->limits.size_bytes - cache->size_bytes)
        remove_entry(cache, longest_unused(cache));
    entry = malloc(size);
    if (!entry)
        return; /* the answer is given all the same */
    *entry = (struct dns_cache_entry){.expires_ms = now_ms + (int64_t)ttl_s * 1000,
                                      .size_bytes = size,
                                      .status = answer->status,
                                      .failure = answer->failure,
                                      .is_authenticated = answer->is_authenticated};
    entry->node.key = put_bytes(entry, &offset, key);
    entry->canonical_name = put_bytes(entry, &offset, answer->canonical_name);
    entry->records = put_bytes(entry, &offset, records);
    if (!map_insert(&cache->entries, &entry->node)) {
        free(entry);
        return;
    }
    list_append(&cache->by_use, &entry->link);
    cache->size_bytes += size;
}
