/* authd/db_sql - see db_sql.h. */
#include "db_sql.h"

#include <stdlib.h>

enum { QUERY_MAX_BYTES = 32768, ATTEMPTS = 2 };

bool sql_load(struct database *database, const struct sql_driver *driver, struct buffer *reason)
{
    struct sql *sql = calloc(1, sizeof(*sql));
    if (!sql) {
        buffer_append_string(reason, "memory is out");
        return false;
    }
    sql->driver = driver;
    database->state = sql;
    if (!db_file_read(&sql->file, database->argument, db_file_sql_names, reason) ||
        !driver->load(reason))
        return false;
    database->data_path = db_file_get(&sql->file, "tls_ca_file", NULL);
    if (db_file_get(&sql->file, "query", NULL).length > 0)
        return true;
    buffer_append_format(reason, "%.*s has no query", SPAN_PRINTF(database->argument));
    return false;
}

void sql_row_begin(struct sql_rows *rows)
{
    struct account *account = rows->account;
    rows->count++;
    if (account->password_count == ACCOUNT_PASSWORDS_MAX) {
        rows->is_wrong = true;
        return;
    }
    account->passwords[account->password_count++] =
        (struct account_password){span_empty(), span_empty(), span_empty()};
}

void sql_row_column(struct sql_rows *rows, struct span name, struct span value, bool is_null)
{
    struct account *account = rows->account;
    if (is_null || rows->is_wrong)
        return;
    struct account_password *password = &account->passwords[account->password_count - 1];
    const struct span copy = arena_copy(rows->arena, value);
    if (!copy.bytes)
        rows->is_wrong = true;
    else if (span_equals_ascii_nocase(name, SPAN("password")))
        password->stored = copy;
    else if (span_equals_ascii_nocase(name, SPAN("app_name")))
        password->name = copy;
    else if (span_equals_ascii_nocase(name, SPAN("app_scope")) ||
             span_equals_ascii_nocase(name, SPAN("scope")))
        password->scope = copy;
    else if (span_equals_ascii_nocase(name, SPAN("nologin")) ||
             span_equals_ascii_nocase(name, SPAN("nopassword"))) {
        /* A column is always there: it is its value that says so. */
        const bool is_true = copy.length > 0 && !span_equals(copy, SPAN("0")) &&
                             !span_equals_ascii_nocase(copy, SPAN("f")) &&
                             !span_equals_ascii_nocase(copy, SPAN("no")) &&
                             !span_equals_ascii_nocase(copy, SPAN("false"));
        if (is_true && span_equals_ascii_nocase(name, SPAN("nologin")))
            account->is_disabled = true;
        else if (is_true)
            account->needs_no_password = true;
    } else if (span_equals_ascii_nocase(name, SPAN("user")) ||
               span_equals_ascii_nocase(name, SPAN("allow_nets")))
        rows->is_wrong = !account_set(
            account,
            span_equals_ascii_nocase(name, SPAN("user")) ? SPAN("user") : SPAN("allow_nets"), copy);
}

/* Connects, if need be again, and runs it. */
static bool run(struct sql *sql, const char *query, struct sql_rows *rows, struct buffer *reason)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        bool is_lost = false;
        buffer_reset(reason);
        if (!sql->is_connected && !(sql->is_connected = sql->driver->connect(sql, reason)))
            return false;
        if (sql->driver->run(sql, query, rows, &is_lost, reason))
            return true;
        if (!is_lost)
            return false;
        sql->driver->disconnect(sql);
        sql->is_connected = false;
    }
    return false;
}

/* Some databases take what stands between double quotes for a text, and yet their escaping knows
 * single ones only: with such a query nothing may hold a double quote. */
static bool is_safe(const struct sql *sql, struct span text, struct span value)
{
    return sql->driver->escapes_double_quotes || span_find_byte(text, '"') == text.length ||
           span_find_byte(value, '"') == value.length;
}

static const char *make_query(struct sql *sql, struct span text,
                              const struct db_substitution *substitutions, size_t count,
                              struct arena *arena, struct buffer *reason)
{
    struct buffer query;
    buffer_init(&query, arena, QUERY_MAX_BYTES);
    /* Escaping may ask the connection for its character set. */
    if (!sql->is_connected && !(sql->is_connected = sql->driver->connect(sql, reason)))
        return NULL;
    if (!db_expand(text, substitutions, count, sql->driver->escape, sql, &query)) {
        buffer_append_string(reason, "a query has a % that means nothing");
        return NULL;
    }
    const char *result = buffer_ok(&query) ? arena_string(arena, buffer_span(&query)) : NULL;
    if (!result)
        buffer_append_string(reason, "a query is too long");
    return result;
}

enum database_result sql_look_up(struct database *database, struct span user, struct arena *arena,
                                 struct account *account, struct buffer *reason)
{
    struct sql *sql = database->state;
    struct sql_rows rows = {.account = account, .arena = arena};
    const struct db_substitution substitutions[] = {{'u', user}};
    *account = (struct account){.user = span_empty(), .allow_nets = span_empty()};
    const struct span text = db_file_get(&sql->file, "query", NULL);
    if (span_find_byte(user, '\0') < user.length || !is_safe(sql, text, user))
        return DATABASE_NOT_FOUND;
    const char *query =
        make_query(sql, text, substitutions, ARRAY_LENGTH(substitutions), arena, reason);
    if (!query || !run(sql, query, &rows, reason))
        return DATABASE_ERROR;
    if (rows.is_wrong) {
        buffer_append_string(reason, "what the query found of a user is too much");
        return DATABASE_ERROR;
    }
    if (rows.count == 0)
        return DATABASE_NOT_FOUND;
    /* A row whose password is NULL: the user is there and has none. */
    size_t kept = 0;
    for (size_t i = 0; i < account->password_count; i++)
        if (account->passwords[i].stored.length > 0)
            account->passwords[kept++] = account->passwords[i];
    account->password_count = kept;
    return DATABASE_FOUND;
}

bool sql_store(struct database *database, struct span user, struct span old_stored,
               struct span new_stored, struct buffer *reason)
{
    struct sql *sql = database->state;
    const struct db_substitution substitutions[] = {
        {'u', user}, {'o', old_stored}, {'w', new_stored}};
    struct arena arena;
    const struct span text = db_file_get(&sql->file, "update_query", NULL);
    if (text.length == 0) {
        buffer_append_string(reason, "there is no update_query");
        return false;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(substitutions); i++) {
        if (is_safe(sql, text, substitutions[i].value))
            continue;
        buffer_append_string(reason, "update_query has double quotes, and so has a value");
        return false;
    }
    arena_init(&arena, 4 * QUERY_MAX_BYTES, ARENA_WIPE);
    const char *query =
        make_query(sql, text, substitutions, ARRAY_LENGTH(substitutions), &arena, reason);
    const bool is_stored = query && run(sql, query, NULL, reason);
    arena_destroy(&arena);
    return is_stored;
}
