/* verify/cache - what is known of addresses, and for how long that counts. Bounded: the address
 * that was asked about longest ago goes. Pure but for memory: the caller supplies the clock.
 * Interface: cache_*(). Callers: verify/server, verify/store. */
#ifndef VERIFY_CACHE_H
#define VERIFY_CACHE_H

#include "base/list.h"
#include "base/map.h"
#include "record.h"

enum {
    CACHE_ENTRIES_MAX = 100000,
    CACHE_BYTES_MAX = 32 << 20,
    CACHE_PROBE_TTL_S = 1000 /* what was refreshed in vain is left alone that long */
};

/* address_verify_*_time, in seconds. */
struct cache_times {
    int64_t positive_expire_s, positive_refresh_s;
    int64_t negative_expire_s, negative_refresh_s;
    bool has_negative_cache;
};

struct cache_entry {
    struct map_node node;    /* by address, in lower case where case does not matter */
    struct list_link recent; /* in cache->recent, the latest last */
    struct list waiters;     /* the server's; an entry with some is never dropped */
    struct outcome outcome;  /* the reason is the entry's own */
    int64_t probed_s;        /* 0: never */
    int64_t updated_s;       /* 0: nothing is known */
    bool is_probing;         /* the server's: an answer will come */
    size_t size_bytes;
    char *reason;
    char address[];
};

struct cache {
    struct map entries;
    struct list recent;
    struct cache_times times;
    size_t size_bytes;
    size_t entries_max;
};

void cache_init(struct cache *cache, const struct cache_times *times, const uint8_t seed[16]);
void cache_destroy(struct cache *cache);

/* The entry of an address, made when there is none, and now the latest one. NULL when memory is
 * out. Others may be dropped for it. */
struct cache_entry *cache_get(struct cache *cache, struct span address);
/* Is anything known that still counts? */
MUST_USE bool cache_is_known(const struct cache *cache, const struct cache_entry *entry,
                             int64_t now_s);
/* Is it time to ask (again)? Both probed_s and is_probing are the caller's to set. */
MUST_USE bool cache_needs_probe(const struct cache *cache, const struct cache_entry *entry,
                                int64_t now_s);
/* A probe has ended. What is good stays good while it counts, whatever a later probe came to; and
 * without a negative cache a bad result is told and not kept. True when the entry has changed. */
bool cache_update(struct cache *cache, struct cache_entry *entry, const struct outcome *outcome,
                  int64_t now_s);
/* What the file said. */
void cache_restore(struct cache *cache, const struct verify_record *record);
/* As a line of the file. */
void cache_record(const struct cache_entry *entry, struct verify_record *record);
/* Forgets what has expired and nobody waits for. */
void cache_expire(struct cache *cache, int64_t now_s);

#endif
