/* mtasts/record - the TXT record with which a domain says that it has an MTA-STS policy, and which
 * (RFC 8461 section 3.1).
 * Interface: mtasts_record_is_id(), mtasts_record_parse(), mtasts_record_choose(). Pure; results
 * point into the input. Callers: stsd, the fuzzer. */
#ifndef MTASTS_RECORD_H
#define MTASTS_RECORD_H

#include "base/parse.h"
#include "base/span.h"

enum { MTASTS_ID_MAX_BYTES = 32 };

/* Could it be a policy's id: letters and digits, and not too many? */
MUST_USE bool mtasts_record_is_id(struct span text);

/* A whole record, its strings joined. On PARSE_OK *id is the policy's. */
MUST_USE enum parse_result mtasts_record_parse(struct span text, struct span *id);

/* The records of _mta-sts.DOMAIN: those of something else do not count, and of the others there
 * must be one. On PARSE_OK *id is its; PARSE_MALFORMED: the domain has no policy to be found. */
MUST_USE enum parse_result mtasts_record_choose(const struct span *texts, size_t count,
                                                struct span *id);

#endif
