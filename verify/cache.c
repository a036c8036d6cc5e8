/* verify/cache - see cache.h. */
#include "cache.h"

#include <stdlib.h>

#include "base/ascii.h"

void cache_init(struct cache *cache, const struct cache_times *times, const uint8_t seed[16])
{
    *cache = (struct cache){.times = *times, .entries_max = CACHE_ENTRIES_MAX};
    map_init(&cache->entries, seed);
    list_init(&cache->recent);
}

static void drop(struct cache *cache, struct cache_entry *entry)
{
    map_remove(&cache->entries, &entry->node);
    list_remove(&cache->recent, &entry->recent);
    cache->size_bytes -= entry->size_bytes;
    free(entry->reason);
    free(entry);
}

void cache_destroy(struct cache *cache)
{
    struct list_link *link;
    while ((link = list_first(&cache->recent)) != NULL)
        drop(cache, LIST_ITEM(link, struct cache_entry, recent));
    map_destroy(&cache->entries);
}

static bool is_used(const struct cache_entry *entry)
{
    return entry->is_probing || !list_is_empty(&entry->waiters);
}

static void make_room(struct cache *cache)
{
    LIST_FOR_EACH (&cache->recent, link) {
        if (cache->entries.count < cache->entries_max && cache->size_bytes < CACHE_BYTES_MAX)
            return;
        struct cache_entry *entry = LIST_ITEM(link, struct cache_entry, recent);
        if (!is_used(entry))
            drop(cache, entry);
    }
}

/* RFC 5321 section 2.4: the case of a domain does not matter. That of a local part could, and next
 * to nobody means it; one probe for all spellings is what Postfix sends, too. */
static struct cache_entry *make(struct span address)
{
    struct cache_entry *entry = calloc(1, sizeof(*entry) + address.length + 1);
    if (!entry)
        return NULL;
    for (size_t i = 0; i < address.length; i++)
        entry->address[i] = (char)ascii_to_lower(address.bytes[i]);
    entry->node.key = span_of(entry->address, address.length);
    entry->size_bytes = sizeof(*entry) + address.length + 1;
    entry->outcome = outcome_temporary(450, 1, 1, "");
    list_init(&entry->waiters);
    return entry;
}

struct cache_entry *cache_get(struct cache *cache, struct span address)
{
    struct cache_entry *entry = make(address);
    if (!entry)
        return NULL;
    struct map_node *node = map_find(&cache->entries, entry->node.key);
    if (node) {
        free(entry);
        entry = CONTAINER_OF(node, struct cache_entry, node);
        list_remove(&cache->recent, &entry->recent);
        list_append(&cache->recent, &entry->recent);
        return entry;
    }
    make_room(cache);
    if (!map_insert(&cache->entries, &entry->node)) {
        free(entry);
        return NULL;
    }
    list_append(&cache->recent, &entry->recent);
    cache->size_bytes += entry->size_bytes;
    return entry;
}

static bool is_positive(const struct cache_entry *entry)
{
    return entry->outcome.kind == OUTCOME_OK;
}

/* What a clock that has been set back since says of the future counts no longer than what is past:
 * it would count until that future comes. */
static int64_t age_s(const struct cache_entry *entry, int64_t now_s)
{
    return now_s > entry->updated_s ? now_s - entry->updated_s : entry->updated_s - now_s;
}

bool cache_is_known(const struct cache *cache, const struct cache_entry *entry, int64_t now_s)
{
    const struct cache_times *times = &cache->times;
    return entry->updated_s != 0 &&
           age_s(entry, now_s) <
               (is_positive(entry) ? times->positive_expire_s : times->negative_expire_s);
}

bool cache_needs_probe(const struct cache *cache, const struct cache_entry *entry, int64_t now_s)
{
    const struct cache_times *times = &cache->times;
    if (entry->is_probing)
        return false;
    if (!cache_is_known(cache, entry, now_s))
        return true;
    const bool is_recent = now_s >= entry->probed_s && now_s - entry->probed_s < CACHE_PROBE_TTL_S;
    return !is_recent && age_s(entry, now_s) >= (is_positive(entry) ? times->positive_refresh_s
                                                                    : times->negative_refresh_s);
}

static bool set_reason(struct cache *cache, struct cache_entry *entry, struct span reason)
{
    reason = span_first(reason, VERIFY_REASON_MAX_BYTES);
    char *kept = malloc(reason.length + 1);
    if (!kept)
        return false;
    memcpy(kept, reason.bytes, reason.length);
    kept[reason.length] = '\0';
    cache->size_bytes -= entry->size_bytes;
    entry->size_bytes += reason.length - (entry->reason ? entry->outcome.reason.length : 0);
    cache->size_bytes += entry->size_bytes;
    free(entry->reason);
    entry->reason = kept;
    entry->outcome.reason = span_of(kept, reason.length);
    return true;
}

bool cache_update(struct cache *cache, struct cache_entry *entry, const struct outcome *outcome,
                  int64_t now_s)
{
    const bool is_good = outcome->kind == OUTCOME_OK;
    if (!is_good && is_positive(entry) && cache_is_known(cache, entry, now_s))
        return false;
    if (!is_good && !cache->times.has_negative_cache) {
        entry->probed_s = entry->updated_s = 0;
        return false;
    }
    if (!set_reason(cache, entry, outcome->reason))
        return false;
    const struct span reason = entry->outcome.reason;
    entry->outcome = *outcome;
    entry->outcome.reason = reason;
    entry->updated_s = now_s;
    return true;
}

void cache_restore(struct cache *cache, const struct verify_record *record)
{
    struct cache_entry *entry = cache_get(cache, record->address);
    if (!entry || !set_reason(cache, entry, record->outcome.reason))
        return;
    const struct span reason = entry->outcome.reason;
    entry->outcome = record->outcome;
    entry->outcome.reason = reason;
    entry->probed_s = record->probed_s;
    entry->updated_s = record->updated_s;
}

void cache_record(const struct cache_entry *entry, struct verify_record *record)
{
    *record = (struct verify_record){.address = entry->node.key,
                                     .outcome = entry->outcome,
                                     .probed_s = entry->probed_s,
                                     .updated_s = entry->updated_s};
}

void cache_expire(struct cache *cache, int64_t now_s)
{
    LIST_FOR_EACH (&cache->recent, link) {
        struct cache_entry *entry = LIST_ITEM(link, struct cache_entry, recent);
        if (!cache_is_known(cache, entry, now_s) && !is_used(entry))
            drop(cache, entry);
    }
}
