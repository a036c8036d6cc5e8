/* table/table - lookup tables by name, "type:name" as in Postfix.
 *   hash: btree:     Berkeley DB files NAME.db, as postmap writes them
 *   cdb: lmdb:       files NAME.cdb and NAME.lmdb, likewise
 *   socketmap: tcp:  other processes, which may take their time
 *   texthash:        the text file itself, read into memory
 *   inline: static:  in the setting itself
 *   unix:            passwd.byname and group.byname: the name service, which may wait
 *   cidr:            networks, in a file
 *   regexp: pcre:    regular expressions, in a file; slow, since a match may take long
 *   unionmap: pipemap: randmap:
 *                    made of other tables
 *   environ:         the process's environment
 *   internal:        nothing: a process's own memory
 *   fail:            always a temporary error, for tests
 * "proxy:" before a type says nothing here: whoever opens tables is the proxy.
 * A lookup has one of four results, and they are never mixed up: mail is refused for NOT_FOUND
 * and delayed for ERROR.
 * Interface: table_open(), table_lookup(), table_walk(), table_close(); several tables as one in
 * table/maps.h, building in table/build.h. Callers: addrd, postmap. */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/buffer.h"

enum table_result {
    TABLE_FOUND,
    TABLE_NOT_FOUND,
    TABLE_ERROR,      /* temporary; table_error() says why */
    TABLE_WOULD_BLOCK /* only without TABLE_MAY_BLOCK: ask where waiting does no harm */
};

enum table_flags {
    TABLE_MAY_BLOCK = 1 << 0, /* a lookup may wait for a lock or a name service */
    TABLE_KEEP_CASE = 1 << 1, /* keys are looked up as given, not in lower case */
    /* hash: and btree: keys and values end with a NUL, or do not; neither: both are tried, which
     * reads whatever any postmap wrote. */
    TABLE_WITH_NUL = 1 << 2,
    TABLE_WITHOUT_NUL = 1 << 3,
    TABLE_READ_ONCE = 1 << 4, /* a text file is read once and never looked at again */
    /* A database stays the file that was opened first, whatever becomes of its name, and is read
     * without locks: for a process that can open nothing any more. */
    TABLE_STAY_OPEN = 1 << 5
};

enum {
    TABLE_NAME_MAX_BYTES = 64 * 1024, /* an inline table stands in its name */
    TABLE_KEY_MAX_BYTES = 2048,       /* a longer key is in no table */
    TABLE_VALUE_MAX_BYTES = 1024 * 1024
};

struct table;

struct table_options {
    unsigned flags;
    /* Told what is odd in a table's source; may be NULL. */
    void (*warn)(void *context, struct span text);
    void *warn_context;
    /* Asked in place of TABLE_WOULD_BLOCK, with the key as the table has it, and may park the
     * task. Appends to *value. May be NULL. */
    enum table_result (*ask_elsewhere)(void *context, struct table *table, struct span key,
                                       struct buffer *value);
    void *ask_context;
    /* The count of its owner's turns (loop_turn()): a file is looked at once in a turn, to see
     * whether it has changed, since what is worked on in one came at once. NULL: at each lookup. */
    const uint64_t *turn;
};

/* NULL, with the reason appended to *error, for a name that is none, an unknown type, a malformed
 * inline: or static: text, or when memory is out. A file that is missing or unreadable is no such
 * error: its lookups are TABLE_ERROR until it appears. options may be NULL. */
MUST_USE struct table *table_open(struct span name, const struct table_options *options,
                                  struct buffer *error);
void table_close(struct table **table);

/* Appends the value to *value on TABLE_FOUND, and leaves it otherwise. */
MUST_USE enum table_result table_lookup(struct table *table, struct span key, struct buffer *value);
/* Every entry, in the table's own order, until visit returns false. TABLE_FOUND at the end,
 * TABLE_ERROR when the table cannot be read or has no list. */
MUST_USE enum table_result
table_walk(struct table *table, bool (*visit)(void *context, struct span key, struct span value),
           void *context);
/* Opens the file now if that is still to be done: TABLE_FOUND when lookups can work. */
MUST_USE enum table_result table_prepare(struct table *table);

/* As given to table_open(). */
struct span table_name(const struct table *table);
/* Why the last call gave TABLE_ERROR. */
struct span table_error(const struct table *table);
/* For ask_elsewhere: the reason of the error that it returns. */
void table_set_error(struct table *table, struct span reason);
/* Lookups ask a service that may take its time, whatever the state of files. */
bool table_is_slow(const struct table *table);
/* The file or directory that lookups open, for the sandbox; empty for tables without one. */
struct span table_file(const struct table *table);
/* The tables inside unionmap: and pipemap:, whose files matter too. */
size_t table_part_count(const struct table *table);
const struct table *table_part(const struct table *table, size_t index);

/* The names of all types, ended by NULL, in alphabetical order (postconf -m). */
extern const char *const table_type_names[];

#endif
