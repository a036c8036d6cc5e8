/* verify/store - the cache on disk, so that a restart need not ask everybody again.
 * Two files, opened before the sandbox: lines are appended to one; when it has grown to twice of
 * what counts, all is written anew to the other, whose higher generation makes it the one that
 * counts. Nothing waits for the disk: what a crash takes is asked again.
 * Callers: verify/server. */
#ifndef VERIFY_STORE_H
#define VERIFY_STORE_H

#include "cache.h"

struct store {
    int descriptors[2];
    size_t active;
    uint64_t generation;
    uint64_t length_bytes; /* of the active file */
    bool has_failed;       /* the last write did; said once */
};

/* -1 and errno when the files cannot be opened. */
MUST_USE int store_open(struct store *store, int directory);
/* Reads both into the cache. Lines that are none are passed over: a torn write leaves such. */
void store_load(struct store *store, struct cache *cache);
/* One entry has changed. 0, or errno when the disk refuses for the first time. */
MUST_USE int store_append(struct store *store, struct cache *cache,
                          const struct cache_entry *entry);

#endif
