/* smtp/line_ends - see line_ends.h. */
#include "smtp/line_ends.h"

static struct span end_line(struct smtp_line_ends *state)
{
    state->has_cr = false;
    state->is_in_line = false;
    return SPAN("\r\n");
}

bool smtp_line_ends_next(struct smtp_line_ends *state, struct span *input, struct span *piece)
{
    if (span_is_empty(*input))
        return false;
    if (input->bytes[0] == '\n') {
        *input = span_after(*input, 1);
        *piece = end_line(state);
        return true;
    }
    if (state->has_cr) {
        state->has_cr = false;
        state->is_in_line = true;
        *piece = SPAN(" ");
        return true;
    }
    size_t length = 0;
    while (length < input->length && input->bytes[length] != '\r' && input->bytes[length] != '\n')
        length++;
    *piece = span_first(*input, length);
    state->is_in_line |= length > 0;
    state->has_cr = length < input->length && input->bytes[length] == '\r';
    *input = span_after(*input, length + state->has_cr);
    return true;
}

struct span smtp_line_ends_finish(struct smtp_line_ends *state)
{
    const bool is_open = state->is_in_line || state->has_cr;
    *state = (struct smtp_line_ends){.has_cr = false};
    /* A CR at the very end was meant to end the line. */
    return is_open ? SPAN("\r\n") : span_empty();
}
