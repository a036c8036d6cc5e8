/* master/repair - channels that have closed between two processes that live, and when they get
 * another. Both ends of a quarrel tell of it; a word that stands alone may be a lie: whoever has
 * been taken over could have channels made without end, each of which costs the other end a
 * descriptor, or a process. So it is believed, but each time the wait is twice as long.
 * Bounded by the pairs of living processes, and pure but for memory. Callers: master/fleet. */
#ifndef MASTER_REPAIR_H
#define MASTER_REPAIR_H

#include <stdint.h>

#include "base/list.h"

enum { REPAIR_MS = 1000, REPAIR_DOUBLINGS_MAX = 12 };

struct repair {
    struct list_link link;
    uint32_t client, server; /* process numbers */
    bool is_told_by_client, is_told_by_server;
    unsigned lone_count; /* of channels that were made on one end's word */
    uint32_t channel;    /* the number of the last that was made */
    int64_t due_ms;      /* CLOCK_NEVER: no channel is missing */
};

struct repairs {
    struct list list;
};

void repairs_init(struct repairs *repairs);
void repairs_destroy(struct repairs *repairs);
/* The channel of that number has closed, says one end. Both are alive. One that has been replaced
 * is not missed: its other end was late to see it, or closed it for the new one. */
void repairs_tell(struct repairs *repairs, uint32_t client, uint32_t server, uint32_t channel,
                  bool says_server, int64_t now_ms);
/* There should be one, and it could not be made. */
void repairs_want(struct repairs *repairs, uint32_t client, uint32_t server, int64_t now_ms);
/* One that is to be made now; NULL: none. */
MUST_USE struct repair *repairs_next_due(struct repairs *repairs, int64_t now_ms);
/* It has been made, and has that number; or there is a reason to wait a little longer. */
void repair_made(struct repair *repair, uint32_t channel);
void repair_put_off(struct repair *repair, int64_t now_ms);
/* A process has gone, and its pairs with it. */
void repairs_forget(struct repairs *repairs, uint32_t number);
/* When the next one is due; CLOCK_NEVER: none. */
MUST_USE int64_t repairs_due_ms(const struct repairs *repairs);

#endif
