/* authd/db_ldap - ldap:/file, a directory: passwords are looked up, or tried by binding. */
#include "config.h"

#include "auth/db_file.h"
#include "db_types.h"

#ifdef HAVE_LDAP
#include <ldap.h>
#include <stdlib.h>
#include <sys/time.h>

#include "module.h"

enum { TIMEOUT_S = 5, FILTER_MAX_BYTES = 8192, ATTEMPTS = 2 };

static struct {
    __typeof__(&ldap_initialize) initialize;
    __typeof__(&ldap_set_option) set_option;
    __typeof__(&ldap_start_tls_s) start_tls;
    __typeof__(&ldap_sasl_bind_s) bind;
    __typeof__(&ldap_unbind_ext_s) unbind;
    __typeof__(&ldap_search_ext_s) search;
    __typeof__(&ldap_count_entries) count_entries;
    __typeof__(&ldap_first_entry) first_entry;
    __typeof__(&ldap_get_dn) get_dn;
    __typeof__(&ldap_get_values_len) get_values;
    __typeof__(&ldap_value_free_len) free_values;
    __typeof__(&ldap_memfree) memfree;
    __typeof__(&ldap_msgfree) msgfree;
    __typeof__(&ldap_err2string) err2string;
} lib;

struct directory {
    struct db_file file;
    LDAP *connection; /* bound as bind_dn; NULL: none */
};

static bool load(struct database *database, struct buffer *reason)
{
    const struct module_symbol symbols[] = {
        {"ldap_initialize", (void *)&lib.initialize},
        {"ldap_set_option", (void *)&lib.set_option},
        {"ldap_start_tls_s", (void *)&lib.start_tls},
        {"ldap_sasl_bind_s", (void *)&lib.bind},
        {"ldap_unbind_ext_s", (void *)&lib.unbind},
        {"ldap_search_ext_s", (void *)&lib.search},
        {"ldap_count_entries", (void *)&lib.count_entries},
        {"ldap_first_entry", (void *)&lib.first_entry},
        {"ldap_get_dn", (void *)&lib.get_dn},
        {"ldap_get_values_len", (void *)&lib.get_values},
        {"ldap_value_free_len", (void *)&lib.free_values},
        {"ldap_memfree", (void *)&lib.memfree},
        {"ldap_msgfree", (void *)&lib.msgfree},
        {"ldap_err2string", (void *)&lib.err2string},
    };
    struct directory *directory = calloc(1, sizeof(*directory));
    if (!directory) {
        buffer_append_string(reason, "memory is out");
        return false;
    }
    database->state = directory;
    if (!db_file_read(&directory->file, database->argument, db_file_ldap_names, reason) ||
        !module_load(HAVE_LDAP, symbols, ARRAY_LENGTH(symbols), reason))
        return false;
    database->data_path = db_file_get(&directory->file, "tls_ca_file", NULL);
    database->decides_itself =
        span_equals(db_file_get(&directory->file, "auth_bind", "no"), SPAN("yes"));
    if (db_file_get(&directory->file, "uri", NULL).length > 0 &&
        db_file_get(&directory->file, "base", NULL).length > 0)
        return true;
    buffer_append_format(reason, "%.*s must have uri and base", SPAN_PRINTF(database->argument));
    return false;
}

