/* table/mapped - what tables in a constant file have in common: open it, notice its successor.
 * postmap replaces such a file by renaming, so that what is open never changes; a lookup compares
 * what stands under the name with what was opened. Callers: table/cdb, table/lmdb. */
#ifndef TABLE_MAPPED_H
#define TABLE_MAPPED_H

#include "table/table_private.h"

struct mapped {
    int descriptor; /* -1: not open; keeps the inode's number from being used again */
    struct file_identity identity;
};

struct mapped_kind {
    const char *suffix; /* ".cdb" */
    /* From mapped->descriptor and table->file. False after table_fail(). */
    bool (*open)(struct table *table);
    void (*close)(struct table *table); /* harmless when not open */
};

/* The state of such a table begins with struct mapped. Sets table->state and table->file. */
MUST_USE bool mapped_create(struct table *table, struct span argument, size_t state_size,
                            const char *suffix);
/* TABLE_FOUND: the current file is open. */
MUST_USE enum table_result mapped_acquire(struct table *table, const struct mapped_kind *kind);
void mapped_close(struct table *table, const struct mapped_kind *kind);

/* Looks a key up with and without a final NUL, as the table's options say. get: TABLE_FOUND when it
 * appended the value, a final NUL included where there is one. */
MUST_USE enum table_result
mapped_lookup(struct table *table, struct span key, struct buffer *value,
              enum table_result (*get)(struct table *table, struct span key, struct buffer *value));
static inline struct span mapped_without_nul(struct span span)
{
    if (span.length && span.bytes[span.length - 1] == '\0')
        span.length--;
    return span;
}

#endif
