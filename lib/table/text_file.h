/* table/text_file - a text that is read into memory and read again when it has changed.
 * One that changes while it is read is read once more. Between two writes of an editor that writes
 * in place half a file looks whole: posthouse-table(5) says to replace such files by renaming.
 * Callers: texthash, table/rules. */
#ifndef TABLE_TEXT_FILE_H
#define TABLE_TEXT_FILE_H

#include "table/source.h"
#include "table/table_private.h"

struct text_file {
    struct file_identity identity;
    bool is_loaded;
    /* What does not fit into memory takes long to find out, and is not read again for every key. */
    struct file_identity too_large;
    int64_t next_attempt_ms; /* 0: none was */
};

struct text_file_reader {
    void (*clear)(struct table *table); /* nothing is held any more */
    /* One logical line, good or not; false: memory is out. */
    bool (*add)(struct table *table, const struct table_source_entry *entry);
    bool (*finish)(struct table *table); /* all was added; NULL: nothing to do */
};

/* TABLE_FOUND when what is held is what table->file says now; TABLE_ERROR with the reason. */
MUST_USE enum table_result text_file_prepare(struct table *table, struct text_file *file,
                                             const struct text_file_reader *reader);

#endif
