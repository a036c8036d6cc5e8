/* local/maildir_cache - mailboxes that were used a moment ago, by their path.
 * A second is long enough for a burst, and short enough that whoever moves a mailbox away does not
 * find much mail in the old place. For the loop's thread; the descriptors themselves are used by
 * others as long as the entry is held. */
#ifndef LOCAL_MAILDIR_CACHE_H
#define LOCAL_MAILDIR_CACHE_H

#include "base/list.h"
#include "base/map.h"
#include "maildir_open.h"

enum { MAILDIR_CACHE_AGE_MS = 1000, MAILDIR_CACHE_ENTRIES_MAX = 128 };

struct maildir_entry {
    struct map_node node;
    struct list_link link; /* oldest first */
    struct maildir mailbox;
    size_t holder_count; /* the cache itself counts as one */
    int64_t opened_ms;
    char path[MAILDIR_PATH_MAX_BYTES + 1];
};

struct maildir_cache {
    struct map map;
    struct list entries;
};

void maildir_cache_init(struct maildir_cache *cache, const uint8_t seed[16]);
/* Entries that are still held stay open until released. */
void maildir_cache_destroy(struct maildir_cache *cache);

/* Held for the caller, or NULL. */
MUST_USE struct maildir_entry *maildir_cache_take(struct maildir_cache *cache, const char *path,
                                                  int64_t now_ms);
/* Takes the mailbox over, in place of what was there under that path. Held for the caller. NULL
 * when memory is out: the mailbox stays the caller's. */
struct maildir_entry *maildir_cache_put(struct maildir_cache *cache, const char *path,
                                        const struct maildir *mailbox, int64_t now_ms);
void maildir_cache_release(struct maildir_entry *entry);

#endif
