/* smtp/transaction - one mail transaction (RFC 5321 section 3.3): MAIL, RCPT, DATA, content; where
 * the server has PIPELINING (RFC 2920) all commands leave in one write.
 * Results go to smtp/delivery. For tasks. Callers: smtp/delivery. */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include "delivery.h"

/* Offers every recipient that has no result yet. Afterwards connection->is_usable says whether the
 * connection can be used again; it may need connection_reset() for that. *was_lost_unused: the
 * connection, kept from an earlier delivery, was gone before the server said anything; nothing has
 * been noted against anybody. */
void transaction_run(struct delivery *delivery, struct connection *connection,
                     bool *was_lost_unused);

#endif
