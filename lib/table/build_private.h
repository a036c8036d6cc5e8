/* table/build_private - what table/build knows of a kind of file that it can build. */
#ifndef TABLE_BUILD_PRIVATE_H
#define TABLE_BUILD_PRIVATE_H

#include "table/build.h"

/* All functions return 0 or a code that error() puts into words; keys and values come as they are
 * to be stored. */
struct table_build_backend {
    const char *suffix; /* of the file: ".db" */
    bool is_constant;   /* can neither be added to nor deleted from */
    /* *handle for the temporary file: empty, or with what the table holds. */
    int (*open)(void **handle, enum table_build_type type, const char *path, int descriptor,
                bool has_content);
    /* TABLE_BUILD_DUPLICATE where the key is there and may not be replaced. */
    int (*add)(void *handle, struct span key, struct span value, bool replaces,
               enum table_build_added *added);
    int (*remove)(void *handle, struct span key, bool *was_there); /* NULL: constant */
    /* Writes what is cached, unless is_abandoned. Ends the handle either way. */
    int (*close)(void *handle, bool is_abandoned);
    const char *(*error)(int code);
};

extern const struct table_build_backend table_build_berkeley;
extern const struct table_build_backend table_build_cdb;
extern const struct table_build_backend table_build_lmdb;

#endif
