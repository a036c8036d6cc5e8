/* base/byteset - sets of byte values, as settings write them. Pure. */
#ifndef BASE_BYTESET_H
#define BASE_BYTESET_H

#include "base/span.h"

struct byteset {
    uint64_t words[4];
};

static inline bool byteset_has(const struct byteset *set, uint8_t byte)
{
    return (set->words[byte >> 6] >> (byte & 63) & 1) != 0;
}

static inline void byteset_add(struct byteset *set, uint8_t byte)
{
    set->words[byte >> 6] |= UINT64_C(1) << (byte & 63);
}

static inline void byteset_remove(struct byteset *set, uint8_t byte)
{
    set->words[byte >> 6] &= ~(UINT64_C(1) << (byte & 63));
}

static inline bool byteset_is_empty(const struct byteset *set)
{
    return (set->words[0] | set->words[1] | set->words[2] | set->words[3]) == 0;
}

/* The bytes of a text in which \a \b \f \n \r \t \v \\ and \ with one to three octal digits stand
 * for what they do in C. False, with *set untouched, when a backslash is followed by anything else.
 */
MUST_USE bool byteset_parse(struct span text, struct byteset *set);
/* Offset of the first byte that is in the set; span.length when there is none. */
MUST_USE size_t byteset_find(const struct byteset *set, struct span span);

#endif
