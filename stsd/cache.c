/* stsd/cache - see cache.h. */
#include "cache.h"

#include <stdlib.h>

#include "base/ascii.h"

void cache_init(struct cache *cache, const struct cache_times *times, const uint8_t seed[16])
{
    *cache = (struct cache){.times = *times, .entries_max = CACHE_ENTRIES_MAX};
    map_init(&cache->entries, seed);
    list_init(&cache->with_policy);
    list_init(&cache->without_policy);
}

static struct list *list_of(struct cache *cache, const struct cache_entry *entry)
{
    return entry->policy ? &cache->with_policy : &cache->without_policy;
}

static void drop(struct cache *cache, struct cache_entry *entry)
{
    map_remove(&cache->entries, &entry->node);
    list_remove(list_of(cache, entry), &entry->recent);
    cache->size_bytes -= entry->size_bytes;
    free(entry->policy);
    free(entry);
}

static void drop_all(struct cache *cache, struct list *list)
{
    struct list_link *link;
    while ((link = list_first(list)) != NULL)
        drop(cache, LIST_ITEM(link, struct cache_entry, recent));
}

void cache_destroy(struct cache *cache)
{
    drop_all(cache, &cache->with_policy);
    drop_all(cache, &cache->without_policy);
    map_destroy(&cache->entries);
}

static bool is_used(const struct cache_entry *entry)
{
    return entry->is_busy || !list_is_empty(&entry->waiters);
}

static void make_room_in(struct cache *cache, struct list *list)
{
    LIST_FOR_EACH (list, link) {
        if (cache->entries.count < cache->entries_max && cache->size_bytes < CACHE_BYTES_MAX)
            return;
        struct cache_entry *entry = LIST_ITEM(link, struct cache_entry, recent);
        if (!is_used(entry))
            drop(cache, entry);
    }
}

/* Whoever can make us ask about domains without number must not push out what protects others. */
static void make_room(struct cache *cache)
{
    make_room_in(cache, &cache->without_policy);
    make_room_in(cache, &cache->with_policy);
}

static struct cache_entry *make(struct span domain)
{
    struct cache_entry *entry = calloc(1, sizeof(*entry) + domain.length + 1);
    if (!entry)
        return NULL;
    for (size_t i = 0; i < domain.length; i++)
        entry->domain[i] = (char)ascii_to_lower(domain.bytes[i]);
    entry->node.key = span_of(entry->domain, domain.length);
    entry->size_bytes = sizeof(*entry) + domain.length + 1;
    list_init(&entry->waiters);
    return entry;
}

struct cache_entry *cache_get(struct cache *cache, struct span domain)
{
    struct cache_entry *entry = make(domain);
    if (!entry)
        return NULL;
    struct map_node *node = map_find(&cache->entries, entry->node.key);
    if (node) {
        free(entry);
        entry = CONTAINER_OF(node, struct cache_entry, node);
        list_remove(list_of(cache, entry), &entry->recent);
        list_append(list_of(cache, entry), &entry->recent);
        return entry;
    }
    make_room(cache);
    if (!map_insert(&cache->entries, &entry->node)) {
        free(entry);
        return NULL;
    }
    list_append(&cache->without_policy, &entry->recent);
    cache->size_bytes += entry->size_bytes;
    return entry;
}

/* A clock that went back makes nothing older. */
static int64_t age_s(int64_t then_s, int64_t now_s)
{
    return now_s > then_s ? now_s - then_s : 0;
}

struct span cache_policy(const struct cache_entry *entry, int64_t now_s)
{
    return entry->policy && age_s(entry->fetched_s, now_s) < (int64_t)entry->max_age_s
               ? span_of(entry->policy, entry->policy_length)
               : span_empty();
}

bool cache_is_check_due(const struct cache *cache, const struct cache_entry *entry, int64_t now_s)
{
    return entry->checked_s == 0 || entry->is_unknown || entry->checked_s > now_s ||
           now_s - entry->checked_s >= cache->times.check_s;
}

bool cache_is_fetch_due(const struct cache *cache, const struct cache_entry *entry, struct span id,
                        int64_t now_s)
{
    const bool has_failed = entry->failed_s != 0 &&
                            span_equals(id, span_from_string(entry->failed_id)) &&
                            age_s(entry->failed_s, now_s) < cache->times.negative_s;
    if (has_failed)
        return false;
    return span_is_empty(cache_policy(entry, now_s)) ||
           !span_equals(id, span_from_string(entry->id)) ||
           age_s(entry->fetched_s, now_s) >= cache->times.refresh_s;
}

