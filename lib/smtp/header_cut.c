/* smtp/header_cut - see header_cut.h. */
#include "smtp/header_cut.h"

void smtp_header_cut_init(struct smtp_header_cut *cut, size_t limit_bytes)
{
    *cut = (struct smtp_header_cut){.limit_bytes = limit_bytes, .is_line_start = true};
}

/* The line that lost something ends. */
static void end_cut_line(struct smtp_header_cut *cut, struct buffer *kept)
{
    if (kept->length > 0 && kept->bytes[kept->length - 1] == '\r') {
        buffer_append_byte(kept, '\n');
        cut->dropped_bytes -= 1;
    } else {
        buffer_append_string(kept, "\r\n");
        cut->dropped_bytes -= 2;
    }
}

/* A piece of a line, of which the limit holds. */
static void append_value(struct smtp_header_cut *cut, struct span piece, bool is_end,
                         struct buffer *kept)
{
    size_t room = 0;
    if (!cut->is_skipping && !cut->has_dropped && cut->field_bytes < cut->limit_bytes)
        room = cut->limit_bytes - cut->field_bytes;
    const struct span fitting = span_first(piece, room);
    buffer_append_span(kept, fitting);
    cut->field_bytes += piece.length;
    if (fitting.length == piece.length)
        return;
    cut->dropped_bytes += (int64_t)(piece.length - fitting.length);
    cut->has_dropped = true;
    if (is_end && !cut->is_skipping)
        end_cut_line(cut, kept);
}

static void append_piece(struct smtp_header_cut *cut, struct span piece, bool is_end,
                         struct buffer *kept)
{
    if (!cut->has_colon) {
        const size_t colon = span_find_byte(piece, ':');
        const struct span name = span_first(piece, colon + 1);
        buffer_append_span(kept, name);
        cut->field_bytes += name.length;
        cut->has_colon = colon < piece.length;
        piece = span_after(piece, name.length);
    }
    if (piece.length)
        append_value(cut, piece, is_end, kept);
}

void smtp_header_cut_append(struct smtp_header_cut *cut, struct span bytes, struct buffer *kept)
{
    while (bytes.length) {
        if (cut->is_line_start) {
            const bool is_continued = bytes.bytes[0] == ' ' || bytes.bytes[0] == '\t';
            if (!is_continued) {
                cut->field_bytes = 0;
                cut->has_colon = false;
            }
            cut->is_skipping = is_continued && cut->field_bytes >= cut->limit_bytes;
            cut->has_dropped = false;
        }
        const size_t end = span_find_byte(bytes, '\n');
        const bool is_end = end < bytes.length;
        const struct span piece = span_first(bytes, end + 1);
        append_piece(cut, piece, is_end, kept);
        cut->is_line_start = is_end;
        bytes = span_after(bytes, piece.length);
    }
}
