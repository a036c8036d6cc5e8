/* smtp/body - the message's content, from its descriptor to the server.
 * The digest of each extent is compared as it is read; a piece that does not match must never be
 * taken for a message, so the dot that ends the content is the caller's, after BODY_SENT.
 * For tasks. Callers: smtp/transaction. */
#ifndef SMTP_BODY_H
#define SMTP_BODY_H

#include "delivery.h"

enum body_result {
    BODY_SENT,       /* all of it is written or waits to leave; *end is what ends it */
    BODY_LOST,       /* the connection is gone: *failure is filled */
    BODY_UNREADABLE, /* the file cannot be read */
    BODY_CORRUPT     /* it is not what intake wrote */
};

/* Bytes of the content as it leaves, before any conversion that the server asks for. */
MUST_USE uint64_t body_size(const struct delivery *delivery);

/* Content that leaves with the envelope: the server's whole window, and what is sent in vain when
 * it takes nobody. */
enum { BODY_CHUNK_MAX_BYTES = 65536 };

/* It is as small and goes as it is. */
MUST_USE bool body_fits_chunk(const struct delivery *delivery, const struct connection *connection);
/* All of it, found whole, into the buffer. The buffer stays empty where BDAT would not do: content
 * without a line end at its end, which servers treat as they like. */
MUST_USE enum body_result body_load_chunk(const struct delivery *delivery, struct buffer *chunk);

MUST_USE enum body_result body_send(const struct delivery *delivery, struct connection *connection,
                                    struct span *end, struct arena *arena, struct failure *failure);

#endif
