/* authd/db_sqlite - sqlite:/file, whose dbname is the path of a database file. */
#include "config.h"

#include "db_sql.h"

#ifdef HAVE_SQLITE
#include <sqlite3.h>

#include "module.h"

enum { BUSY_TIMEOUT_MS = 5000 };

static struct {
    __typeof__(&sqlite3_open_v2) open_v2;
    __typeof__(&sqlite3_close_v2) close_v2;
    __typeof__(&sqlite3_busy_timeout) busy_timeout;
    __typeof__(&sqlite3_prepare_v2) prepare_v2;
    __typeof__(&sqlite3_step) step;
    __typeof__(&sqlite3_finalize) finalize;
    __typeof__(&sqlite3_column_count) column_count;
    __typeof__(&sqlite3_column_name) column_name;
    __typeof__(&sqlite3_column_text) column_text;
    __typeof__(&sqlite3_column_bytes) column_bytes;
    __typeof__(&sqlite3_column_type) column_type;
    __typeof__(&sqlite3_errmsg) errmsg;
} lib;

static bool load_library(struct buffer *reason)
{
    const struct module_symbol symbols[] = {
        {"sqlite3_open_v2", (void *)&lib.open_v2},
        {"sqlite3_close_v2", (void *)&lib.close_v2},
        {"sqlite3_busy_timeout", (void *)&lib.busy_timeout},
        {"sqlite3_prepare_v2", (void *)&lib.prepare_v2},
        {"sqlite3_step", (void *)&lib.step},
        {"sqlite3_finalize", (void *)&lib.finalize},
        {"sqlite3_column_count", (void *)&lib.column_count},
        {"sqlite3_column_name", (void *)&lib.column_name},
        {"sqlite3_column_text", (void *)&lib.column_text},
        {"sqlite3_column_bytes", (void *)&lib.column_bytes},
        {"sqlite3_column_type", (void *)&lib.column_type},
        {"sqlite3_errmsg", (void *)&lib.errmsg},
    };
    return module_load("libsqlite3.so.0", symbols, ARRAY_LENGTH(symbols), reason);
}

static bool connect_to(struct sql *sql, struct buffer *reason)
{
    const char *path = db_file_string(&sql->file, "dbname");
    const bool writes = db_file_get(&sql->file, "update_query", NULL).length > 0;
    sqlite3 *connection = NULL;
    if (!path) {
        buffer_append_string(reason, "there is no dbname");
        return false;
    }
    const int status =
        lib.open_v2(path, &connection, writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, NULL);
    if (status == SQLITE_OK) {
        (void)lib.busy_timeout(connection, BUSY_TIMEOUT_MS);
        sql->connection = connection;
        return true;
    }
    buffer_append_format(reason, "%s: %s", path, connection ? lib.errmsg(connection) : "no memory");
    (void)lib.close_v2(connection);
    return false;
}

static void disconnect(struct sql *sql)
{
    (void)lib.close_v2(sql->connection);
    sql->connection = NULL;
}

/* SQL's own: a quote is doubled, and nothing else means anything. */
static void escape(struct buffer *out, struct span value, void *context)
{
    (void)context;
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] == '\'')
            buffer_append_byte(out, '\'');
        buffer_append_byte(out, value.bytes[i]);
    }
}

static void hand_out(sqlite3_stmt *statement, struct sql_rows *rows)
{
    sql_row_begin(rows);
    for (int i = 0; i < lib.column_count(statement); i++) {
        const unsigned char *text = lib.column_text(statement, i);
        const int length = lib.column_bytes(statement, i);
        sql_row_column(rows, span_from_string(lib.column_name(statement, i)),
                       span_of(text, length > 0 ? (size_t)length : 0),
                       !text || lib.column_type(statement, i) == SQLITE_NULL);
    }
}

static bool run(struct sql *sql, const char *query, struct sql_rows *rows, bool *is_lost,
                struct buffer *reason)
{
    sqlite3_stmt *statement = NULL;
    int status = lib.prepare_v2(sql->connection, query, -1, &statement, NULL);
    *is_lost = false;
    while (status == SQLITE_OK || status == SQLITE_ROW) {
        status = lib.step(statement);
        if (status == SQLITE_ROW && rows)
            hand_out(statement, rows);
    }
    if (status != SQLITE_DONE)
        buffer_append_string(reason, lib.errmsg(sql->connection));
    (void)lib.finalize(statement);
    return status == SQLITE_DONE;
}

static const struct sql_driver driver = {load_library, connect_to, disconnect, escape, false, run};

static bool load(struct database *database, struct buffer *reason)
{
    if (!sql_load(database, &driver, reason))
        return false;
    database->data_path = db_file_get(&((struct sql *)database->state)->file, "dbname", NULL);
    return true;
}

const struct database_type database_sqlite = {.name = "sqlite",
                                              .kind = DATABASE_OF_FILES,
                                              .load = load,
                                              .look_up = sql_look_up,
                                              .store = sql_store};
#endif
