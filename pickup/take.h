/* pickup/take - one dropped file into the queue. Callers: spool, from a task. */
#ifndef PICKUP_TAKE_H
#define PICKUP_TAKE_H

#include "pickup.h"

enum take_result {
    TAKE_DONE,  /* in the queue, or set aside: the file is gone */
    TAKE_LATER, /* left where it is */
};

/* What goes wrong is logged. */
enum take_result take_in(struct pickup *pickup, struct span queue_id);
/* The queue has the message already: the file goes. */
void take_away(struct pickup *pickup, struct span queue_id);

/* master says what killed a pickup twice: a file of which that is true is set aside. */
void take_note_poison(struct pickup *pickup, struct span work);

#endif
