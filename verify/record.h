/* verify/record - what is known of one address, as a line of the cache's file. Pure.
 * Callers: verify/store, the fuzzer. Format: man/verify.8. */
#ifndef VERIFY_RECORD_H
#define VERIFY_RECORD_H

#include "base/buffer.h"
#include "base/outcome.h"
#include "base/parse.h"

enum { VERIFY_ADDRESS_MAX_BYTES = 1024, VERIFY_REASON_MAX_BYTES = 512 };

struct verify_record {
    struct span address;
    struct outcome outcome; /* temporary: nobody could say */
    int64_t probed_s;       /* when it was last asked about */
    int64_t updated_s;      /* when the outcome came */
};

/* One line with its LF. Control characters become '?'; what is too long is cut. */
void verify_record_append(const struct verify_record *record, struct buffer *out);
/* A line without its LF; texts point into it. */
MUST_USE enum parse_result verify_record_parse(struct span line, struct verify_record *record);

#endif
