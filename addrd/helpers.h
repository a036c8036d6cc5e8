/* addrd/helpers - the dispatcher's side of the workers: who is free, who has died, who hangs.
 * A look-up takes a worker to itself. One table may not take them all, so that a slow one leaves
 * the others a way; who finds none free waits in line for as long as a look-up may take. A worker
 * that does not answer in time, or dies, is replaced, and its look-up is a temporary error.
 * Interface: helpers_start(), helpers_ask(). Callers: addrd/main, tests. */
#ifndef ADDRD_HELPERS_H
#define ADDRD_HELPERS_H

#include "ipc/channel.h"
#include "tables.h"

enum { HELPERS_MAX = 256 };

struct helper;
struct helpers {
    struct loop *loop;
    struct ipc_channel *nursery;
    struct helper *all;
    size_t count;
    size_t *busy_by_table; /* [table_count] */
    size_t table_count;
    struct list waiting;
    int64_t timeout_ms;
    /* Told when workers are replaced; may be NULL. */
    void (*report)(void *context, struct span text);
    void *report_context;
    void (*on_nursery_gone)(void *context); /* nothing can be replaced any more */
    void *context;
};

/* Takes the channel end from nursery_start() over. False when memory is out. */
MUST_USE bool helpers_start(struct helpers *helpers, struct loop *loop, int nursery_descriptor,
                            size_t count, size_t table_count, int64_t timeout_ms);
/* For tests; no task may wait. */
void helpers_stop(struct helpers *helpers);

/* From a task: the look-up, by a worker. Appends to *value, and on TABLE_ERROR to *reason. */
MUST_USE enum table_result helpers_ask(struct helpers *helpers, size_t table_number,
                                       struct span key, struct buffer *value,
                                       struct buffer *reason);

#endif
