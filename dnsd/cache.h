/* dnsd/cache - answers remembered for as long as they hold, for all who ask.
 * Interface: dns_cache_find(), dns_cache_store(). Pure: the caller supplies the clock.
 * Callers: dnsd/lookup. Bounded in bytes; the longest unused go first. */
#ifndef DNSD_CACHE_H
#define DNSD_CACHE_H

#include "base/list.h"
#include "base/map.h"
#include "dnswire/answer.h"

enum {
    /* Long enough to spare a struggling resolver the same question from every recipient of a
     * message, short enough that nobody waits for it (RFC 2308 section 7 allows five minutes). */
    DNS_CACHE_TEMPORARY_S = 3,
    DNS_CACHE_KEY_MAX_BYTES = DNS_NAME_MAX_BYTES + 2
};

struct dns_cache_limits {
    size_t size_bytes;
    uint32_t found_max_s;
    uint32_t absent_max_s;
};

struct dns_cache {
    struct map entries;
    struct list by_use; /* longest unused first */
    struct dns_cache_limits limits;
    size_t size_bytes;
};

/* An answer, its records in the form of dns/records. */
struct dns_cache_entry {
    struct map_node node;
    struct list_link link;
    int64_t expires_ms;
    size_t size_bytes;
    enum dns_status status;
    enum dns_failure failure;
    bool is_authenticated;
    struct span canonical_name;
    struct span records;
    uint8_t bytes[]; /* key, canonical name, records */
};

/* The seed must be unpredictable: peers choose the names. */
void dns_cache_init(struct dns_cache *cache, const uint8_t seed[16],
                    struct dns_cache_limits limits);
void dns_cache_destroy(struct dns_cache *cache);

/* What identifies a question, in cache and among those in flight. Returns the length. */
size_t dns_cache_key(const struct dns_question *question, uint8_t key[DNS_CACHE_KEY_MAX_BYTES]);

/* NULL when nothing is known (any more). The entry stays valid until the next call that changes
 * the cache. */
MUST_USE const struct dns_cache_entry *
dns_cache_find(struct dns_cache *cache, const struct dns_question *question, int64_t now_ms);
/* Whole seconds for which an entry still holds. */
MUST_USE uint32_t dns_cache_ttl_s(const struct dns_cache_entry *entry, int64_t now_ms);
/* Remembers an answer if it may be remembered; it replaces an older one. */
void dns_cache_store(struct dns_cache *cache, const struct dns_question *question,
                     const struct dns_answer *answer, struct span records, int64_t now_ms);

#endif
