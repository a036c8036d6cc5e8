/* queuefile/id - the name of a message in the queue, in the look of Postfix's long queue ids.
 * Six or more symbols of seconds, four of microseconds, `z`, then 96 random bits in seventeen
 * symbols. The alphabet has no vowels, so that no word appears, and upper and lower case differ.
 * Times sort: ids made later compare greater, as bytes. */
#ifndef QUEUEFILE_ID_H
#define QUEUEFILE_ID_H

#include "base/span.h"

enum {
    QUEUE_ID_RANDOM_BYTES = 12,
    /* Eight symbols hold every second that fits into 64 bits of microseconds. */
    QUEUE_ID_MAX_BYTES = 8 + 4 + 1 + 17
};

/* Writes the id and a NUL; returns its length. */
size_t queue_id_make(uint64_t time_us, const uint8_t random[QUEUE_ID_RANDOM_BYTES],
                     char out[QUEUE_ID_MAX_BYTES + 1]);
/* Exactly what queue_id_make() can write. A valid id is safe as a file name: no dot, no slash. */
MUST_USE bool queue_id_is_valid(struct span id);
/* Could be an id, of another mail system at least: letters, digits and underscores. */
MUST_USE bool queue_id_is_name(struct span text);
/* The random bits that it was made of. False, leaving them alone, when it is not valid. */
MUST_USE bool queue_id_random(struct span id, uint8_t random[QUEUE_ID_RANDOM_BYTES]);
/* When the id was made. False, leaving *time_us alone, when it is not valid. */
MUST_USE bool queue_id_time(struct span id, uint64_t *time_us);

#endif
