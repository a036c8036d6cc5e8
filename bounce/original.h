/* bounce/original - the message that is reported on: read through a descriptor that qmgr opened.
 * Reads in pieces with pread(), checking each extent that is read as a whole against its digest. */
#ifndef BOUNCE_ORIGINAL_H
#define BOUNCE_ORIGINAL_H

#include "queuefile/preamble.h"

struct original {
    int descriptor;
    struct queue_extent extents[QUEUE_EXTENT_MAX];
    size_t extent_count;
    uint64_t size_bytes;
};

/* extents: as queue_extents_encode() wrote them. False when they are malformed. */
MUST_USE bool original_init(struct original *original, int descriptor, struct span extents);
/* The header fields, from the first limit_bytes at most, without the empty line behind them. On
 * false errno says why. */
MUST_USE bool original_read_header(const struct original *original, size_t limit_bytes,
                                   struct buffer *header);
/* Hands the whole content out in pieces. False when it cannot be read, or is not what its digests
 * say: errno is then EBADMSG. */
MUST_USE bool original_read(const struct original *original,
                            void (*take)(void *context, struct span piece), void *context);

#endif
