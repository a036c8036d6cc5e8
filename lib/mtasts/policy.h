/* mtasts/policy - the policy that a domain serves by HTTPS: which hosts may take its mail, how
 * strictly that is meant, and for how long (RFC 8461 section 3.2).
 * Interface: mtasts_policy_parse(), mtasts_policy_matches(), mtasts_policy_append(). Pure.
 * Callers: stsd, lib/sts, reportd, the fuzzer. */
#ifndef MTASTS_POLICY_H
#define MTASTS_POLICY_H

#include "base/buffer.h"
#include "base/parse.h"

enum {
    MTASTS_BODY_MAX_BYTES = 65536,   /* of what is served; RFC 8461 section 3.3 */
    MTASTS_POLICY_MAX_BYTES = 49152, /* of what mtasts_policy_append() makes of it */
    MTASTS_MAX_AGE_S = 31557600,
    MTASTS_PATTERN_MAX_BYTES = 255
};

enum mtasts_mode { MTASTS_NONE, MTASTS_TESTING, MTASTS_ENFORCE };

struct mtasts_policy {
    enum mtasts_mode mode;
    uint32_t max_age_s;
    size_t pattern_count;
    struct span text; /* what was parsed; the patterns are in it */
};

/* A whole body. Fields that nobody knows are passed over, of repeated ones the first counts; a
 * life of more than the permitted year is that year, and lines without anything are no matter.
 * PARSE_MALFORMED for the rest that is not in the grammar, PARSE_TOO_LONG past the limits above. */
MUST_USE enum parse_result mtasts_policy_parse(struct span body, struct mtasts_policy *policy);

/* May this host (its name in the MX record, A-labels, final dot or none) take mail of the domain
 * (section 4.1)? A policy of mode none permits all. */
MUST_USE bool mtasts_policy_matches(const struct mtasts_policy *policy, struct span host);

/* The next pattern off *rest, which begins as policy->text. False when none is left. */
MUST_USE bool mtasts_policy_next_pattern(struct span *rest, struct span *pattern);

/* What counts of it, a field a line with LF behind each: parses as the same policy. At most
 * MTASTS_POLICY_MAX_BYTES. */
void mtasts_policy_append(const struct mtasts_policy *policy, struct buffer *out);

/* "none", "testing", "enforce". */
MUST_USE const char *mtasts_mode_name(enum mtasts_mode mode);

#endif
