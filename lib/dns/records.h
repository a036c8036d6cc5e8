/* dns/records - a DNS answer's records in the form in which they travel from dnsd to its clients,
 * and lie in its cache: RECORDS of DNS_RECORD (ipc/schema.def).
 * Interface: dns_records_pack(), dns_records_unpack(). Pure. Callers: dns/client, dnsd. */
#ifndef DNS_RECORDS_H
#define DNS_RECORDS_H

#include "dnswire/answer.h"

/* What one channel message holds beside everything else. */
enum { DNS_RECORDS_MAX_BYTES = 49152 };

/* Appends the records. False when a name or a text is longer than the schema allows, or all of it
 * than DNS_RECORDS_MAX_BYTES. */
MUST_USE bool dns_records_pack(const struct dns_answer *answer, struct buffer *records);
/* Fills records and record_count of the answer; spans point into the packed bytes, the array is
 * the arena's. */
MUST_USE enum parse_result dns_records_unpack(struct span packed, struct arena *arena,
                                              struct dns_answer *answer);

#endif
