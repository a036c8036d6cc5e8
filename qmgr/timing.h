/* qmgr/timing - what senders say of the time of a message: not before (FUTURERELEASE, RFC 4865),
 * and not after (DELIVERBY, RFC 2852). Callers: message, report, warn, write. */
#ifndef QMGR_TIMING_H
#define QMGR_TIMING_H

#include "message.h"

/* It is not to be delivered yet. */
MUST_USE bool timing_is_early(const struct message *message);
/* Its time to be delivered is over; and it is not wanted any more, which nobody believes whose
 * clock was set a short while ago. */
MUST_USE bool timing_is_late(const struct message *message);
MUST_USE bool timing_is_over(const struct message *message);
/* From when on it is in the queue to be delivered: what ages, ages from then on. */
MUST_USE uint64_t timing_birth_us(const struct message *message);
/* When it has to be looked at again, which is to be then otherwise. */
MUST_USE uint64_t timing_next_us(const struct message *message, uint64_t now_us, uint64_t next_us);
/* With BY= the sender wants to hear of relays (RFC 2852 section 4.1.4); the agent knows of which.
 */
MUST_USE bool timing_reports_relay(const struct message *message, uint32_t index);
/* A line that says until when it is held. */
void timing_log_hold(const struct message *message);
/* What a recipient gets for an outcome whose time is over. */
struct outcome timing_outcome(enum outcome_kind kind);

#endif
