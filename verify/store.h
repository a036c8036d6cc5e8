/* verify/store - the cache on disk (system/journal), so that a restart need not ask everybody
 * again. Nothing waits for the disk: what a power cut takes is asked again. Callers: verify/server.
 */
#ifndef VERIFY_STORE_H
#define VERIFY_STORE_H

#include "cache.h"
#include "system/journal.h"

struct store {
    struct journal journal;
    bool has_complained; /* of the disk; said once */
};

/* -1 and errno when the files cannot be opened. */
MUST_USE int store_open(struct store *store, int directory);
/* Reads them into the cache. Lines that are none are passed over: a torn write leaves such. */
void store_load(struct store *store, struct cache *cache);
/* One entry has changed. 0, or errno when the disk refuses for the first time. */
MUST_USE int store_append(struct store *store, const struct cache *cache,
                          const struct cache_entry *entry);

#endif
