/* authd/db_sql - accounts in SQL: what is common to sqlite, pgsql and mysql. A driver runs a query
 * and hands out its rows; here the query is made and the rows are read.
 * Callers: authd/db_sqlite, authd/db_pgsql, authd/db_mysql. */
#ifndef AUTHD_DB_SQL_H
#define AUTHD_DB_SQL_H

#include "auth/db_file.h"
#include "db_types.h"

struct sql {
    const struct sql_driver *driver;
    struct db_file file;
    void *connection; /* the driver's; NULL: none */
    bool is_connected;
};

/* Rows of a query, as texts; a value that is NULL has bytes NULL. */
struct sql_rows {
    struct account *account;
    struct arena *arena;
    size_t count;
    bool is_wrong; /* a row cannot be understood */
};
/* One column of the row that is being handed out. Texts are copied. */
void sql_row_begin(struct sql_rows *rows);
void sql_row_column(struct sql_rows *rows, struct span name, struct span value, bool is_null);

struct sql_driver {
    bool (*load)(struct buffer *reason);
    bool (*connect)(struct sql *sql, struct buffer *reason);
    void (*disconnect)(struct sql *sql);
    /* What is to stand between quotes: single ones only, unless escapes_double_quotes. */
    void (*escape)(struct buffer *out, struct span value, void *sql);
    bool escapes_double_quotes;
    /* rows NULL: nothing is expected. *is_lost: of no use any more, to be connected again. */
    bool (*run)(struct sql *sql, const char *query, struct sql_rows *rows, bool *is_lost,
                struct buffer *reason);
};

MUST_USE bool sql_load(struct database *database, const struct sql_driver *driver,
                       struct buffer *reason);
enum database_result sql_look_up(struct database *database, struct span user, struct arena *arena,
                                 struct account *account, struct buffer *reason);
bool sql_store(struct database *database, struct span user, struct span old_stored,
               struct span new_stored, struct buffer *reason);

#endif
