/* table/build - make and change tables in files so that readers never see a half one.
 * A change, however small, is made in a copy NAME.db.tmp (.cdb.tmp, .lmdb.tmp) beside the file,
 * which then takes its place by rename(): a reader has the old file or the new, also after a crash,
 * and readers of this package and of Postfix notice the new inode and open it. Rewriting in place,
 * as Postfix's postmap does, needs every reader to honour the lock, and a crash leaves half a
 * table. Builders exclude one another by a lock on the copy, and honour Postfix's lock on the file.
 * Caller: postmap. */
#ifndef TABLE_BUILD_H
#define TABLE_BUILD_H

#include <sys/stat.h>

#include "table/table.h"

enum table_build_type {
    TABLE_BUILD_HASH,
    TABLE_BUILD_BTREE,
    TABLE_BUILD_CDB, /* made anew every time: nothing can be added or deleted */
    TABLE_BUILD_LMDB
};

/* False for a type that is none, or not of this build. */
MUST_USE bool table_build_find_type(struct span name, enum table_build_type *type);

enum table_build_flags {
    TABLE_BUILD_INCREMENTAL = 1 << 0, /* begin with what the table holds */
    TABLE_BUILD_MUST_EXIST = 1 << 1,  /* there must be a table (deletion) */
    TABLE_BUILD_REPLACE = 1 << 2,     /* a duplicate replaces what is there ... */
    TABLE_BUILD_IGNORE = 1 << 3,      /* ... or goes without a warning */
    TABLE_BUILD_WITHOUT_NUL = 1 << 4, /* keys and values without a final NUL */
    TABLE_BUILD_KEEP_CASE = 1 << 5
};

enum table_build_added {
    TABLE_BUILD_ADDED,
    TABLE_BUILD_DUPLICATE, /* already there, and left so, without TABLE_BUILD_IGNORE */
    TABLE_BUILD_FAILED
};

struct table_build;

/* path is the table's name, without ".db" and its like; a new file gets this mode. NULL with the
 * reason appended to *error. */
MUST_USE struct table_build *table_build_begin(enum table_build_type type, const char *path,
                                               unsigned flags, mode_t mode, struct buffer *error);
MUST_USE enum table_build_added table_build_add(struct table_build *build, struct span key,
                                                struct span value);
/* TABLE_FOUND when the key was there and is gone. */
MUST_USE enum table_result table_build_delete(struct table_build *build, struct span key);
/* Makes the new table the table. Ends *build either way; false with the reason in *error. */
MUST_USE bool table_build_commit(struct table_build **build, struct buffer *error);
/* Ends it without a change. */
void table_build_abandon(struct table_build **build);

/* What went wrong in the last add or delete. */
const char *table_build_error(const struct table_build *build);
/* "NAME.db", "NAME.cdb" or "NAME.lmdb" */
const char *table_build_file(const struct table_build *build);

#endif
