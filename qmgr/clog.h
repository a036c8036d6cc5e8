/* qmgr/clog - whether one destination's mail fills the active set, and what is said of it. Pure.
 * Callers: qmgr/destination. */
#ifndef QMGR_CLOG_H
#define QMGR_CLOG_H

#include "base/buffer.h"
#include "base/compiler.h"

struct clog {
    const char *destination, *transport;
    size_t waiting_count;   /* recipients */
    size_t in_flight_count; /* deliveries, each of one recipient or more */
    size_t total_count;     /* recipients of all mail in memory */
    const char *limit;      /* the parameter that lets no more in */
};

/* It has four fifths of all, or more. */
MUST_USE bool clog_is_one(const struct clog *clog);
void clog_append_text(const struct clog *clog, struct buffer *text);

#endif
