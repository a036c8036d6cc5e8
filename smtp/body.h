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

MUST_USE enum body_result body_send(const struct delivery *delivery, struct connection *connection,
                                    struct span *end, struct arena *arena, struct failure *failure);

#endif
