/* smtp/authenticate - say to the server who we are (RFC 4954), where authd has a password for it.
 * authd runs the exchange and says what to send. Failing to authenticate ends the session: the next
 * host is tried, and mail waits, since a later attempt may go better.
 * Interface: authenticate(), authenticate_mark(). For tasks. Callers: smtp/greeting, smtp/delivery.
 */
#ifndef SMTP_AUTHENTICATE_H
#define SMTP_AUTHENTICATE_H

#include "connection.h"

/* After the answer to the last EHLO. True: we are who we can be here, maybe a stranger. False with
 * *failure filled. */
MUST_USE bool authenticate(struct connection *connection, struct arena *arena,
                           struct failure *failure);
/* Changes the mark by which connections are found that can be used again, so that nobody's mail
 * leaves under another's name: it may depend on the next hop, and on the sender where the settings
 * say so. Either may be empty. */
void authenticate_mark(const struct conf_smtp *settings, struct span destination,
                       struct span sender, uint8_t digest[TLS_WISH_DIGEST_BYTES]);

#endif
