/* base/span - a read-only view of bytes that somebody else owns.
 * A span lives no longer than its bytes; NUL is a byte like others. All functions are total: an
 * offset or a count past the end means the end. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

struct span {
    const uint8_t *bytes;
    size_t length;
};

/* A span over a string literal, usable as an initialiser. */
#define SPAN_LITERAL(literal)                                                                      \
    {                                                                                              \
        (const uint8_t *)("" literal), sizeof(literal) - 1                                         \
    }
/* The same as an expression. */
#define SPAN(literal) ((struct span)SPAN_LITERAL(literal))
/* For printf's "%.*s": precision and pointer. */
#define SPAN_PRINTF(span) (int)(span).length, (const char *)(span).bytes

static inline struct span span_of(const void *bytes, size_t length)
{
    return (struct span){bytes, length};
}

static inline struct span span_empty(void)
{
    return (struct span){(const uint8_t *)"", 0};
}

/* string may be NULL, which is the empty span. */
static inline struct span span_from_string(const char *string)
{
    return string ? span_of(string, strlen(string)) : span_empty();
}

static inline bool span_is_empty(struct span span)
{
    return span.length == 0;
}

static inline struct span span_first(struct span span, size_t count)
{
    return span_of(span.bytes, count < span.length ? count : span.length);
}

static inline struct span span_after(struct span span, size_t count)
{
    const size_t skipped = count < span.length ? count : span.length;
    return span.bytes ? span_of(span.bytes + skipped, span.length - skipped) : span;
}

/* Bytes from offset begin up to, not including, end. */
static inline struct span span_between(struct span span, size_t begin, size_t end)
{
    return span_after(span_first(span, end), begin);
}

static inline bool span_byte_is_one_of(struct span span, size_t index, const char *set,
                                       size_t set_length)
{
    return index < span.length && memchr(set, span.bytes[index], set_length) != NULL;
}

MUST_USE bool span_equals(struct span left, struct span right);
MUST_USE bool span_equals_ascii_nocase(struct span left, struct span right);
MUST_USE bool span_starts_with(struct span span, struct span prefix);
MUST_USE bool span_starts_with_ascii_nocase(struct span span, struct span prefix);
MUST_USE bool span_ends_with(struct span span, struct span suffix);
MUST_USE bool span_ends_with_ascii_nocase(struct span span, struct span suffix);
/* Bytewise order, the shorter first where one begins the other: <0, 0 or >0. */
MUST_USE int span_compare(struct span left, struct span right);

/* Offset of the first (last) such byte; span.length when absent. */
MUST_USE size_t span_find_byte(struct span span, uint8_t byte);
MUST_USE size_t span_find_last_byte(struct span span, uint8_t byte);
/* Offset of the first occurrence; span.length when absent. */
MUST_USE size_t span_find(struct span span, struct span needle);

/* Without leading and trailing spaces and tabs (only those two). */
MUST_USE struct span span_trim_spaces(struct span span);

/* Splits at the first such byte, which belongs to neither side. When it is absent returns false,
 * *before is the whole and *after is empty. */
bool span_split_once(struct span span, uint8_t byte, struct span *before, struct span *after);

/* Takes the next word off *rest, words being separated by one or more bytes of set. False when
 * none is left. */
bool span_next_word(struct span *rest, const char *set, struct span *word);

/* Whether a word stands in a list as main.cf has them, separated by commas and white space; upper
 * and lower case are the same. */
bool span_list_has(struct span list, struct span word);

#endif
