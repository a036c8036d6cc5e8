/* tests/fuzz/queue_preamble - a queue file's first sector, and extents from another process. */
#include "queuefile/id.h"
#include "queuefile/preamble.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct queue_preamble preamble;
    struct queue_extent extents[QUEUE_EXTENT_MAX];
    size_t count = 0;
    const struct span input = span_of(bytes, length);
    if (queue_preamble_decode(input, &preamble) == QUEUE_FILE_OK) {
        uint64_t sum = 0;
        ASSERT(preamble.extent_count <= QUEUE_EXTENT_MAX);
        for (size_t i = 0; i < preamble.extent_count; i++) {
            sum += preamble.extents[i].length;
            ASSERT(preamble.extents[i].offset + preamble.extents[i].length <=
                   preamble.envelope_offset);
        }
        ASSERT(sum == preamble.content_size);
        ASSERT(preamble.envelope_offset + preamble.envelope_length <= preamble.state_offset);
    }
    if (queue_extents_decode(input, extents, &count) == PARSE_OK)
        ASSERT(count * QUEUE_EXTENT_BYTES == length);
    if (queue_id_is_valid(input)) {
        ASSERT(length <= QUEUE_ID_MAX_BYTES);
        ASSERT(span_find_byte(input, '/') == length && span_find_byte(input, '.') == length);
    }
    return 0;
}
