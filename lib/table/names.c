/* table/names - see names.h. */
#include "table/names.h"

#include "base/ascii.h"

static bool is_separator(uint8_t byte)
{
    return byte == ',' || ascii_is_space(byte);
}

bool table_next_name(struct span *rest, struct span *word)
{
    size_t begin = 0;
    size_t depth = 0;

    while (begin < rest->length && is_separator(rest->bytes[begin]))
        begin++;
    size_t end = begin;
    while (end < rest->length && (depth > 0 || !is_separator(rest->bytes[end]))) {
        if (rest->bytes[end] == '{')
            depth++;
        else if (rest->bytes[end] == '}' && depth > 0)
            depth--;
        end++;
    }
    *word = span_between(*rest, begin, end);
    *rest = span_after(*rest, end);
    return end > begin;
}

static struct span trim(struct span span)
{
    while (span.length && ascii_is_space(span.bytes[0]))
        span = span_after(span, 1);
    while (span.length && ascii_is_space(span.bytes[span.length - 1]))
        span.length--;
    return span;
}

const char *table_strip_braces(struct span text, struct span *inside)
{
    size_t depth = 0;
    size_t i = 0;

    for (; i < text.length; i++) {
        if (text.bytes[i] == '{')
            depth++;
        else if (text.bytes[i] == '}' && --depth == 0)
            break;
    }
    *inside = trim(span_between(text, 1, i));
    if (i == text.length)
        return "missing '}'";
    return trim(span_after(text, i + 1)).length == 0 ? NULL : "syntax error after '}'";
}
