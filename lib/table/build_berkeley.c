/* table/build_berkeley - building hash: and btree: files. See build_private.h. */
#include <db.h>

#include "table/berkeley.h"
#include "table/build_private.h"

enum {
    BUILD_CACHE_BYTES = 16 * 1024 * 1024,
    BUILD_HASH_ELEMENTS = 4096 /* what Postfix tells the library to expect */
};

/* The database library goes by names, so it opens the file once more. */
static int open_database(void **handle, enum table_build_type type, const char *path,
                         int descriptor UNUSED, bool has_content)
{
    const bool is_hash = type == TABLE_BUILD_HASH;
    DB *database = NULL;

    int error = berkeley_create(&database, BUILD_CACHE_BYTES);
    if (error == 0 && is_hash && !has_content)
        error = database->set_h_nelem(database, BUILD_HASH_ELEMENTS);
    if (error == 0)
        error = database->open(database, NULL, path, NULL, is_hash ? DB_HASH : DB_BTREE,
                               has_content ? 0 : DB_CREATE | DB_TRUNCATE, 0600);
    *handle = database;
    return error;
}

static int add(void *handle, struct span key, struct span value, bool replaces,
               enum table_build_added *added)
{
    DB *database = handle;
    DBT stored_key = berkeley_thing(key);
    DBT stored_value = berkeley_thing(value);
    const int error =
        database->put(database, NULL, &stored_key, &stored_value, replaces ? 0 : DB_NOOVERWRITE);
    *added = error == DB_KEYEXIST ? TABLE_BUILD_DUPLICATE : TABLE_BUILD_ADDED;
    return error == DB_KEYEXIST ? 0 : error;
}

static int delete_key(void *handle, struct span key, bool *was_there)
{
    DB *database = handle;
    DBT stored_key = berkeley_thing(key);
    const int error = database->del(database, NULL, &stored_key, 0);
    *was_there = error == 0;
    return error == DB_NOTFOUND ? 0 : error;
}

static int close_database(void *handle, bool is_abandoned)
{
    DB *database = handle;
    return database ? database->close(database, is_abandoned ? DB_NOSYNC : 0) : 0;
}

static const char *error_text(int code)
{
    return db_strerror(code);
}

const struct table_build_backend table_build_berkeley = {.suffix = ".db",
                                                         .open = open_database,
                                                         .add = add,
                                                         .remove = delete_key,
                                                         .close = close_database,
                                                         .error = error_text};
