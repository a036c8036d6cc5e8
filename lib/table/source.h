/* table/source - read the text from which a lookup table is made: "key whitespace value" lines, as
 * described in posthouse-table(5).
 * A logical line begins with a byte that is no white space; lines that begin with white space
 * continue it; empty lines and lines whose first visible byte is "#" say nothing wherever they
 * stand. White space inside double quotes or after a backslash belongs to the key, and quotes and
 * backslashes stay in the key as they are.
 * Pure and incremental. Callers: texthash tables, table/build, postmap, the fuzzer. */
#ifndef TABLE_SOURCE_H
#define TABLE_SOURCE_H

#include "base/buffer.h"
#include "base/parse.h"

enum { TABLE_SOURCE_LINE_MAX_BYTES = 1024 * 1024 }; /* a logical line; a physical one too */

enum table_source_problem {
    TABLE_SOURCE_FINE,
    /* The entry is good, but "key:" suggests that this is an aliases(5) file. */
    TABLE_SOURCE_LOOKS_LIKE_ALIAS,
    /* The line is no entry and is to be ignored with a warning: */
    TABLE_SOURCE_NO_VALUE,         /* "key" alone */
    TABLE_SOURCE_UNBALANCED_QUOTE, /* " without its partner */
    TABLE_SOURCE_LEADING_SPACE,    /* a continuation of nothing */
    TABLE_SOURCE_HAS_NUL,
    TABLE_SOURCE_NOT_UTF8, /* only where reader->requires_utf8 */
    TABLE_SOURCE_TOO_LONG
};

struct table_source_entry {
    struct span key; /* spans are valid until the next call */
    struct span value;
    struct span line; /* the logical line, joined */
    size_t line_number;
    enum table_source_problem problem;
};

struct table_source {
    struct buffer line; /* the logical line so far, and the one that the last entry points into */
    size_t lines_read;
    size_t first_line;
    bool requires_utf8;
    bool has_line;
    bool is_too_long;
    bool is_skipping; /* the rest of a physical line that is too long */
};

/* arena may be NULL: memory from the heap, given back by table_source_release(). */
void table_source_init(struct table_source *source, struct arena *arena, bool requires_utf8);
void table_source_release(struct table_source *source);

/* Looks at the bytes that follow those already consumed. PARSE_OK: *entry is the next logical
 * line, good or not. PARSE_NEED_MORE: all usable bytes are consumed; at the end of the file
 * (is_last) it means that there is nothing more. Always sets *consumed_bytes. PARSE_TOO_LONG only
 * when memory ran out. */
MUST_USE enum parse_result table_source_next(struct table_source *source, struct span input,
                                             bool is_last, struct table_source_entry *entry,
                                             size_t *consumed_bytes);

/* True where the entry is to be stored. */
static inline bool table_source_is_usable(const struct table_source_entry *entry)
{
    return entry->problem == TABLE_SOURCE_FINE || entry->problem == TABLE_SOURCE_LOOKS_LIKE_ALIAS;
}

/* Appends the warning for an entry, in Postfix's words: "FILE, line N: ...". Nothing when the
 * entry is fine. */
void table_source_warning(const struct table_source_entry *entry, const char *file,
                          struct buffer *text);

#endif
