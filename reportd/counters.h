/* reportd/counters - sessions counted by day, domain, policy and what they came to. Bounded: where
 * there are too many kinds of failure, what is beyond them is counted without its particulars, and
 * where there are too many domains or policies the rest is not counted. Pure but for memory.
 * Interface: counters_*(). Callers: reportd/server, reportd/document. */
#ifndef REPORTD_COUNTERS_H
#define REPORTD_COUNTERS_H

#include "base/list.h"
#include "base/map.h"
#include "line.h"

enum {
    COUNTERS_BYTES_MAX = 64 << 20,
    COUNTERS_POLICIES_MAX = 100, /* of a domain and day */
    COUNTERS_KINDS_MAX = 300,    /* of a policy: failures that differ in anything */
    COUNTERS_PLACES_MAX = 16     /* that have a day's report, however often the record changes */
};

/* Sessions of a policy that came to the same, or all that succeeded. */
struct counted_kind {
    struct list_link link;
    struct list_link unsaved_link; /* in counters->unsaved while unsaved_count is not 0 */
    struct counted_policy *policy;
    uint64_t count;
    uint64_t unsaved_count;
    struct session_line line; /* result, addresses, reason: its own copies */
    char texts[];
};

struct counted_policy {
    struct list_link link;
    struct counted_day *day;
    enum tlsrpt_policy_type type;
    struct span domain;
    struct span text;
    struct list kinds;
    char texts[];
};

/* Who needs a day's report no more: it has it, or never will. */
struct counted_place {
    struct list_link link;
    struct span uri;
    char text[];
};

/* A domain on one day: what becomes a report. */
struct counted_day {
    struct map_node node;
    struct list_link link; /* in counters->days, in the order of their making */
    struct list policies;
    struct list places; /* struct counted_place */
    size_t size_bytes;
    uint32_t day;
    struct span domain;
    /* The server's. */
    bool is_busy;
    int64_t due_s;           /* since 1970 */
    int64_t first_attempt_s; /* 0: none yet */
    uint32_t attempt_count;
    char key[];
};

struct counters {
    struct map map;
    struct list days;
    struct list unsaved;
    size_t size_bytes;
    uint64_t dropped_count; /* sessions that nobody counted */
};

void counters_init(struct counters *counters, const uint8_t seed[16]);
void counters_destroy(struct counters *counters);

/* Adds line->count sessions, which the journal knows or not. Sets *is_new where this is the first
 * of a day and domain. NULL when there is no room. */
struct counted_day *counters_add(struct counters *counters, const struct session_line *line,
                                 bool is_saved, bool *is_new);
/* NULL when there is none. */
MUST_USE struct counted_day *counters_find(const struct counters *counters, uint32_t day,
                                           struct span domain);
void counters_drop(struct counters *counters, struct counted_day *day);

/* False when there is no room. */
MUST_USE bool counters_add_place(struct counters *counters, struct counted_day *day,
                                 struct span uri);
/* Where there are as many places as are kept, any other counts as one of them. */
MUST_USE bool counters_has_place(const struct counted_day *day, struct span uri);

/* The whole count of a kind as a line, or with is_unsaved what the journal does not have. */
struct session_line counters_line(const struct counted_kind *kind, bool is_unsaved);
/* Everything that was not is in the journal. */
void counters_set_saved(struct counters *counters);

/* All kinds of all days, one after another: NULL at first, and at the end. */
MUST_USE struct counted_kind *counters_next(const struct counters *counters,
                                            const struct counted_kind *kind);

#endif
