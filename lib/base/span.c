/* base/span - see span.h. */
#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"

void assertion_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "panic: %s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

bool span_equals(struct span left, struct span right)
{
    return left.length == right.length &&
           (left.length == 0 || memcmp(left.bytes, right.bytes, left.length) == 0);
}

bool span_equals_ascii_nocase(struct span left, struct span right)
{
    if (left.length != right.length)
        return false;
    for (size_t i = 0; i < left.length; i++)
        if (ascii_to_lower(left.bytes[i]) != ascii_to_lower(right.bytes[i]))
            return false;
    return true;
}

bool span_starts_with(struct span span, struct span prefix)
{
    return span.length >= prefix.length && span_equals(span_first(span, prefix.length), prefix);
}

bool span_starts_with_ascii_nocase(struct span span, struct span prefix)
{
    return span.length >= prefix.length &&
           span_equals_ascii_nocase(span_first(span, prefix.length), prefix);
}

bool span_ends_with(struct span span, struct span suffix)
{
    return span.length >= suffix.length &&
           span_equals(span_after(span, span.length - suffix.length), suffix);
}

bool span_ends_with_ascii_nocase(struct span span, struct span suffix)
{
    return span.length >= suffix.length &&
           span_equals_ascii_nocase(span_after(span, span.length - suffix.length), suffix);
}

int span_compare(struct span left, struct span right)
{
    const size_t common = left.length < right.length ? left.length : right.length;
    const int order = common == 0 ? 0 : memcmp(left.bytes, right.bytes, common);
    if (order != 0)
        return order;
    return left.length < right.length ? -1 : left.length > right.length;
}

size_t span_find_byte(struct span span, uint8_t byte)
{
    const uint8_t *found = span.length ? memchr(span.bytes, byte, span.length) : NULL;
    return found ? (size_t)(found - span.bytes) : span.length;
}

size_t span_find_last_byte(struct span span, uint8_t byte)
{
    const uint8_t *found = span.length ? memrchr(span.bytes, byte, span.length) : NULL;
    return found ? (size_t)(found - span.bytes) : span.length;
}

size_t span_find(struct span span, struct span needle)
{
    if (needle.length == 0)
        return 0;
    const uint8_t *found =
        span.length ? memmem(span.bytes, span.length, needle.bytes, needle.length) : NULL;
    return found ? (size_t)(found - span.bytes) : span.length;
}

struct span span_trim_spaces(struct span span)
{
    while (span.length && (span.bytes[0] == ' ' || span.bytes[0] == '\t'))
        span = span_after(span, 1);
    while (span.length &&
           (span.bytes[span.length - 1] == ' ' || span.bytes[span.length - 1] == '\t'))
        span.length--;
    return span;
}

bool span_split_once(struct span span, uint8_t byte, struct span *before, struct span *after)
{
    const size_t at = span_find_byte(span, byte);
    *before = span_first(span, at);
    *after = span_after(span, at + 1);
    return at < span.length;
}

bool span_next_word(struct span *rest, const char *set, struct span *word)
{
    const size_t set_length = strlen(set);
    size_t begin = 0;
    while (span_byte_is_one_of(*rest, begin, set, set_length))
        begin++;
    size_t end = begin;
    while (end < rest->length && !span_byte_is_one_of(*rest, end, set, set_length))
        end++;
    *word = span_between(*rest, begin, end);
    *rest = span_after(*rest, end);
    return end > begin;
}

bool span_list_has(struct span list, struct span word)
{
    for (struct span next; span_next_word(&list, ", \t\r\n", &next);)
        if (span_equals_ascii_nocase(next, word))
            return true;
    return false;
}