bool cache_is_refresh_due(const struct cache *cache, const struct cache_entry *entry, int64_t now_s)
{
    return !span_is_empty(cache_policy(entry, now_s)) && !entry->is_busy &&
           age_s(entry->asked_s, now_s) < CACHE_IDLE_S &&
           age_s(entry->fetched_s, now_s) >= cache->times.refresh_s &&
           age_s(entry->checked_s, now_s) >= cache->times.negative_s;
}

static void set_text(char *out, size_t capacity, struct span text)
{
    text = span_first(text, capacity - 1);
    memcpy(out, text.bytes, text.length);
    out[text.length] = '\0';
}

/* Policy is from the heap, or NULL; it takes the other one's place. */
static void replace_policy(struct cache *cache, struct cache_entry *entry, char *policy,
                           size_t length)
{
    list_remove(list_of(cache, entry), &entry->recent);
    cache->size_bytes -= entry->size_bytes;
    entry->size_bytes += length;
    entry->size_bytes -= entry->policy_length;
    cache->size_bytes += entry->size_bytes;
    free(entry->policy);
    entry->policy = policy;
    entry->policy_length = length;
    list_append(list_of(cache, entry), &entry->recent);
}

bool cache_set_policy(struct cache *cache, struct cache_entry *entry, struct span id,
                      const struct mtasts_policy *policy, int64_t now_s)
{
    struct buffer text;
    buffer_init(&text, NULL, MTASTS_POLICY_MAX_BYTES);
    mtasts_policy_append(policy, &text);
    char *kept = buffer_ok(&text) ? malloc(text.length) : NULL;
    if (kept) {
        memcpy(kept, text.bytes, text.length);
        replace_policy(cache, entry, kept, text.length);
        entry->mode = policy->mode;
        entry->max_age_s = policy->max_age_s;
        entry->fetched_s = now_s;
        set_text(entry->id, sizeof(entry->id), id);
        cache_clear_failure(entry);
    }
    buffer_release(&text);
    return kept != NULL;
}

void cache_set_failure(struct cache_entry *entry, struct span id, enum tlsrpt_result failure,
                       struct span reason, int64_t now_s)
{
    entry->failed_s = now_s;
    entry->failure = failure;
    set_text(entry->failed_id, sizeof(entry->failed_id), id);
    set_text(entry->reason, sizeof(entry->reason), reason);
}

void cache_set_unknown(struct cache_entry *entry, struct span reason)
{
    entry->is_unknown = true;
    if (entry->failure == TLSRPT_SUCCESS)
        set_text(entry->reason, sizeof(entry->reason), reason);
}

void cache_clear_failure(struct cache_entry *entry)
{
    entry->failed_s = 0;
    entry->failure = TLSRPT_SUCCESS;
    entry->reason[0] = entry->failed_id[0] = '\0';
}

/* What a clock that was ahead has dated would never grow old: it counts from now on. */
static int64_t believable_s(int64_t then_s, int64_t now_s)
{
    return then_s < now_s ? then_s : now_s;
}

static void settle_times(struct cache_entry *entry, int64_t now_s)
{
    entry->fetched_s = believable_s(entry->fetched_s, now_s);
    entry->asked_s = believable_s(entry->asked_s, now_s);
    entry->failed_s = believable_s(entry->failed_s, now_s);
}

void cache_restore(struct cache *cache, const struct sts_record *record, int64_t now_s)
{
    struct mtasts_policy policy;
    struct cache_entry *entry = NULL;
    if (mtasts_policy_parse(record->policy, &policy) == PARSE_OK &&
        age_s(record->fetched_s, now_s) < (int64_t)policy.max_age_s)
        entry = cache_get(cache, record->domain);
    if (entry &&
        cache_set_policy(cache, entry, record->id, &policy, believable_s(record->fetched_s, now_s)))
        entry->asked_s = believable_s(record->asked_s, now_s);
}

void cache_record(const struct cache_entry *entry, struct sts_record *record)
{
    *record = (struct sts_record){.domain = entry->node.key,
                                  .id = span_from_string(entry->id),
                                  .fetched_s = entry->fetched_s,
                                  .asked_s = entry->asked_s,
                                  .policy = span_of(entry->policy, entry->policy_length)};
}

void cache_expire(struct cache *cache, int64_t now_s)
{
    LIST_FOR_EACH (&cache->with_policy, link) {
        struct cache_entry *entry = LIST_ITEM(link, struct cache_entry, recent);
        settle_times(entry, now_s);
        if (!is_used(entry) && span_is_empty(cache_policy(entry, now_s)))
            drop(cache, entry);
    }
    LIST_FOR_EACH (&cache->without_policy, link) {
        struct cache_entry *entry = LIST_ITEM(link, struct cache_entry, recent);
        settle_times(entry, now_s);
        if (!is_used(entry) && cache_is_check_due(cache, entry, now_s) &&
            age_s(entry->failed_s, now_s) >= cache->times.negative_s)
            drop(cache, entry);
    }
}
