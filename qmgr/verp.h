/* qmgr/verp - messages with VERP: each recipient is a delivery of its own, with a reverse-path that
 * is made for it, and so is the report on its failure. What is asked about the message as a whole,
 * and the log, keep the sender that it has in the queue. Callers: deliver, report, schedule. */
#ifndef QMGR_VERP_H
#define QMGR_VERP_H

#include "message.h"

MUST_USE bool verp_is_wanted(const struct message *message);
/* Each failure has a report of its own. */
MUST_USE bool verp_reports_apart(const struct message *message);
/* The header record of the envelope, as an agent gets it for this recipient. False: it cannot be
 * made, and *outcome says whether it ever can. */
MUST_USE bool verp_append_header(const struct message *message, uint32_t index, struct buffer *out,
                                 struct outcome *outcome);
/* To whom the failure of this recipient is told, from the arena; empty: to the sender of the
 * message, since nothing could be sent to the address made of them. */
MUST_USE struct span verp_report_address(const struct message *message, uint32_t index,
                                         struct arena *arena);

#endif
