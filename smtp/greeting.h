/* smtp/greeting - the beginning of a session: greeting, EHLO or HELO or LHLO, what the server can.
 * Interface: greeting_exchange(). For tasks. Callers: smtp/connection. */
#ifndef SMTP_GREETING_H
#define SMTP_GREETING_H

#include "connection.h"

/* False, with *failure filled, when the server does not want to talk or is lost. */
MUST_USE bool greeting_exchange(struct connection *connection, struct arena *arena,
                                struct failure *failure);

#endif
