/* queuefile/bucket - see bucket.h. */
#include "queuefile/bucket.h"

#include "base/ascii.h"

enum { BUCKET_MICROSECONDS = QUEUE_BUCKET_SECONDS * 1000000 };

uint32_t queue_bucket_of_time(uint64_t time_us)
{
    const uint64_t bucket = time_us / BUCKET_MICROSECONDS;
    return bucket > UINT32_MAX ? UINT32_MAX : (uint32_t)bucket;
}

uint64_t queue_bucket_time(uint32_t bucket)
{
    return (uint64_t)bucket * BUCKET_MICROSECONDS;
}

void queue_bucket_name(uint32_t bucket, char out[QUEUE_BUCKET_NAME_BYTES + 1])
{
    for (size_t i = QUEUE_BUCKET_NAME_BYTES; i > 0; i--) {
        out[i - 1] = "0123456789abcdef"[bucket & 15];
        bucket >>= 4;
    }
    out[QUEUE_BUCKET_NAME_BYTES] = '\0';
}

bool queue_bucket_parse(struct span name, uint32_t *bucket)
{
    uint32_t value = 0;
    if (name.length != QUEUE_BUCKET_NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        const int digit = ascii_hex_value(name.bytes[i]);
        if (digit < 0 || ascii_is_upper(name.bytes[i]))
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *bucket = value;
    return true;
}
