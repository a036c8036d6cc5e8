/* local/loops - see loops.h. */
#include "loops.h"

#include <errno.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "system/file.h"

enum { PIECE_BYTES = 16384, LINE_BYTES = 1200 };

struct header {
    struct span address;
    size_t line_length; /* LINE_BYTES at most is looked at */
    bool is_over;
    bool is_found;
    uint8_t line[LINE_BYTES];
};

static void end_line(struct header *header)
{
    static const struct span name = SPAN_LITERAL("delivered-to:");
    struct span line = span_of(header->line, header->line_length);
    if (span_ends_with(line, SPAN("\r")))
        line.length--;
    header->line_length = 0;
    if (span_is_empty(line))
        header->is_over = true;
    else if (span_starts_with_ascii_nocase(line, name) &&
             span_equals_ascii_nocase(span_trim_spaces(span_after(line, name.length)),
                                      header->address))
        header->is_over = header->is_found = true;
}

static void take_piece(struct header *header, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length && !header->is_over; i++) {
        if (bytes[i] == '\n')
            end_line(header);
        else if (header->line_length < LINE_BYTES)
            header->line[header->line_length++] = bytes[i];
    }
}

enum loops_result loops_find(const struct message_content *content, struct span address)
{
    struct header *header = calloc(1, sizeof(*header));
    uint8_t *bytes = malloc(PIECE_BYTES);
    enum loops_result result = LOOPS_FAILED;
    errno = ENOMEM;
    if (!header || !bytes)
        goto done;
    header->address = address;
    for (size_t i = 0; i < content->extent_count; i++) {
        const struct queue_extent *extent = &content->extents[i];
        for (uint64_t at = 0; at < extent->length && !header->is_over; at += PIECE_BYTES) {
            const uint64_t left = extent->length - at;
            const size_t count = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
            if (file_pread_all(content->descriptor, bytes, count, extent->offset + at) != 0)
                goto done;
            take_piece(header, bytes, count);
        }
    }
    result = header->is_found ? LOOPS_YES : LOOPS_NO;
done:
    free(header);
    free(bytes);
    return result;
}
