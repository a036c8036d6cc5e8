/* table/cdb - cdb:FILE, constant databases FILE.cdb as postmap makes them. */
#include <cdb.h>
#include <errno.h>
#include <unistd.h>

#include "table/mapped.h"

enum { HEADER_BYTES = 2048 };

struct constant {
    struct mapped mapped;
    struct cdb database;
    bool is_open;
};

/* What is written last stands first: without it the library finds nothing, and no fault. */
static bool has_header(int descriptor)
{
    uint8_t first[4]; /* where the first of the tables behind the data begins */
    if (pread(descriptor, first, sizeof(first), 0) == (ssize_t)sizeof(first) &&
        (first[1] >= HEADER_BYTES >> 8 || first[2] || first[3]))
        return true;
    errno = EPROTO;
    return false;
}

static bool open_file(struct table *table)
{
    struct constant *constant = table->state;
    const int descriptor = constant->mapped.descriptor;
    constant->is_open = has_header(descriptor) && cdb_init(&constant->database, descriptor) == 0;
    if (!constant->is_open)
        table_fail(table, "open database %s: %s", table->file,
                   errno == EPROTO ? "it is damaged" : strerror(errno));
    return constant->is_open;
}

static void close_file(struct table *table)
{
    struct constant *constant = table->state;
    if (constant->is_open)
        cdb_free(&constant->database);
    constant->is_open = false;
}

static const struct mapped_kind kind = {".cdb", open_file, close_file};

static bool constant_open(struct table *table, struct span argument)
{
    return mapped_create(table, argument, sizeof(struct constant), kind.suffix);
}

static enum table_result constant_prepare(struct table *table)
{
    return mapped_acquire(table, &kind);
}

static enum table_result get(struct table *table, struct span key, struct buffer *value)
{
    struct constant *constant = table->state;
    struct cdb *database = &constant->database;
    const int found = cdb_find(database, key.bytes, (unsigned)key.length);

    if (found == 0)
        return TABLE_NOT_FOUND;
    const void *data =
        found > 0 ? cdb_get(database, cdb_datalen(database), cdb_datapos(database)) : NULL;
    if (!data) {
        table_fail(table, "read database %s: %s", table->file, "it is damaged");
        return TABLE_ERROR;
    }
    buffer_append(value, data, cdb_datalen(database));
    return TABLE_FOUND;
}

static enum table_result constant_lookup(struct table *table, struct span key, struct buffer *value)
{
    const enum table_result result = mapped_acquire(table, &kind);
    return result == TABLE_FOUND ? mapped_lookup(table, key, value, get) : result;
}

static enum table_result
constant_walk(struct table *table, bool (*visit)(void *context, struct span key, struct span value),
              void *context)
{
    struct constant *constant = table->state;
    struct cdb *database = &constant->database;
    unsigned position;
    int next;

    if (mapped_acquire(table, &kind) != TABLE_FOUND)
        return TABLE_ERROR;
    cdb_seqinit(&position, database);
    while ((next = cdb_seqnext(&position, database)) > 0) {
        const void *key = cdb_get(database, cdb_keylen(database), cdb_keypos(database));
        const void *data = cdb_get(database, cdb_datalen(database), cdb_datapos(database));
        if (!key || !data)
            next = -1;
        if (next < 0 || !visit(context, mapped_without_nul(span_of(key, cdb_keylen(database))),
                               mapped_without_nul(span_of(data, cdb_datalen(database)))))
            break;
    }
    if (next >= 0)
        return TABLE_FOUND;
    table_fail(table, "read database %s: %s", table->file, "it is damaged");
    return TABLE_ERROR;
}

static void constant_close(struct table *table)
{
    mapped_close(table, &kind);
}

const struct table_kind table_kind_cdb = {.type = "cdb",
                                          .open = constant_open,
                                          .lookup = constant_lookup,
                                          .walk = constant_walk,
                                          .prepare = constant_prepare,
                                          .close = constant_close};
