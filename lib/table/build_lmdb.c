/* table/build_lmdb - building lmdb: files, in one transaction. See build_private.h.
 * The map's size is a promise of room in the address space and not of the disk. A transaction that
 * runs into it is lost, so what the next one may need is reckoned, and where that is too much the
 * map doubles, between two transactions. */
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "table/build_private.h"

enum {
    MAP_FIRST_BYTES = 16 * 1024 * 1024, /* lmdb_map_size */
    MAP_SPARE_BYTES = 1024 * 1024,      /* for the library's own lists */
    ENTRY_SPARE_BYTES = 64,
    PAGE_BYTES = 65536 /* the largest there is, where the memory's is */
};

struct builder {
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_dbi database;
    size_t map_bytes;
    size_t committed_bytes; /* of the file; each of its pages may be written anew */
    size_t pending_bytes;   /* the most that was added since */
};

static size_t needed_bytes(const struct builder *builder)
{
    return 2 * builder->committed_bytes + builder->pending_bytes + MAP_SPARE_BYTES;
}

/* Room for twice as much as there is. */
static void choose_size(struct builder *builder)
{
    while (builder->map_bytes / 2 < needed_bytes(builder))
        builder->map_bytes *= 2;
}

static int begin(struct builder *builder)
{
    int code = mdb_txn_begin(builder->environment, NULL, 0, &builder->transaction);
    if (code == 0)
        code = mdb_dbi_open(builder->transaction, NULL, 0, &builder->database);
    return code;
}

static int open_database(void **handle, enum table_build_type type UNUSED, const char *path,
                         int descriptor, bool has_content UNUSED)
{
    struct builder *builder = calloc(1, sizeof(*builder));
    struct stat status;
    *handle = builder;
    if (!builder)
        return ENOMEM;
    if (fstat(descriptor, &status) != 0)
        return errno;
    builder->map_bytes = MAP_FIRST_BYTES;
    builder->committed_bytes = (size_t)status.st_size;
    choose_size(builder);
    int code = mdb_env_create(&builder->environment);
    if (code == 0)
        code = mdb_env_set_mapsize(builder->environment, builder->map_bytes);
    if (code == 0)
        code = mdb_env_open(builder->environment, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    return code == 0 ? begin(builder) : code;
}

/* What has been added is committed; the rest goes on in a larger map. */
static int grow(struct builder *builder, size_t entry_bytes)
{
    MDB_envinfo info;
    MDB_stat pages;
    int code = mdb_txn_commit(builder->transaction);
    builder->transaction = NULL;
    if (code == 0)
        code = mdb_env_info(builder->environment, &info);
    if (code == 0)
        code = mdb_env_stat(builder->environment, &pages);
    if (code != 0)
        return code;
    builder->committed_bytes = (info.me_last_pgno + 1) * pages.ms_psize;
    builder->pending_bytes = entry_bytes;
    choose_size(builder);
    code = mdb_env_set_mapsize(builder->environment, builder->map_bytes);
    return code == 0 ? begin(builder) : code;
}

/* The most that an entry takes: pages are half full at the worst, and a long value has pages of its
 * own. */
static size_t bytes_of_entry(struct span key, struct span value)
{
    const size_t bytes = key.length + value.length + ENTRY_SPARE_BYTES;
    return 2 * bytes + (value.length > 1024 ? PAGE_BYTES : 0);
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
    const size_t entry_bytes = bytes_of_entry(key, value);

    builder->pending_bytes += entry_bytes;
    if (needed_bytes(builder) > builder->map_bytes) {
        const int code = grow(builder, entry_bytes);
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
