/* tests/fuzz/local_pipe_copy_fuzz - content on its way to a command: the same whole, in two pieces
 * and byte by byte. The first two bytes choose flags, the third where it is cut. */
#include "../../local/pipe_copy.h"

enum { OUT_MAX_BYTES = 1 << 24, HEAD_BYTES = 3 };

static void copy(const struct conf_pipe_command *command, struct span content, size_t step,
                 struct buffer *out)
{
    struct pipe_copy state;
    buffer_init(out, NULL, OUT_MAX_BYTES);
    pipe_copy_init(&state, command);
    while (content.length > 0) {
        const struct span piece = span_first(content, step);
        pipe_copy_piece(&state, piece, out);
        content = span_after(content, piece.length);
    }
    pipe_copy_end(&state, out);
    ASSERT(buffer_ok(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct buffer whole, trickled, cut;
    if (length < HEAD_BYTES)
        return 0;
    const struct conf_pipe_command command = {
        .flags = bytes[0] | (unsigned)bytes[1] << 8,
        .line_end = bytes[1] & 0x80 ? SPAN("\r\n") : SPAN("\n"),
    };
    const struct span content = span_of(bytes + HEAD_BYTES, length - HEAD_BYTES);
    copy(&command, content, length, &whole);
    copy(&command, content, 1, &trickled);
    copy(&command, content, bytes[2] + 1U, &cut);
    ASSERT(span_equals(buffer_span(&whole), buffer_span(&trickled)));
    ASSERT(span_equals(buffer_span(&whole), buffer_span(&cut)));
    buffer_release(&whole);
    buffer_release(&trickled);
    buffer_release(&cut);
    return 0;
}
