/* conf/lines - logical lines of main.cf, master.cf and text tables. */
#include "conf/lines.h"

#include "base/ascii.h"

void conf_lines_init(struct conf_lines *lines, struct span text)
{
    *lines = (struct conf_lines){.rest = text, .next_line = 1};
}

static size_t count_leading_space(struct span line)
{
    size_t count = 0;
    while (count < line.length && ascii_is_space(line.bytes[count]))
        count++;
    return count;
}

static bool is_skipped(struct span line)
{
    const size_t space = count_leading_space(line);
    return space == line.length || line.bytes[space] == '#';
}

bool conf_lines_next(struct conf_lines *lines, struct buffer *line, uint32_t *first_line)
{
    bool has_begun = false;

    buffer_reset(line);
    while (!span_is_empty(lines->rest)) {
        const size_t end = span_find_byte(lines->rest, '\n');
        const struct span physical = span_first(lines->rest, end);
        const bool is_noise = is_skipped(physical);
        if (!is_noise && has_begun && !ascii_is_space(physical.bytes[0]))
            break; /* the next logical line */
        lines->rest = span_after(lines->rest, end + 1);
        if (!is_noise) {
            if (!has_begun)
                *first_line = lines->next_line;
            has_begun = true;
            buffer_append_span(line, physical);
        }
        lines->next_line++;
    }
    while (line->length > 0 && ascii_is_space(line->bytes[line->length - 1]))
        line->length--;
    return has_begun;
}
