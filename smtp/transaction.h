/* smtp/transaction - one mail transaction (RFC 5321 section 3.3): XFORWARD, MAIL, RCPT, DATA,
 * content; where the server has PIPELINING (RFC 2920) all commands leave in one write, and small
 * content with them where it has CHUNKING (RFC 3030). LMTP (RFC 2033) is the same with a reply for
 * each recipient at the end.
 * Results go to smtp/delivery. For tasks. Callers: smtp/delivery. */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include "delivery.h"

/* Offers every recipient that has no result yet, in as many transactions as the server wants it
 * (RFC 5321 section 4.5.3.1.10, RFC 9422), as long as each delivers to somebody. Afterwards
 * connection->is_usable says whether the connection can be used again; it may need
 * connection_reset() for that. *was_lost_unused: the connection, kept from an earlier delivery, was
 * gone before the server said anything; nothing has been noted against anybody.
 * True when the server wants the rest over another connection. */
MUST_USE bool transaction_run(struct delivery *delivery, struct connection *connection,
                              bool *was_lost_unused);

#endif
