/* smtp/envelope - the commands of a mail transaction, with the parameters that the server knows.
 * Callers: smtp/transaction. */
#ifndef SMTP_ENVELOPE_H
#define SMTP_ENVELOPE_H

#include "delivery.h"

/* XFORWARD commands that this server gets of this message: 0 to ENVELOPE_XFORWARD_MAX. */
enum { ENVELOPE_XFORWARD_MAX = 2 };
size_t envelope_plan_xforward(const struct delivery *delivery, const struct connection *connection,
                              enum connection_stage stages[ENVELOPE_XFORWARD_MAX]);
void envelope_write_xforward(const struct delivery *delivery, struct connection *connection,
                             enum connection_stage stage);

/* RFC 2852 section 4.1.4: seconds until it is to be delivered, negative ones when that is over. */
MUST_USE int64_t envelope_remaining_s(const struct queue_envelope *envelope, uint64_t now_us);

void envelope_write_mail(const struct delivery *delivery, struct connection *connection,
                         struct span reverse_path, bool needs_smtputf8);
void envelope_write_rcpt(const struct delivery *delivery, struct connection *connection,
                         const struct delivery_recipient *recipient);

#endif
