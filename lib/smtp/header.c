/* smtp/header - see header.h. */
#include "smtp/header.h"

bool smtp_header_next(struct span *rest, struct smtp_header_field *field)
{
    const struct span block = *rest;
    size_t end = 0;
    if (block.length == 0)
        return false;
    /* A field goes on as long as the next line begins with white space. */
    do {
        end += span_find_byte(span_after(block, end), '\n');
        if (end < block.length)
            end++;
    } while (end < block.length && (block.bytes[end] == ' ' || block.bytes[end] == '\t'));

    struct smtp_header_field parsed = {.whole = span_first(block, end)};
    if (!span_split_once(parsed.whole, ':', &parsed.name, &parsed.value))
        return false;
    while (parsed.name.length && (parsed.name.bytes[parsed.name.length - 1] == ' ' ||
                                  parsed.name.bytes[parsed.name.length - 1] == '\t'))
        parsed.name.length--;
    if (parsed.name.length == 0)
        return false;
    for (size_t i = 0; i < parsed.name.length; i++)
        if (parsed.name.bytes[i] <= ' ' || parsed.name.bytes[i] >= 0x7f)
            return false;
    if (parsed.value.length && parsed.value.bytes[parsed.value.length - 1] == '\n')
        parsed.value.length--;
    if (parsed.value.length && parsed.value.bytes[parsed.value.length - 1] == '\r')
        parsed.value.length--;
    *field = parsed;
    *rest = span_after(block, end);
    return true;
}

bool smtp_header_find(struct span block, struct span name, struct smtp_header_field *field)
{
    struct smtp_header_field next;
    while (smtp_header_next(&block, &next))
        if (span_equals_ascii_nocase(next.name, name)) {
            *field = next;
            return true;
        }
    return false;
}

size_t smtp_header_count(struct span block, struct span name)
{
    struct smtp_header_field field;
    size_t count = 0;
    while (smtp_header_next(&block, &field))
        if (span_equals_ascii_nocase(field.name, name))
            count++;
    return count;
}

bool smtp_header_has_tls_optional(struct span block)
{
    static const struct span name = SPAN_LITERAL("TLS-Required");
    struct smtp_header_field field;
    struct span word, rest;
    if (!smtp_header_find(block, name, &field) || smtp_header_count(block, name) != 1)
        return false;
    rest = field.value;
    return span_next_word(&rest, " \t\r\n", &word) && span_equals_ascii_nocase(word, SPAN("No")) &&
           !span_next_word(&rest, " \t\r\n", &word);
}

void smtp_header_unfold(struct span value, struct buffer *output)
{
    const size_t start = output->length;
    while (value.length) {
        struct span line;
        (void)span_split_once(value, '\n', &line, &value);
        if (line.length && line.bytes[line.length - 1] == '\r')
            line.length--;
        if (output->length == start)
            line = span_trim_spaces(line);
        buffer_append_span(output, line);
    }
    while (output->length > start &&
           (output->bytes[output->length - 1] == ' ' || output->bytes[output->length - 1] == '\t'))
        output->length--;
}
