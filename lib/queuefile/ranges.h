/* queuefile/ranges - recipients of a message, by index, as text: "0-49,52".
 * Indexes grow, and ranges that touch are one: there is a single text for each set. Pure.
 * Callers: bounce (writes whom a report is about), qmgr (reads it after a crash). */
#ifndef QUEUEFILE_RANGES_H
#define QUEUEFILE_RANGES_H

#include "base/buffer.h"
#include "base/parse.h"

enum {
    QUEUE_RANGES_MAX = 256,                                       /* in one text */
    QUEUE_RANGES_MAX_BYTES = QUEUE_RANGES_MAX * (10 + 1 + 10 + 1) /* first, -, last, comma */
};

struct queue_range {
    uint32_t first, last;
};

/* One text in the making, or being read; begins zeroed. */
struct queue_ranges {
    struct queue_range range; /* the last one */
    size_t count;
};

/* Takes the next index up. False when it does not come after all others, or when there would be
 * more than QUEUE_RANGES_MAX. A range is written when the next one begins. */
MUST_USE bool queue_ranges_add(struct queue_ranges *ranges, uint32_t index, struct buffer *out);
/* Writes the last one. */
void queue_ranges_finish(const struct queue_ranges *ranges, struct buffer *out);

/* The next range of *rest, which is not empty, goes to ranges->range. Anything but PARSE_OK leaves
 * *rest alone. */
MUST_USE enum parse_result queue_ranges_next(struct span *rest, struct queue_ranges *ranges);

#endif
