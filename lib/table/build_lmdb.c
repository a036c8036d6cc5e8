/* table/build_lmdb - building lmdb: files, in one transaction. See build_private.h.
 * The map's size is a promise of room in the address space and not of the disk; it doubles when it
 * does not suffice, which takes a transaction of its own. */
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

#include "table/build_private.h"

enum { MAP_FIRST_BYTES = 16 * 1024 * 1024 }; /* lmdb_map_size */

struct builder {
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_dbi database;
    size_t map_bytes;
};

static int begin(struct builder *builder)
{
    int code = mdb_txn_begin(builder->environment, NULL, 0, &builder->transaction);
    if (code == 0)
        code = mdb_dbi_open(builder->transaction, NULL, 0, &builder->database);
    return code;
}

static int open_database(void **handle, enum table_build_type type UNUSED, const char *path,
                         int descriptor UNUSED, bool has_content UNUSED)
{
    struct builder *builder = calloc(1, sizeof(*builder));
    *handle = builder;
    if (!builder)
        return ENOMEM;
    builder->map_bytes = MAP_FIRST_BYTES;
    int code = mdb_env_create(&builder->environment);
    if (code == 0)
        code = mdb_env_set_mapsize(builder->environment, builder->map_bytes);
    if (code == 0)
        code = mdb_env_open(builder->environment, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    return code == 0 ? begin(builder) : code;
}

/* What has been added is committed; the rest goes on in a larger map. */
static int grow(struct builder *builder)
{
    const int code = mdb_txn_commit(builder->transaction);
    builder->transaction = NULL;
    if (code != 0)
        return code;
    builder->map_bytes *= 2;
    const int resized = mdb_env_set_mapsize(builder->environment, builder->map_bytes);
    return resized == 0 ? begin(builder) : resized;
}

static MDB_val value_from_span(struct span span)
{
    MDB_val value = {.mv_size = span.length};
    memcpy(&value.mv_data, &span.bytes, sizeof(value.mv_data)); /* the library only reads it */
    return value;
}

static int add(void *handle, struct span key, struct span value, bool replaces,
               enum table_build_added *added)
{
    struct builder *builder = handle;
    MDB_val stored_key = value_from_span(key);
    MDB_val stored_value = value_from_span(value);
    MDB_envinfo info;

    /* Ahead of need: a transaction that has run into the limit is lost. */
    if (mdb_env_info(builder->environment, &info) == 0 &&
        builder->map_bytes / 2 <
            key.length + value.length + (info.me_last_pgno + 1) * (size_t)4096) {
        const int code = grow(builder);
        if (code != 0)
            return code;
    }
    const int code = mdb_put(builder->transaction, builder->database, &stored_key, &stored_value,
                             replaces ? 0 : MDB_NOOVERWRITE);
    *added = code == MDB_KEYEXIST ? TABLE_BUILD_DUPLICATE : TABLE_BUILD_ADDED;
    return code == MDB_KEYEXIST ? 0 : code;
}

static int delete_key(void *handle, struct span key, bool *was_there)
{
    struct builder *builder = handle;
    MDB_val stored_key = value_from_span(key);
    const int code = mdb_del(builder->transaction, builder->database, &stored_key, NULL);
    *was_there = code == 0;
    return code == MDB_NOTFOUND ? 0 : code;
}

static int close_database(void *handle, bool is_abandoned)
{
    struct builder *builder = handle;
    int code = 0;

    if (!builder)
        return 0;
    if (builder->transaction && is_abandoned)
        mdb_txn_abort(builder->transaction);
    else if (builder->transaction)
        code = mdb_txn_commit(builder->transaction);
    if (builder->environment)
        mdb_env_close(builder->environment);
    free(builder);
    return code;
}

static const char *error_text(int code)
{
    return mdb_strerror(code);
}

const struct table_build_backend table_build_lmdb = {.suffix = ".lmdb",
                                                     .open = open_database,
                                                     .add = add,
                                                     .remove = delete_key,
                                                     .close = close_database,
                                                     .error = error_text};
