/* stsd/cache - what is known of the policies of domains, and for how long that counts (RFC 8461
 * sections 3.3 and 5.1). Bounded: domains without a policy go first, then those asked about longest
 * ago. Pure but for memory: the caller supplies the clock, in seconds since 1970.
 * Interface: cache_*(). Callers: stsd/server. */
#ifndef STSD_CACHE_H
#define STSD_CACHE_H

#include "base/list.h"
#include "base/map.h"
#include "mtasts/record.h"
#include "record.h"
#include "tlsrpt/result.h"

enum {
    CACHE_ENTRIES_MAX = 200000,
    CACHE_BYTES_MAX = 64 << 20,
    CACHE_REASON_MAX_BYTES = 200,
    /* What nobody asks about any more is not fetched again. */
    CACHE_IDLE_S = 31 * 24 * 3600
};

struct cache_times {
    int64_t check_s;    /* mta_sts_check_time */
    int64_t refresh_s;  /* mta_sts_refresh_time */
    int64_t negative_s; /* mta_sts_negative_time */
};

struct cache_entry {
    struct map_node node;    /* by domain, in lower case */
    struct list_link recent; /* in one of the cache's lists, the latest last */
    struct list waiters;     /* the server's; an entry with some is never dropped */
    bool is_busy;            /* the server's: it is being found out, and is never dropped */
    bool is_unknown;         /* the last look came to nothing, by trouble of our own */
    int64_t asked_s;
    int64_t checked_s; /* when DNS was last asked; 0: never */
    int64_t failed_s;  /* when the policy of failed_id could not be had; 0: no such failure */
    char failed_id[MTASTS_ID_MAX_BYTES + 1];
    enum tlsrpt_result failure;              /* of the last look; TLSRPT_SUCCESS: none */
    char reason[CACHE_REASON_MAX_BYTES + 1]; /* of that, or of our trouble */
    char *policy;                            /* NULL: there is none */
    size_t policy_length;
    enum mtasts_mode mode;
    uint32_t max_age_s;
    int64_t fetched_s;
    char id[MTASTS_ID_MAX_BYTES + 1];
    size_t size_bytes;
    char domain[];
};

struct cache {
    struct map entries;
    struct list with_policy, without_policy;
    struct cache_times times;
    size_t size_bytes;
    size_t entries_max;
};

void cache_init(struct cache *cache, const struct cache_times *times, const uint8_t seed[16]);
void cache_destroy(struct cache *cache);

/* The entry of a domain, made when there is none, and now the latest one. NULL when memory is out.
 * Others may be dropped for it. */
struct cache_entry *cache_get(struct cache *cache, struct span domain);

/* The policy that counts; empty when there is none. */
MUST_USE struct span cache_policy(const struct cache_entry *entry, int64_t now_s);
/* Is DNS to be asked (again)? */
MUST_USE bool cache_is_check_due(const struct cache *cache, const struct cache_entry *entry,
                                 int64_t now_s);
/* DNS has said that the policy has this id: is it to be fetched? */
MUST_USE bool cache_is_fetch_due(const struct cache *cache, const struct cache_entry *entry,
                                 struct span id, int64_t now_s);
/* Is it one that is to be looked after although nobody asks? */
MUST_USE bool cache_is_refresh_due(const struct cache *cache, const struct cache_entry *entry,
                                   int64_t now_s);

/* A policy has been fetched. False when memory is out, and nothing has changed. */
MUST_USE bool cache_set_policy(struct cache *cache, struct cache_entry *entry, struct span id,
                               const struct mtasts_policy *policy, int64_t now_s);
/* One could not be had: what is there counts on. */
void cache_set_failure(struct cache_entry *entry, struct span id, enum tlsrpt_result failure,
                       struct span reason, int64_t now_s);
/* All is well, or there is nothing to be had. */
/* The last look came to nothing, and it is not the domain's fault: what was known of it stays. */
void cache_set_unknown(struct cache_entry *entry, struct span reason);
void cache_clear_failure(struct cache_entry *entry);

void cache_restore(struct cache *cache, const struct sts_record *record, int64_t now_s);
void cache_record(const struct cache_entry *entry, struct sts_record *record);
/* Policies that count no more go, and so does what nobody asks about. What lies in the future
 * counts from now on. */
void cache_expire(struct cache *cache, int64_t now_s);

#endif
