/* tests/fuzz/queue_envelope - an envelope: whole and in steps agree, and what was decoded encodes
 * to something that decodes. */
#include "queuefile/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { RECIPIENT_LIMIT = 100, ARENA_BYTES = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena arena;
    struct queue_envelope envelope, again;
    arena_init(&arena, ARENA_BYTES, 0);
    if (queue_envelope_decode(span_of(bytes, length), RECIPIENT_LIMIT, &arena, &envelope) ==
        PARSE_OK) {
        struct buffer out;
        struct span rest;
        size_t count = 0;
        buffer_init(&out, NULL, QUEUE_ENVELOPE_MAX_BYTES);
        ASSERT(envelope.recipient_count <= RECIPIENT_LIMIT);
        queue_envelope_encode_header(&envelope, &out);
        for (size_t i = 0; i < envelope.recipient_count; i++)
            queue_envelope_append_recipient(&envelope.recipients[i], &out);
        ASSERT(buffer_ok(&out) && out.length <= length);
        rest = buffer_span(&out);
        ASSERT(queue_envelope_next_header(&rest, &again) == PARSE_OK);
        ASSERT(span_equals(envelope.reverse_path, again.reverse_path));
        ASSERT(queue_envelope_count_recipients(rest, &count) == PARSE_OK);
        ASSERT(count == envelope.recipient_count);
        buffer_release(&out);
    }
    arena_destroy(&arena);
    return 0;
}