static int bind_as(LDAP *connection, const char *dn, struct span password)
{
    struct berval secret = {.bv_len = password.length, .bv_val = (char *)(uintptr_t)password.bytes};
    return lib.bind(connection, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
}

/* That authority and no other: without a context of its own the connection would use the one of the
 * system's configuration, whatever its options say. */
static int trust(LDAP *connection, const char *authority)
{
    const int demands = LDAP_OPT_X_TLS_DEMAND, is_server = 0;
    return lib.set_option(connection, LDAP_OPT_X_TLS_CACERTFILE, authority) == LDAP_OPT_SUCCESS &&
                   lib.set_option(connection, LDAP_OPT_X_TLS_REQUIRE_CERT, &demands) ==
                       LDAP_OPT_SUCCESS &&
                   lib.set_option(connection, LDAP_OPT_X_TLS_NEWCTX, &is_server) == LDAP_OPT_SUCCESS
               ? LDAP_SUCCESS
               : LDAP_CONNECT_ERROR;
}

static LDAP *connect_to(struct directory *directory, int *status)
{
    const int version = LDAP_VERSION3;
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    const char *authority = db_file_string(&directory->file, "tls_ca_file");
    LDAP *connection = NULL;
    *status = lib.initialize(&connection, db_file_string(&directory->file, "uri"));
    if (*status != LDAP_SUCCESS)
        return NULL;
    (void)lib.set_option(connection, LDAP_OPT_PROTOCOL_VERSION, &version);
    (void)lib.set_option(connection, LDAP_OPT_NETWORK_TIMEOUT, &timeout);
    (void)lib.set_option(connection, LDAP_OPT_TIMEOUT, &timeout);
    (void)lib.set_option(connection, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    if (authority)
        *status = trust(connection, authority);
    if (*status == LDAP_SUCCESS &&
        span_equals(db_file_get(&directory->file, "start_tls", "no"), SPAN("yes")))
        *status = lib.start_tls(connection, NULL, NULL);
    if (*status == LDAP_SUCCESS)
        return connection;
    (void)lib.unbind(connection, NULL, NULL);
    return NULL;
}

static bool ensure_bound(struct directory *directory, struct buffer *reason)
{
    int status;
    if (directory->connection)
        return true;
    LDAP *connection = connect_to(directory, &status);
    if (connection) {
        const char *dn = db_file_string(&directory->file, "bind_dn");
        status =
            bind_as(connection, dn ? dn : "", db_file_get(&directory->file, "bind_password", NULL));
        if (status == LDAP_SUCCESS) {
            directory->connection = connection;
            return true;
        }
        (void)lib.unbind(connection, NULL, NULL);
    }
    buffer_append_format(reason, "%.*s: %s",
                         SPAN_PRINTF(db_file_get(&directory->file, "uri", NULL)),
                         lib.err2string(status));
    return false;
}

/* RFC 4515 section 3 */
static void escape(struct buffer *out, struct span value, void *context)
{
    (void)context;
    for (size_t i = 0; i < value.length; i++) {
        const uint8_t byte = value.bytes[i];
        if (byte == '*' || byte == '(' || byte == ')' || byte == '\\' || byte == 0)
            buffer_append_format(out, "\\%02x", byte);
        else
            buffer_append_byte(out, byte);
    }
}

static int scope_of(const struct directory *directory)
{
    const struct span scope = db_file_get(&directory->file, "scope", "sub");
    return span_equals(scope, SPAN("base"))  ? LDAP_SCOPE_BASE
           : span_equals(scope, SPAN("one")) ? LDAP_SCOPE_ONELEVEL
                                             : LDAP_SCOPE_SUBTREE;
}

/* The user's entry: *result is the caller's to free when DATABASE_FOUND. */
static enum database_result find_entry(struct directory *directory, struct span user,
                                       struct arena *arena, LDAPMessage **result,
                                       struct buffer *reason)
{
    const struct db_substitution substitutions[] = {{'u', user}};
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    char *attributes[] = {
        arena_string(arena, db_file_get(&directory->file, "password_attribute", "userPassword")),
        NULL};
    struct buffer text;
    int status = LDAP_SUCCESS;
    buffer_init(&text, arena, FILTER_MAX_BYTES);
    if (!db_expand(db_file_get(&directory->file, "filter", "(uid=%u)"), substitutions,
                   ARRAY_LENGTH(substitutions), escape, NULL, &text) ||
        !buffer_ok(&text)) {
        buffer_append_string(reason, "filter has a % that means nothing, or is too long");
        return DATABASE_ERROR;
    }
    const char *filter = arena_string(arena, buffer_span(&text));
    const char *base = db_file_string(&directory->file, "base");
    for (int i = 0; filter && base && attributes[0] && i < ATTEMPTS; i++) {
        *result = NULL;
        if (!ensure_bound(directory, reason))
            return DATABASE_ERROR;
        status = lib.search(directory->connection, base, scope_of(directory), filter, attributes, 0,
                            NULL, NULL, &timeout, 2, result);
        if (status == LDAP_SUCCESS && lib.count_entries(directory->connection, *result) == 1)
            return DATABASE_FOUND;
        if (*result)
            (void)lib.msgfree(*result);
        if (status == LDAP_SUCCESS || status == LDAP_NO_SUCH_OBJECT)
            return DATABASE_NOT_FOUND; /* or several: then it is nobody's */
        if (status == LDAP_SIZELIMIT_EXCEEDED)
            return DATABASE_NOT_FOUND;
        (void)lib.unbind(directory->connection, NULL, NULL);
        directory->connection = NULL;
    }
    buffer_append_format(reason, "search: %s", lib.err2string(status));
    return DATABASE_ERROR;
}

static enum database_result look_up(struct database *database, struct span user,
                                    struct arena *arena, struct account *account,
                                    struct buffer *reason)
{
    struct directory *directory = database->state;
    LDAPMessage *result;
    const enum database_result found = find_entry(directory, user, arena, &result, reason);
    if (found != DATABASE_FOUND)
        return found;
    const struct span attribute =
        db_file_get(&directory->file, "password_attribute", "userPassword");
    const char *name = arena_string(arena, attribute);
    LDAPMessage *entry = lib.first_entry(directory->connection, result);
    struct berval **values = name ? lib.get_values(directory->connection, entry, name) : NULL;
    *account = (struct account){.user = span_empty(), .allow_nets = span_empty()};
    for (size_t i = 0; values && values[i] && account->password_count < ACCOUNT_PASSWORDS_MAX;
         i++) {
        const struct span stored = arena_copy(arena, span_of(values[i]->bv_val, values[i]->bv_len));
        if (stored.bytes && stored.length > 0)
            account->passwords[account->password_count++] =
                (struct account_password){stored, span_empty(), span_empty()};
    }
    if (values)
        lib.free_values(values);
    (void)lib.msgfree(result);
    return DATABASE_FOUND;
}

static enum credential_result check(struct database *database,
                                    const struct credential_question *question, struct arena *arena,
                                    struct account *account, struct buffer *reason)
{
    struct directory *directory = database->state;
    LDAPMessage *result;
    int status;
    (void)account;
    switch (find_entry(directory, question->user, arena, &result, reason)) {
    case DATABASE_ERROR:
        return CREDENTIAL_ERROR;
    case DATABASE_NOT_FOUND:
        return CREDENTIAL_UNKNOWN;
    case DATABASE_FOUND:
        break;
    }
    LDAPMessage *entry = lib.first_entry(directory->connection, result);
    char *dn = lib.get_dn(directory->connection, entry);
    (void)lib.msgfree(result);
    /* RFC 4513 section 5.1.2: without a password it would be no authentication, and succeed. */
    if (!dn || dn[0] == '\0' || question->password.length == 0) {
        lib.memfree(dn);
        return CREDENTIAL_MISMATCH;
    }
    LDAP *connection = connect_to(directory, &status);
    if (connection) {
        status = bind_as(connection, dn, question->password);
        (void)lib.unbind(connection, NULL, NULL);
    }
    lib.memfree(dn);
    if (status == LDAP_SUCCESS)
        return CREDENTIAL_MATCH;
    if (status == LDAP_INVALID_CREDENTIALS || status == LDAP_INAPPROPRIATE_AUTH)
        return CREDENTIAL_MISMATCH;
    buffer_append_format(reason, "bind: %s", lib.err2string(status));
    return CREDENTIAL_ERROR;
}

const struct database_type database_ldap = {
    .name = "ldap", .kind = DATABASE_OF_NETWORK, .load = load, .look_up = look_up, .check = check};
#endif
