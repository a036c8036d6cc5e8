/* qmgr/warn - reports on what is not over: the delay of mail, and the first attempt where sendmail
 * asked for it (-bv, -v). Who was told stands in the journal, so that nobody is told twice.
 * Callers: message, report, write. */
#ifndef QMGR_WARN_H
#define QMGR_WARN_H

#include "message.h"

/* The message has waited for delay_warning_time, and a recipient's sender has yet to be told. */
MUST_USE bool warn_is_due(struct message *message);
/* sendmail -bv or -v, and the report on the first attempt is not made. */
MUST_USE bool warn_traces(struct message *message);
/* Is a report of this kind (DSN_DELAY, DSN_VERIFY) to tell of this recipient? */
MUST_USE bool warn_concerns(const struct message *message, uint32_t index, enum dsn_kind kind);
/* A success is to be reported: asked for, or the delay was reported and confirm_delay_cleared. */
MUST_USE bool warn_reports_success(const struct message *message, uint32_t index);
/* The report is in the queue: this recipient's sender has been told. */
void warn_note(struct message *message, uint32_t index, enum dsn_kind kind);
/* What warn_note() noted since the last write, for the journal. */
void warn_append_records(struct message *message, struct buffer *journal);
/* A record of an earlier write. */
void warn_take_record(struct message *message, const struct queue_record *record);

#endif
