/* authd/db_pgsql - pgsql:/file. */
#include "config.h"

#include "db_sql.h"

#ifdef HAVE_PGSQL
#include <libpq-fe.h>

#include "module.h"

static struct {
    __typeof__(&PQconnectdbParams) connectdb_params;
    __typeof__(&PQfinish) finish;
    __typeof__(&PQstatus) status;
    __typeof__(&PQerrorMessage) error_message;
    __typeof__(&PQexec) exec;
    __typeof__(&PQresultStatus) result_status;
    __typeof__(&PQclear) clear;
    __typeof__(&PQntuples) ntuples;
    __typeof__(&PQnfields) nfields;
    __typeof__(&PQfname) fname;
    __typeof__(&PQgetvalue) getvalue;
    __typeof__(&PQgetlength) getlength;
    __typeof__(&PQgetisnull) getisnull;
    __typeof__(&PQescapeStringConn) escape_string;
} lib;

static bool load_library(struct buffer *reason)
{
    const struct module_symbol symbols[] = {
        {"PQconnectdbParams", (void *)&lib.connectdb_params},
        {"PQfinish", (void *)&lib.finish},
        {"PQstatus", (void *)&lib.status},
        {"PQerrorMessage", (void *)&lib.error_message},
        {"PQexec", (void *)&lib.exec},
        {"PQresultStatus", (void *)&lib.result_status},
        {"PQclear", (void *)&lib.clear},
        {"PQntuples", (void *)&lib.ntuples},
        {"PQnfields", (void *)&lib.nfields},
        {"PQfname", (void *)&lib.fname},
        {"PQgetvalue", (void *)&lib.getvalue},
        {"PQgetlength", (void *)&lib.getlength},
        {"PQgetisnull", (void *)&lib.getisnull},
        {"PQescapeStringConn", (void *)&lib.escape_string},
    };
    return module_load("libpq.so.5", symbols, ARRAY_LENGTH(symbols), reason);
}

/* One line of what the library says. */
static void append_error(struct sql *sql, struct buffer *reason)
{
    const char *text = lib.error_message(sql->connection);
    for (; *text; text++)
        buffer_append_byte(reason, *text == '\n' ? ' ' : (uint8_t)*text);
}

static bool connect_to(struct sql *sql, struct buffer *reason)
{
    const char *const names[] = {"host",   "port",    "user",        "password",
                                 "dbname", "sslmode", "sslrootcert", "connect_timeout",
                                 NULL};
    const char *mode = db_file_string(&sql->file, "tls_mode");
    const char *authority = db_file_string(&sql->file, "tls_ca_file");
    const char *const values[] = {db_file_string(&sql->file, "hosts"),
                                  db_file_string(&sql->file, "port"),
                                  db_file_string(&sql->file, "user"),
                                  db_file_string(&sql->file, "password"),
                                  db_file_string(&sql->file, "dbname"),
                                  mode || !authority ? mode : "verify-full",
                                  authority,
                                  "5",
                                  NULL};
    sql->connection = lib.connectdb_params(names, values, 0);
    if (sql->connection && lib.status(sql->connection) == CONNECTION_OK)
        return true;
    append_error(sql, reason);
    lib.finish(sql->connection);
    sql->connection = NULL;
    return false;
}

static void disconnect(struct sql *sql)
{
    lib.finish(sql->connection);
    sql->connection = NULL;
}

static void escape(struct buffer *out, struct span value, void *context)
{
    struct sql *sql = context;
    uint8_t *room = buffer_reserve(out, 2 * value.length + 1);
    int error = 0;
    if (!room)
        return;
    const size_t length = lib.escape_string(sql->connection, (char *)room,
                                            (const char *)value.bytes, value.length, &error);
    if (error)
        out->has_failed = true; /* not of the connection's character set */
    else
        buffer_extend(out, length);
}

static void hand_out(const PGresult *result, struct sql_rows *rows)
{
    for (int row = 0; row < lib.ntuples(result); row++) {
        sql_row_begin(rows);
        for (int i = 0; i < lib.nfields(result); i++) {
            const int length = lib.getlength(result, row, i);
            sql_row_column(rows, span_from_string(lib.fname(result, i)),
                           span_of(lib.getvalue(result, row, i), length > 0 ? (size_t)length : 0),
                           lib.getisnull(result, row, i) != 0);
        }
    }
}

static bool run(struct sql *sql, const char *query, struct sql_rows *rows, bool *is_lost,
                struct buffer *reason)
{
    PGresult *result = lib.exec(sql->connection, query);
    const ExecStatusType status = lib.result_status(result);
    const bool is_done = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (is_done && rows)
        hand_out(result, rows);
    if (!is_done)
        append_error(sql, reason);
    *is_lost = !is_done && lib.status(sql->connection) != CONNECTION_OK;
    lib.clear(result);
    return is_done;
}

static const struct sql_driver driver = {load_library, connect_to, disconnect, escape, false, run};

static bool load(struct database *database, struct buffer *reason)
{
    return sql_load(database, &driver, reason);
}

const struct database_type database_pgsql = {.name = "pgsql",
                                             .kind = DATABASE_OF_NETWORK,
                                             .load = load,
                                             .look_up = sql_look_up,
                                             .store = sql_store};
#endif
