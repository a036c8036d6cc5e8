/* limitd/store - the two state files, written in turns so that one of them is whole at any moment.
 * They are opened before the sandbox closes: nothing is opened afterwards.
 * Callers: limitd/main. */
#ifndef LIMITD_STORE_H
#define LIMITD_STORE_H

#include "counters.h"
#include "snapshot.h"
#include "system/pool.h"

enum { STORE_FILES = 2 };

struct store {
    int descriptors[STORE_FILES];
    struct pool *pool; /* a thread of its own waits for the disk */
    struct pool_job job;
    struct buffer bytes; /* being written */
    uint64_t serial;     /* of the last snapshot */
    size_t present;      /* which file has it */
    bool is_writing;
    int error; /* errno of the last attempt; 0 */
    void (*on_written)(struct store *store);
    void *context;
};

/* Opens "counters.0" and "counters.1" in the directory, making them if need be. 0, or -1 with
 * errno. */
MUST_USE int store_open(struct store *store, int directory);
/* The newest snapshot that is whole, restored into counters. False when there is content, and no
 * file of it is any good: then one begins anew. */
MUST_USE bool store_load(struct store *store, size_t capacity_bytes, uint64_t time_us,
                         int64_t now_ms, struct counters *counters);
/* Writes what is persistent, in a thread; on_written() is told of the end. Does nothing while the
 * last one is still being written. */
void store_save(struct store *store, const struct counters *counters);
/* Writes all that counts now, and waits for it. */
void store_save_all(struct store *store, const struct counters *counters);

#endif
