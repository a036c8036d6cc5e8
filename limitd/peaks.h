/* limitd/peaks - the highest figures since the last report, as Postfix's anvil logs them:
 *   statistics: max connection rate N/60s for (SERVICE:ADDRESS) at Mon DD HH:MM:SS
 *   statistics: max connection count N for (SERVICE:ADDRESS) at ...
 *   statistics: max cache size N at ...
 * Pure but for the time zone. Callers: limitd/serve. */
#ifndef LIMITD_PEAKS_H
#define LIMITD_PEAKS_H

#include <time.h>

#include "base/buffer.h"
#include "counters.h"

struct peak {
    uint32_t value; /* 0: none */
    time_t when;
    size_t name_length;
    uint8_t name[COUNTER_KEY_MAX_BYTES];
};

struct peaks {
    struct peak rates[LIMIT_KIND_COUNT];
    struct peak connections;
    size_t cache_size;
    time_t cache_time;
};

void peaks_note_rate(struct peaks *peaks, enum limit_kind kind, struct span name, uint32_t count,
                     time_t now);
void peaks_note_connections(struct peaks *peaks, struct span name, uint32_t count, time_t now);
void peaks_note_cache(struct peaks *peaks, size_t size, time_t now);
/* Calls say with each line, in Postfix's order, and starts over. */
void peaks_report(struct peaks *peaks, int64_t time_unit_s,
                  void (*say)(void *context, struct span line), void *context);

#endif
