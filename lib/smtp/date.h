/* smtp/date - the date of a header field (RFC 5322 section 3.3).
 * Pure: the caller says what time it is and where. Callers: smtp/received, lib/dsn, pipe. */
#ifndef SMTP_DATE_H
#define SMTP_DATE_H

#include "base/buffer.h"
#include "base/parse.h"

/* "Sun, 22 Nov 2026 01:48:31 +0100 (CET)"; zone_name may be empty. offset_minutes: east of UTC. */
void smtp_date_append(struct buffer *output, int64_t unix_time_s, int offset_minutes,
                      struct span zone_name);
/* RFC 3339 section 5.6, in UTC: "2026-11-22T01:48:31Z". The parser takes a fraction of a second,
 * which it drops, and lower-case letters. */
void smtp_timestamp_append(struct buffer *output, int64_t unix_time_s);
MUST_USE enum parse_result smtp_timestamp_parse(struct span text, int64_t *unix_time_s);
/* As in the line between two messages of a mailbox file: "Sun Nov 22 01:48:31 2026". */
void smtp_date_append_mbox(struct buffer *output, int64_t unix_time_s, int offset_minutes);

#endif
