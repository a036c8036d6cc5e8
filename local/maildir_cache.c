/* local/maildir_cache - see maildir_cache.h. */
#include "maildir_cache.h"

#include <stdlib.h>
#include <string.h>

void maildir_cache_init(struct maildir_cache *cache, const uint8_t seed[16])
{
    map_init(&cache->map, seed);
    list_init(&cache->entries);
}

void maildir_cache_release(struct maildir_entry *entry)
{
    if (--entry->holder_count > 0)
        return;
    maildir_close(&entry->mailbox);
    free(entry);
}

static void drop(struct maildir_cache *cache, struct maildir_entry *entry)
{
    map_remove(&cache->map, &entry->node);
    list_remove(&cache->entries, &entry->link);
    maildir_cache_release(entry);
}

static void drop_old(struct maildir_cache *cache, int64_t now_ms)
{
    for (struct list_link *link; (link = list_first(&cache->entries));) {
        struct maildir_entry *entry = CONTAINER_OF(link, struct maildir_entry, link);
        if (cache->entries.count <= MAILDIR_CACHE_ENTRIES_MAX &&
            now_ms - entry->opened_ms < MAILDIR_CACHE_AGE_MS)
            return;
        drop(cache, entry);
    }
}

void maildir_cache_destroy(struct maildir_cache *cache)
{
    drop_old(cache, INT64_MAX);
    map_destroy(&cache->map);
}

struct maildir_entry *maildir_cache_take(struct maildir_cache *cache, const char *path,
                                         int64_t now_ms)
{
    drop_old(cache, now_ms);
    struct map_node *node = map_find(&cache->map, span_from_string(path));
    if (!node)
        return NULL;
    struct maildir_entry *entry = CONTAINER_OF(node, struct maildir_entry, node);
    entry->holder_count++;
    return entry;
}

struct maildir_entry *maildir_cache_put(struct maildir_cache *cache, const char *path,
                                        const struct maildir *mailbox, int64_t now_ms)
{
    struct map_node *old = map_find(&cache->map, span_from_string(path));
    if (old)
        drop(cache, CONTAINER_OF(old, struct maildir_entry, node));
    struct maildir_entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    const size_t length = strlen(path);
    ASSERT(length < sizeof(entry->path));
    memcpy(entry->path, path, length + 1);
    entry->mailbox = *mailbox;
    entry->opened_ms = now_ms;
    entry->holder_count = 1;
    entry->node.key = span_of(entry->path, length);
    if (map_insert(&cache->map, &entry->node)) {
        entry->holder_count++;
        list_append(&cache->entries, &entry->link);
        drop_old(cache, now_ms);
    }
    return entry;
}
