/* logd/order - lines of many processes, in the order in which things happened.
 * Each process sends its lines in batches of its own time; the delivery of a message would stand
 * before its arrival. So lines wait here for a little longer than a batch may be old, and leave
 * sorted by the time at which they were written. */
#ifndef LOGD_ORDER_H
#define LOGD_ORDER_H

#include "destination.h"

struct log_order_line;

struct log_order {
    struct log_destination *destination;
    struct loop_timer timer;
    struct log_order_line *lines;
    size_t line_count, line_capacity;
    struct buffer texts; /* tags and texts of the lines */
};

void log_order_init(struct log_order *order, struct loop *loop,
                    struct log_destination *destination);
void log_order_release(struct log_order *order);
/* Copies all of it. Without memory the line goes on at once. */
void log_order_put(struct log_order *order, const struct log_source *source,
                   const struct log_record *record);
/* Hands everything on. */
void log_order_flush(struct log_order *order);

#endif
