/* table/table_private - what the kinds of table share among themselves. */
#ifndef TABLE_TABLE_PRIVATE_H
#define TABLE_TABLE_PRIVATE_H

#include <sys/stat.h>

#include "table/table.h"

struct table_kind {
    const char *type;
    bool is_slow;
    bool is_nameless; /* nothing needs to follow "type:" */
    bool keeps_key;   /* patterns, and tables that hand the key on: it is never made lower case */
    /* Sets table->state from what follows "type:"; on failure table_fail() and false. */
    bool (*open)(struct table *table, struct span argument);
    enum table_result (*lookup)(struct table *table, struct span key, struct buffer *value);
    enum table_result (*walk)(struct table *table,
                              bool (*visit)(void *context, struct span key, struct span value),
                              void *context);          /* NULL: has no list */
    enum table_result (*prepare)(struct table *table); /* NULL: always ready */
    void (*close)(struct table *table);                /* NULL: the arena is all */
};

struct table {
    const struct table_kind *kind;
    struct table_options options;
    struct arena arena; /* for the life of the table: name, state */
    struct span name;
    const char *file; /* NULL: none */
    struct buffer error;
    struct buffer folded_key;
    void *state;
    struct table **parts; /* of tables made of tables; owned */
    size_t part_count;
    unsigned depth;        /* in how many others it is a part */
    uint64_t checked_turn; /* in which the file was last seen to be what is held; 0: none */
};

static inline bool table_was_checked(const struct table *table)
{
    return table->options.turn && table->checked_turn == *table->options.turn;
}

static inline void table_note_checked(struct table *table)
{
    if (table->options.turn)
        table->checked_turn = *table->options.turn;
}

extern const struct table_kind table_kind_hash;
extern const struct table_kind table_kind_btree;
extern const struct table_kind table_kind_cdb;
extern const struct table_kind table_kind_environ;
extern const struct table_kind table_kind_internal;
extern const struct table_kind table_kind_lmdb;
extern const struct table_kind table_kind_socketmap;
extern const struct table_kind table_kind_tcp;
extern const struct table_kind table_kind_texthash;
extern const struct table_kind table_kind_cidr;
extern const struct table_kind table_kind_pcre;
extern const struct table_kind table_kind_pipemap;
extern const struct table_kind table_kind_randmap;
extern const struct table_kind table_kind_regexp;
extern const struct table_kind table_kind_unionmap;
extern const struct table_kind table_kind_inline;
extern const struct table_kind table_kind_static;
extern const struct table_kind table_kind_fail;
extern const struct table_kind table_kind_unix;

/* Replaces the error text. */
void table_fail(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);

/* Without a state: that is the kind's, whose open() is not called. NULL when memory is out. */
MUST_USE struct table *table_create(struct span name, const struct table_kind *kind,
                                    const struct table_options *options);

/* A table that whole asks in its lookups, with whole's options but without ask_elsewhere: whoever
 * must wait is asked elsewhere as a whole. NULL after table_fail(whole). */
MUST_USE struct table *table_open_part(struct table *whole, struct span name);

/* A table whose every lookup is a temporary error, for this reason. NULL when memory is out. */
MUST_USE struct table *table_open_unavailable(struct span name, struct span reason);

/* Is a file still the one that was opened? The descriptor that is kept open keeps the inode
 * number from being used again. */
struct file_identity {
    dev_t device;
    ino_t inode;
    off_t size_bytes;
    struct timespec modified;
    struct timespec changed;
};

static inline struct file_identity file_identity_of(const struct stat *status)
{
    return (struct file_identity){status->st_dev, status->st_ino, status->st_size, status->st_mtim,
                                  status->st_ctim};
}

static inline bool file_identity_equals(const struct file_identity *left,
                                        const struct file_identity *right)
{
    return left->device == right->device && left->inode == right->inode &&
           left->size_bytes == right->size_bytes &&
           left->modified.tv_sec == right->modified.tv_sec &&
           left->modified.tv_nsec == right->modified.tv_nsec &&
           left->changed.tv_sec == right->changed.tv_sec &&
           left->changed.tv_nsec == right->changed.tv_nsec;
}

#endif
