/* tests/fuzz/limit_snapshot - limitd's state file: any bytes, and the same with a checksum that
 * fits, so that the records are reached. */
#include <stdlib.h>

#include "../../limitd/snapshot.h"
#include "base/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { CAPACITY_BYTES = 100000 };

static const uint8_t seed[16] = "fuzz";

static void restore(struct span bytes)
{
    struct snapshot snapshot, again;
    struct counters counters;
    struct buffer encoded;
    if (snapshot_decode(bytes, &snapshot) != PARSE_OK)
        return;
    counters_init(&counters, seed, CAPACITY_BYTES);
    snapshot_restore(&snapshot, snapshot.time_us, 1000, &counters);
    ASSERT(counters.size_bytes <= CAPACITY_BYTES);
    ASSERT(counters.map.count <= snapshot.record_count);
    buffer_init(&encoded, NULL, CAPACITY_BYTES);
    snapshot_encode(&counters, true, 1, snapshot.time_us, 1000, &encoded);
    ASSERT(buffer_ok(&encoded));
    ASSERT(snapshot_decode(buffer_span(&encoded), &again) == PARSE_OK);
    buffer_release(&encoded);
    counters_destroy(&counters);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    restore(span_of(bytes, length));
    if (length < SNAPSHOT_HEADER_BYTES)
        return 0;
    uint8_t *copy = malloc(length);
    ASSERT(copy);
    memcpy(copy, bytes, length);
    snapshot_seal(copy, length);
    restore(span_of(copy, length));
    free(copy);
    return 0;
}
