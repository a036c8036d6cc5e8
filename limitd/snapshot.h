/* limitd/snapshot - the counters as bytes, for the state files, and back.
 *   header  magic "PHLIMIT1", serial (8), time (8, microseconds since 1970), length of the records
 *           (4), their number (4), checksum over all of that and the records (8)
 *   record  kind (1), length of the name (2), age of the window (8, ms), its length (8, ms),
 *           count (4), name
 * Numbers are big-endian. There are two files, written in turns: the one with the higher serial
 * counts, and one that was damaged, or cut short by a crash, leaves the other.
 * Pure. Callers: limitd/store, the fuzzer. */
#ifndef LIMITD_SNAPSHOT_H
#define LIMITD_SNAPSHOT_H

#include "base/buffer.h"
#include "base/parse.h"
#include "counters.h"

enum { SNAPSHOT_HEADER_BYTES = 40, SNAPSHOT_RECORD_BYTES = 23 };

struct snapshot {
    uint64_t serial;
    uint64_t time_us;
    uint32_t record_count;
    struct span records;
};

/* Appends header and records of what is persistent, or with is_whole of all that counts now. */
void snapshot_encode(const struct counters *counters, bool is_whole, uint64_t serial,
                     uint64_t time_us, int64_t now_ms, struct buffer *bytes);
/* Makes length and checksum in the header right for the records behind it. */
void snapshot_seal(uint8_t *bytes, size_t length);
/* PARSE_OK only when every byte is as it was written. */
MUST_USE enum parse_result snapshot_decode(struct span bytes, struct snapshot *snapshot);
/* Fills counters with what still counts at the time of day that belongs to now_ms. */
void snapshot_restore(const struct snapshot *snapshot, uint64_t time_us, int64_t now_ms,
                      struct counters *counters);

#endif
