/* table/build_cdb - building cdb: files. See build_private.h. */
#include <cdb.h>
#include <errno.h>
#include <stdlib.h>

#include "table/build_private.h"

static int last_error(int result)
{
    return result < 0 ? (errno ? errno : EIO) : 0;
}

static int open_database(void **handle, enum table_build_type type UNUSED, const char *path UNUSED,
                         int descriptor, bool has_content UNUSED)
{
    struct cdb_make *maker = calloc(1, sizeof(*maker));
    *handle = maker;
    if (!maker)
        return ENOMEM;
    const int error = last_error(cdb_make_start(maker, descriptor));
    if (error == 0)
        return 0;
    free(maker);
    *handle = NULL;
    return error;
}

static int add(void *handle, struct span key, struct span value, bool replaces,
               enum table_build_added *added)
{
    struct cdb_make *maker = handle;
    /* CDB_PUT_INSERT leaves a key that is there; 1: it was. */
    const int result =
        cdb_make_put(maker, key.bytes, (unsigned)key.length, value.bytes, (unsigned)value.length,
                     replaces ? CDB_PUT_REPLACE : CDB_PUT_INSERT);
    *added = result > 0 && !replaces ? TABLE_BUILD_DUPLICATE : TABLE_BUILD_ADDED;
    return last_error(result);
}

static int close_database(void *handle, bool is_abandoned UNUSED)
{
    struct cdb_make *maker = handle;
    const int error = maker ? last_error(cdb_make_finish(maker)) : 0;
    free(maker);
    return error;
}

static const char *error_text(int code)
{
    return strerror(code);
}

const struct table_build_backend table_build_cdb = {.suffix = ".cdb",
                                                    .is_constant = true,
                                                    .open = open_database,
                                                    .add = add,
                                                    .close = close_database,
                                                    .error = error_text};
