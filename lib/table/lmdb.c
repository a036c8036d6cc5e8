/* table/lmdb - lmdb:FILE, LMDB files FILE.lmdb as postmap makes them. They are opened without the
 * library's own lock file: readers may not write beside the table. */
#include <lmdb.h>

#include "table/mapped.h"

struct lightning {
    struct mapped mapped;
    MDB_env *environment; /* NULL: not open */
    MDB_dbi database;
    bool is_short; /* asked where the death of a process costs one question */
};

static bool fail(struct table *table, const char *what, int code)
{
    table_fail(table, "%s database %s: %s", what, table->file, mdb_strerror(code));
    return false;
}

/* A page behind the end of a mapped file is the end of whoever looks at it. In a file that is cut
 * off some are missed; the last of one that was changed may be missing because nobody needs them.
 */
static bool is_short(const struct lightning *lightning)
{
    MDB_envinfo facts;
    MDB_stat pages;
    return mdb_env_info(lightning->environment, &facts) != 0 ||
           mdb_env_stat(lightning->environment, &pages) != 0 ||
           (uint64_t)lightning->mapped.identity.size_bytes <
               ((uint64_t)facts.me_last_pgno + 1) * pages.ms_psize;
}

static bool open_file(struct table *table)
{
    struct lightning *lightning = table->state;
    MDB_txn *transaction = NULL;

    int code = mdb_env_create(&lightning->environment);
    if (code == 0)
        code = mdb_env_open(lightning->environment, table->file,
                            MDB_RDONLY | MDB_NOSUBDIR | MDB_NOLOCK, 0);
    lightning->is_short = code == 0 && is_short(lightning);
    if (code == 0)
        code = mdb_txn_begin(lightning->environment, NULL, MDB_RDONLY, &transaction);
    if (code == 0)
        code = mdb_dbi_open(transaction, NULL, 0, &lightning->database);
    if (transaction && code == 0)
        code = mdb_txn_commit(transaction);
    else if (transaction)
        mdb_txn_abort(transaction);
    return code == 0 || fail(table, "open", code);
}

static void close_file(struct table *table)
{
    struct lightning *lightning = table->state;
    if (lightning->environment)
        mdb_env_close(lightning->environment);
    lightning->environment = NULL;
}

static const struct mapped_kind kind = {".lmdb", open_file, close_file};

static bool lightning_open(struct table *table, struct span argument)
{
    return mapped_create(table, argument, sizeof(struct lightning), kind.suffix);
}

static enum table_result lightning_prepare(struct table *table)
{
    return mapped_acquire(table, &kind);
}

static MDB_val value_from_span(struct span span)
{
    MDB_val value = {.mv_size = span.length};
    memcpy(&value.mv_data, &span.bytes, sizeof(value.mv_data)); /* the library only reads it */
    return value;
}

static enum table_result get(struct table *table, struct span key, struct buffer *value)
{
    struct lightning *lightning = table->state;
    MDB_txn *transaction = NULL;
    MDB_val wanted = value_from_span(key);
    MDB_val found;

    if (key.length == 0 || key.length > (size_t)mdb_env_get_maxkeysize(lightning->environment))
        return TABLE_NOT_FOUND;
    int code = mdb_txn_begin(lightning->environment, NULL, MDB_RDONLY, &transaction);
    if (code == 0)
        code = mdb_get(transaction, lightning->database, &wanted, &found);
    if (code == 0)
        buffer_append(value, found.mv_data, found.mv_size);
    if (transaction)
        mdb_txn_abort(transaction);
    if (code == MDB_NOTFOUND)
        return TABLE_NOT_FOUND;
    return code == 0 || fail(table, "read", code) ? TABLE_FOUND : TABLE_ERROR;
}

static enum table_result lightning_lookup(struct table *table, struct span key,
                                          struct buffer *value)
{
    const struct lightning *lightning = table->state;
    const enum table_result result = mapped_acquire(table, &kind);
    if (result == TABLE_FOUND && lightning->is_short && !(table->options.flags & TABLE_MAY_BLOCK))
        return TABLE_WOULD_BLOCK;
    return result == TABLE_FOUND ? mapped_lookup(table, key, value, get) : result;
}

static enum table_result
lightning_walk(struct table *table,
               bool (*visit)(void *context, struct span key, struct span value), void *context)
{
    struct lightning *lightning = table->state;
    MDB_txn *transaction = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;

    if (mapped_acquire(table, &kind) != TABLE_FOUND)
        return TABLE_ERROR;
    int code = mdb_txn_begin(lightning->environment, NULL, MDB_RDONLY, &transaction);
    if (code == 0)
        code = mdb_cursor_open(transaction, lightning->database, &cursor);
    while (code == 0 && (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
        if (!visit(context, mapped_without_nul(span_of(key.mv_data, key.mv_size)),
                   mapped_without_nul(span_of(value.mv_data, value.mv_size))))
            break;
    if (cursor)
        mdb_cursor_close(cursor);
    if (transaction)
        mdb_txn_abort(transaction);
    return code == 0 || code == MDB_NOTFOUND || fail(table, "read", code) ? TABLE_FOUND
                                                                          : TABLE_ERROR;
}

static void lightning_close(struct table *table)
{
    mapped_close(table, &kind);
}

const struct table_kind table_kind_lmdb = {.type = "lmdb",
                                           .open = lightning_open,
                                           .lookup = lightning_lookup,
                                           .walk = lightning_walk,
                                           .prepare = lightning_prepare,
                                           .close = lightning_close};
