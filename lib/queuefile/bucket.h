/* queuefile/bucket - directories of deferred messages, named for when they are due.
 * A bucket holds what is due within the same 32 seconds; its name is eight lower-case hexadecimal
 * digits of seconds / 32, so that names sort as times do. */
#ifndef QUEUEFILE_BUCKET_H
#define QUEUEFILE_BUCKET_H

#include "base/span.h"

enum { QUEUE_BUCKET_NAME_BYTES = 8, QUEUE_BUCKET_SECONDS = 32 };

/* The bucket of a time; a time past the last bucket goes into the last. */
MUST_USE uint32_t queue_bucket_of_time(uint64_t time_us);
/* The first microsecond of a bucket. */
MUST_USE uint64_t queue_bucket_time(uint32_t bucket);
/* Writes the name and a NUL. */
void queue_bucket_name(uint32_t bucket, char out[QUEUE_BUCKET_NAME_BYTES + 1]);
/* False, leaving *bucket alone, unless the name is one that queue_bucket_name() writes. */
MUST_USE bool queue_bucket_parse(struct span name, uint32_t *bucket);

#endif
