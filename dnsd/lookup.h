/* dnsd/lookup - one answer for everybody who asks the same at the same time.
 * Interface: lookups_ask(). From the cache where it knows; otherwise the first asker's question
 * goes out and later ones wait with it. Callers: dnsd/main. */
#ifndef DNSD_LOOKUP_H
#define DNSD_LOOKUP_H

#include "cache.h"

enum { LOOKUP_WAITERS_MAX = 20000 };

/* How questions leave: dnsd/resolver, or a test. Answers that are never given are forgotten. */
struct lookup_source {
    bool (*ask)(void *context, const struct dns_question *question,
                void (*done)(void *lookup, const struct dns_answer *answer), void *lookup);
    void *context;
};

/* What an asker gets; its spans live until the callback returns. */
struct lookup_result {
    enum dns_status status;
    enum dns_failure failure;
    bool is_authenticated;
    uint32_t ttl_s;
    struct span canonical_name;
    struct span records; /* in the form of dns/records */
};

struct lookups {
    struct dns_cache cache;
    struct map in_flight;
    struct lookup_source source;
    size_t waiter_count;
    struct {
        uint64_t asked, from_cache, joined, sent;
    } counters;
};

struct lookup_waiter {
    struct list_link link; /* linked while it waits; zero it before the first use */
    struct lookups *lookups;
    struct list *companions; /* the list that link is on */
    void (*done)(struct lookup_waiter *waiter, const struct lookup_result *result);
};

void lookups_init(struct lookups *lookups, const uint8_t seed[16], struct dns_cache_limits limits,
                  struct lookup_source source);
/* Whoever still waits is forgotten. The source must not answer any more. */
void lookups_destroy(struct lookups *lookups);

/* Calls done exactly once, perhaps before this returns; the waiter is the caller's again then. */
void lookups_ask(struct lookups *lookups, const struct dns_question *question, int64_t now_ms,
                 struct lookup_waiter *waiter);
/* The asker has gone: done will not be called. Harmless for one who has had the answer. */
void lookups_cancel(struct lookup_waiter *waiter);

#endif
