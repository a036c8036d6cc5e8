/* smtp/starttls - a session becomes one of TLS (RFC 3207), or must not go on.
 * Interface: starttls_negotiate(), starttls_wrap(). For tasks. Callers: smtp/greeting. */
#ifndef SMTP_STARTTLS_H
#define SMTP_STARTTLS_H

#include "connection.h"

enum starttls_result {
    STARTTLS_PLAIN, /* nothing has changed, and nothing has to */
    STARTTLS_DONE,  /* what the server said before is forgotten: it is to be greeted anew */
    STARTTLS_FAILED /* *failure says why */
};

/* After the answer to EHLO. */
MUST_USE enum starttls_result starttls_negotiate(struct connection *connection, struct arena *arena,
                                                 struct failure *failure);
/* Before the greeting, where the port is one of TLS (RFC 8314 section 3.3). */
MUST_USE bool starttls_wrap(struct connection *connection, struct arena *arena,
                            struct failure *failure);

#endif
