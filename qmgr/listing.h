/* qmgr/listing - the queue page by page, for mailq and postqueue -p.
 * A cursor walks new/, the buckets by time, hold/ and corrupt/; a page reads a few dozen files, so
 * that the first line comes at once however long the queue is. */
#ifndef QMGR_LISTING_H
#define QMGR_LISTING_H

#include "message.h"

struct listing;

/* NULL when memory is out. */
struct listing *listing_create(struct qmgr *qmgr);
void listing_destroy(struct listing **listing);
/* From a task: appends QUEUE_ENTRY and QUEUE_ENTRY_RECIPIENT records, at most a packet's worth.
 * True at the end of the queue. */
bool listing_next_page(struct listing *listing, struct buffer *records);

#endif
