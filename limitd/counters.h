/* limitd/counters - counts by kind and key, in windows of time, and what is held open at the
 * moment. A window is the time unit that begins with the first event after the last window; a fact
 * that is to be remembered is a count with the window it holds for.
 * Pure: the caller supplies the clock. Bounded in bytes; where room is needed it is made by the
 * kind that has the most, of the entries that were used longest ago, never one that somebody holds:
 * a million addresses drive out each other, not what is known of users and senders. Callers:
 * limitd/serve, limitd/snapshot. */
#ifndef LIMITD_COUNTERS_H
#define LIMITD_COUNTERS_H

#include "base/list.h"
#include "base/map.h"
#include "limit/kind.h"

enum { COUNTER_KEY_MAX_BYTES = 1280 }; /* a service's name, a mail address */

struct counter {
    struct map_node node;
    struct list_link link; /* idle or held */
    int64_t began_ms;      /* of the window */
    int64_t window_ms;     /* its length */
    uint32_t count;        /* events in it */
    uint32_t held_count;
    enum limit_kind kind;
    struct span name; /* without the kind */
    uint8_t key[];    /* the kind's byte, the name */
};

struct counters {
    struct map map;
    struct list idle[LIMIT_KIND_COUNT]; /* that nobody holds, used longest ago first */
    struct list held;
    size_t kind_bytes[LIMIT_KIND_COUNT];
    size_t size_bytes; /* of all kinds */
    size_t capacity_bytes;
};

/* The seed must be unpredictable: clients choose keys. */
void counters_init(struct counters *counters, const uint8_t seed[16], size_t capacity_bytes);
void counters_destroy(struct counters *counters);

/* NULL when there is none. Its window may be over. */
MUST_USE struct counter *counters_find(struct counters *counters, enum limit_kind kind,
                                       struct span name);
/* Finds or makes it. NULL when the name is too long, or there is no room. */
MUST_USE struct counter *counters_get(struct counters *counters, enum limit_kind kind,
                                      struct span name, int64_t now_ms);
/* So many events in the window that holds now. */
MUST_USE uint32_t counter_count(const struct counter *counter, int64_t now_ms);
/* Adds events, in a new window if the last one is over. */
void counter_add(struct counter *counter, uint32_t amount, int64_t window_ms, int64_t now_ms);
/* One count, for a window that begins now. */
void counter_set(struct counter *counter, uint32_t count, int64_t window_ms, int64_t now_ms);
/* held_count says how many hold it. What nobody holds may go when room is needed. False: it is held
 * more often than can be counted. */
MUST_USE bool counters_hold(struct counters *counters, struct counter *counter);
void counters_release(struct counters *counters, struct counter *counter);
/* Forgets those whose window is over and which nobody holds. */
void counters_expire(struct counters *counters, int64_t now_ms);

#endif
