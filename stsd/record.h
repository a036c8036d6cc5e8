/* stsd/record - a cached policy as a line of the cache's file. Pure.
 * Callers: stsd/cache, the fuzzer. Format: man/stsd.8. */
#ifndef STSD_RECORD_H
#define STSD_RECORD_H

#include "mtasts/policy.h"

struct sts_record {
    struct span domain;
    struct span id;
    int64_t fetched_s; /* since 1970 */
    int64_t asked_s;
    struct span policy; /* as mtasts_policy_append() writes it */
};

/* One line with its LF. */
void sts_record_append(const struct sts_record *record, struct buffer *out);
/* A line without its LF. The policy is written to text, which must have room for
 * MTASTS_POLICY_MAX_BYTES; the others point into the line. */
MUST_USE enum parse_result sts_record_parse(struct span line, struct buffer *text,
                                            struct sts_record *record);

#endif
