/* tests/fuzz/smtp_header_cut - long fields lose the same however the bytes were split, and no line
 * grows. The first byte says where. */
#include "smtp/header_cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { LIMIT_BYTES = 16, KEPT_MAX_BYTES = 1 << 20 };

static void cut_all(struct span input, size_t piece_length, struct buffer *kept)
{
    struct smtp_header_cut cut;
    smtp_header_cut_init(&cut, LIMIT_BYTES);
    buffer_init(kept, NULL, KEPT_MAX_BYTES);
    for (struct span rest = input; rest.length;) {
        const struct span piece = span_first(rest, piece_length);
        smtp_header_cut_append(&cut, piece, kept);
        rest = span_after(rest, piece.length);
    }
    if (buffer_ok(kept))
        ASSERT((int64_t)input.length - cut.dropped_bytes == (int64_t)kept->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct buffer whole, pieces;
    if (length == 0)
        return 0;
    const struct span input = span_of(bytes + 1, length - 1);
    cut_all(input, input.length, &whole);
    cut_all(input, (size_t)bytes[0] + 1, &pieces);
    ASSERT(span_equals(buffer_span(&whole), buffer_span(&pieces)));
    buffer_release(&whole);
    buffer_release(&pieces);
    return 0;
}
