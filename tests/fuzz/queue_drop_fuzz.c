/* tests/fuzz/queue_drop - a dropped message: the same records whole and in pieces, and line ends of
 * its text that are all CRLF afterwards. */
#include "queuefile/drop.h"
#include "smtp/line_ends.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct summary {
    uint64_t text_bytes;
    uint32_t recipient_count;
    size_t used_bytes;
    bool is_at_end, is_malformed;
};

static struct summary read_in_steps(struct span input, size_t step)
{
    struct summary summary = {0};
    struct drop_reader reader;
    struct drop_event event;
    enum parse_result result = PARSE_NEED_MORE;
    size_t offered = 0;
    drop_reader_init(&reader);
    while (result != PARSE_MALFORMED && offered < input.length) {
        offered = offered + step < input.length ? offered + step : input.length;
        struct span window = span_first(input, offered);
        while ((result = drop_reader_next(&reader, &window, &event)) == PARSE_OK) {
            if (event.kind == DROP_EVENT_RECIPIENT)
                summary.recipient_count++;
            if (event.kind == DROP_EVENT_TEXT)
                summary.text_bytes += event.text.length;
        }
        const size_t used = offered - window.length;
        summary.used_bytes += used;
        input = span_after(input, used);
        offered -= used;
    }
    summary.is_malformed = result == PARSE_MALFORMED;
    summary.is_at_end = reader.is_at_end;
    return summary;
}

static void check_line_ends(struct span input)
{
    struct smtp_line_ends state = {.has_cr = false};
    struct span piece;
    uint8_t before = 0;
    while (smtp_line_ends_next(&state, &input, &piece))
        for (size_t i = 0; i < piece.length; i++) {
            ASSERT(before != '\r' || piece.bytes[i] == '\n');
            ASSERT(before == '\r' || piece.bytes[i] != '\n');
            before = piece.bytes[i];
        }
    ASSERT(before != '\r');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span input = span_of(bytes, length);
    const struct summary whole = read_in_steps(input, length ? length : 1);
    const struct summary trickled = read_in_steps(input, 1);
    ASSERT(whole.text_bytes == trickled.text_bytes);
    ASSERT(whole.recipient_count == trickled.recipient_count);
    ASSERT(whole.is_at_end == trickled.is_at_end);
    ASSERT(whole.is_malformed == trickled.is_malformed);
    check_line_ends(input);
    return 0;
}
