/* authd/db_mysql - mysql:/file, MySQL and MariaDB. */
#include "config.h"

#include "db_sql.h"

#ifdef HAVE_MYSQL
#include <errmsg.h>
#include <mysql.h>

#include "base/number.h"
#include "module.h"

enum { TIMEOUT_S = 5 };

static struct {
    __typeof__(&mysql_init) init;
    __typeof__(&mysql_options) options;
    __typeof__(&mysql_ssl_set) ssl_set;
    __typeof__(&mysql_real_connect) real_connect;
    __typeof__(&mysql_close) close;
    __typeof__(&mysql_error) error;
    __typeof__(&mysql_errno) error_number;
    __typeof__(&mysql_real_query) real_query;
    __typeof__(&mysql_store_result) store_result;
    __typeof__(&mysql_free_result) free_result;
    __typeof__(&mysql_num_fields) num_fields;
    __typeof__(&mysql_fetch_fields) fetch_fields;
    __typeof__(&mysql_fetch_row) fetch_row;
    __typeof__(&mysql_fetch_lengths) fetch_lengths;
    __typeof__(&mysql_real_escape_string) escape_string;
} lib;

static bool load_library(struct buffer *reason)
{
    const struct module_symbol symbols[] = {
        {"mysql_init", (void *)&lib.init},
        {"mysql_options", (void *)&lib.options},
        {"mysql_ssl_set", (void *)&lib.ssl_set},
        {"mysql_real_connect", (void *)&lib.real_connect},
        {"mysql_close", (void *)&lib.close},
        {"mysql_error", (void *)&lib.error},
        {"mysql_errno", (void *)&lib.error_number},
        {"mysql_real_query", (void *)&lib.real_query},
        {"mysql_store_result", (void *)&lib.store_result},
        {"mysql_free_result", (void *)&lib.free_result},
        {"mysql_num_fields", (void *)&lib.num_fields},
        {"mysql_fetch_fields", (void *)&lib.fetch_fields},
        {"mysql_fetch_row", (void *)&lib.fetch_row},
        {"mysql_fetch_lengths", (void *)&lib.fetch_lengths},
        {"mysql_real_escape_string", (void *)&lib.escape_string},
    };
    return module_load("libmariadb.so.3", symbols, ARRAY_LENGTH(symbols), reason);
}

/* As libpq takes its sslmode; without it an authority is there to be asked. */
static void set_tls(struct sql *sql, MYSQL *connection)
{
    const char *authority = db_file_string(&sql->file, "tls_ca_file");
    const struct span mode = db_file_get(&sql->file, "tls_mode", authority ? "verify-full" : NULL);
    const my_bool verifies = span_starts_with(mode, SPAN("verify-"));
    const my_bool is_required = verifies || span_equals(mode, SPAN("require"));
    if (is_required || authority)
        (void)lib.ssl_set(connection, NULL, NULL, authority, NULL, NULL);
    (void)lib.options(connection, MYSQL_OPT_SSL_ENFORCE, &is_required);
    (void)lib.options(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verifies);
}

static bool connect_to(struct sql *sql, struct buffer *reason)
{
    const unsigned timeout_s = TIMEOUT_S, by_tcp = MYSQL_PROTOCOL_TCP;
    const char *host = db_file_string(&sql->file, "hosts");
    const bool is_socket = host && host[0] == '/';
    uint64_t port = 0;
    MYSQL *connection = lib.init(NULL);
    if (!connection) {
        buffer_append_string(reason, "memory is out");
        return false;
    }
    (void)!number_parse_uint64(db_file_get(&sql->file, "port", NULL), UINT16_MAX, &port);
    (void)lib.options(connection, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_s);
    if (!is_socket) /* also "localhost", which the library takes for a socket otherwise */
        (void)lib.options(connection, MYSQL_OPT_PROTOCOL, &by_tcp);
    set_tls(sql, connection);
    if (lib.real_connect(connection, is_socket ? NULL : host, db_file_string(&sql->file, "user"),
                         db_file_string(&sql->file, "password"),
                         db_file_string(&sql->file, "dbname"), (unsigned)port,
                         is_socket ? host : NULL, 0)) {
        sql->connection = connection;
        return true;
    }
    buffer_append_string(reason, lib.error(connection));
    lib.close(connection);
    return false;
}

static void disconnect(struct sql *sql)
{
    lib.close(sql->connection);
    sql->connection = NULL;
}

static void escape(struct buffer *out, struct span value, void *context)
{
    struct sql *sql = context;
    uint8_t *room = buffer_reserve(out, 2 * value.length + 1);
    if (!room)
        return;
    buffer_extend(out, lib.escape_string(sql->connection, (char *)room, (const char *)value.bytes,
                                         (unsigned long)value.length));
}

static void hand_out(MYSQL_RES *result, struct sql_rows *rows)
{
    const unsigned count = lib.num_fields(result);
    const MYSQL_FIELD *fields = lib.fetch_fields(result);
    MYSQL_ROW row;
    while ((row = lib.fetch_row(result)) != NULL) {
        const unsigned long *lengths = lib.fetch_lengths(result);
        sql_row_begin(rows);
        for (unsigned i = 0; i < count; i++)
            sql_row_column(rows, span_from_string(fields[i].name),
                           span_of(row[i], row[i] ? lengths[i] : 0), row[i] == NULL);
    }
}

static bool run(struct sql *sql, const char *query, struct sql_rows *rows, bool *is_lost,
                struct buffer *reason)
{
    const int status = lib.real_query(sql->connection, query, (unsigned long)strlen(query));
    MYSQL_RES *result = status == 0 ? lib.store_result(sql->connection) : NULL;
    const unsigned error = lib.error_number(sql->connection);
    if (result && rows)
        hand_out(result, rows);
    if (result)
        lib.free_result(result);
    *is_lost = error == CR_SERVER_GONE_ERROR || error == CR_SERVER_LOST;
    if (error)
        buffer_append_string(reason, lib.error(sql->connection));
    return error == 0;
}

static const struct sql_driver driver = {load_library, connect_to, disconnect, escape, true, run};

static bool load(struct database *database, struct buffer *reason)
{
    return sql_load(database, &driver, reason);
}

const struct database_type database_mysql = {.name = "mysql",
                                             .kind = DATABASE_OF_NETWORK,
                                             .load = load,
                                             .look_up = sql_look_up,
                                             .store = sql_store};
#endif
