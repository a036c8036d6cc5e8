/* verify/store - see store.h. */
#include "store.h"

#include <errno.h>

enum { FILE_MAX_BYTES = 2 * CACHE_BYTES_MAX, LINE_MAX_BYTES = 2048 };

int store_open(struct store *store, int directory)
{
    const int result = journal_open(&store->journal, directory, "cache");
    store->journal.is_hasty = true; /* what is lost is asked again */
    store->has_complained = false;
    return result;
}

struct walk {
    const struct list *list;
    struct list_link *next;
};

static bool next_record(void *context, struct buffer *lines)
{
    struct walk *walk = context;
    struct verify_record record;
    if (!walk->next)
        return false;
    cache_record(LIST_ITEM(walk->next, struct cache_entry, recent), &record);
    verify_record_append(&record, lines);
    walk->next = list_next(walk->list, walk->next);
    return true;
}

static int rewrite(struct store *store, const struct cache *cache)
{
    struct walk walk = {&cache->recent, list_first(&cache->recent)};
    return journal_rewrite(&store->journal, next_record, &walk);
}

static void take_line(void *cache, struct span line)
{
    struct verify_record record;
    if (verify_record_parse(line, &record) == PARSE_OK)
        cache_restore(cache, &record);
}

void store_load(struct store *store, struct cache *cache)
{
    journal_load(&store->journal, FILE_MAX_BYTES, take_line, cache);
    /* What only one of the files had is in both from now on. The next change tries again. */
    store->journal.has_failed = rewrite(store, cache) != 0;
}

static int append(struct store *store, const struct cache_entry *entry)
{
    struct verify_record record;
    struct buffer line;
    buffer_init(&line, NULL, LINE_MAX_BYTES);
    cache_record(entry, &record);
    verify_record_append(&record, &line);
    const int error =
        buffer_ok(&line) ? journal_append(&store->journal, buffer_span(&line)) : ENOMEM;
    buffer_release(&line);
    return error;
}

int store_append(struct store *store, const struct cache *cache, const struct cache_entry *entry)
{
    const int error = journal_is_due(&store->journal, cache->size_bytes) ? rewrite(store, cache)
                                                                         : append(store, entry);
    const bool is_news = error != 0 && !store->has_complained;
    store->has_complained = error != 0;
    return is_news ? error : 0;
}
