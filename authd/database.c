/* authd/database - see database.h. */
#include "db_types.h"

#include <openssl/crypto.h>

#include "config.h"
#include "system/random.h"

const struct database_type *const database_types[] = {
    &database_passwd_file, &database_static, &database_shadow,
#ifdef HAVE_PAM
    &database_pam,
#endif
#ifdef HAVE_SQLITE
    &database_sqlite,
#endif
#ifdef HAVE_PGSQL
    &database_pgsql,
#endif
#ifdef HAVE_MYSQL
    &database_mysql,
#endif
#ifdef HAVE_LDAP
    &database_ldap,
#endif
};
const size_t database_type_count = ARRAY_LENGTH(database_types);

static const struct database_type *find_type(struct span name)
{
    for (size_t i = 0; i < database_type_count; i++)
        if (span_equals(name, span_from_string(database_types[i]->name)))
            return database_types[i];
    return NULL;
}

bool database_list_parse(const struct conf_authd *settings, struct arena *arena,
                         struct database databases[DATABASES_MAX], size_t *count,
                         struct span *bad_word)
{
    struct span rest = settings->auth_databases, name;
    *count = 0;
    while (span_next_word(&rest, ", \t\r\n", bad_word)) {
        if (*count == DATABASES_MAX)
            return false;
        struct database *database = &databases[*count];
        *database = (struct database){.settings = settings};
        const struct span word = arena_copy(arena, *bad_word);
        if (!word.bytes)
            return false;
        database->word = word;
        (void)span_split_once(word, ':', &name, &database->argument);
        database->type = find_type(name);
        if (!database->type)
            return false;
        ++*count;
    }
    return true;
}

struct span database_name(const struct database *database)
{
    return database->type == &database_static ? span_from_string(database->type->name)
                                              : database->word;
}

void database_set_model(struct database *database, struct span stored)
{
    if (stored.length == 0 || stored.length > sizeof(database->model_bytes))
        return;
    memcpy(database->model_bytes, stored.bytes, stored.length);
    database->model = span_of(database->model_bytes, stored.length);
}

void database_load(struct database *database, struct arena *arena)
{
    struct buffer reason;
    buffer_init(&reason, arena, 1024);
    if (!database->type->load || database->type->load(database, &reason))
        return;
    database->load_error =
        reason.length > 0 ? buffer_span(&reason) : SPAN("the database cannot be made ready");
}

static bool ensure_open(struct database *database, struct buffer *reason)
{
    if (database->load_error.length > 0) {
        buffer_append_span(reason, database->load_error);
        return false;
    }
    if (!database->is_open)
        database->is_open = !database->type->open || database->type->open(database, reason);
    return database->is_open;
}

bool database_has_compared(const struct database *database, struct span stored,
                           enum password_result result)
{
    struct span scheme, rest;
    password_split(stored, database->settings->auth_default_scheme, &scheme, &rest);
    const bool is_locked = rest.length == 0 || (!span_equals_ascii_nocase(scheme, SPAN("PLAIN")) &&
                                                (rest.bytes[0] == '!' || rest.bytes[0] == '*'));
    return result != PASSWORD_UNUSABLE && !is_locked;
}

/* RFC 4954 says nothing of it, attackers do: who is unknown, or has no password, is refused no
 * sooner than who is known. */
bool database_spend_time(const struct database *database,
                         const struct credential_question *question)
{
    if (database->model.length > 0)
        (void)!password_verify(database->model, database->settings->auth_default_scheme,
                               question->user, question->password);
    return database->model.length > 0;
}

/* The account's own rules, once it is known that the user is who he says. */
static enum credential_result judge(const struct account *account,
                                    const struct credential_question *question, struct arena *arena,
                                    struct database_answer *answer)
{
    bool is_wrong;
    if (account->is_disabled)
        return CREDENTIAL_DISABLED;
    if (account->is_expired)
        return CREDENTIAL_EXPIRED;
    if (account_permits_address(account, question->client_address, arena, &is_wrong))
        return CREDENTIAL_MATCH;
    if (is_wrong)
        buffer_append_format(&answer->warning, "allow_nets of %.*s cannot be understood",
                             SPAN_PRINTF(question->user));
    return CREDENTIAL_ADDRESS;
}

static enum credential_result compare(struct database *database, const struct account *account,
                                      const struct credential_question *question,
                                      struct database_answer *answer, size_t *matched)
{
    enum credential_result result = CREDENTIAL_MISMATCH;
    bool has_compared = false;
    for (size_t i = 0; i < account->password_count; i++) {
        const struct account_password *password = &account->passwords[i];
        const enum password_result found =
            password_verify(password->stored, database->settings->auth_default_scheme,
                            question->user, question->password);
        if (found == PASSWORD_UNUSABLE && answer->warning.length == 0)
            buffer_append_format(&answer->warning,
                                 "a stored password of %.*s cannot be used: its scheme is unknown "
                                 "or its form wrong",
                                 SPAN_PRINTF(question->user));
        if (!has_compared && database_has_compared(database, password->stored, found)) {
            if (!database->keeps_model)
                database_set_model(database, password->stored);
            has_compared = true;
        }
        if (found != PASSWORD_MATCHES)
            continue;
        *matched = i;
        if (account_scope_has(password->scope, question->service))
            return CREDENTIAL_MATCH;
        result = CREDENTIAL_SCOPE;
    }
    if (!has_compared)
        (void)database_spend_time(database, question);
    return result;
}

static void begin_answer(struct arena *arena, struct database_answer *answer)
{
    *answer = (struct database_answer){.result = CREDENTIAL_ERROR,
                                       .user = span_empty(),
                                       .name = span_empty(),
                                       .verifier = span_empty()};
    buffer_init(&answer->reason, arena, 1024);
    buffer_init(&answer->warning, arena, 1024);
}

static void set_user(const struct account *account, const struct credential_question *question,
                     struct database_answer *answer)
{
    answer->user = account->user.length ? account->user : question->user;
}

/* The password is at hand, once: what is stored of it can be made stronger. That this fails is no
 * reason to refuse anybody. */
static void upgrade(struct database *database, const struct credential_question *question,
                    struct span stored, struct database_answer *answer)
{
    const struct conf_authd *conf = database->settings;
    uint8_t random[PASSWORD_RANDOM_BYTES];
    struct buffer better, reason;
    if (conf->auth_password_upgrade.length == 0 || !database->type->store ||
        !password_is_weaker(stored, conf->auth_default_scheme, conf->auth_password_upgrade,
                            conf->auth_password_upgrade_cost))
        return;
    buffer_init(&better, NULL, PASSWORD_STORED_MAX_BYTES);
    buffer_init(&reason, NULL, 512);
    random_bytes(random, sizeof(random));
    if (!password_make(conf->auth_password_upgrade, conf->auth_password_upgrade_cost,
                       question->password, random, &better) ||
        !buffer_ok(&better))
        buffer_append_string(&reason, "auth_password_upgrade is no scheme that can be made");
    else if (database->type->store(database, question->user, stored, buffer_span(&better), &reason))
        answer->is_upgraded = true;
    if (reason.length > 0)
        buffer_append_format(&answer->warning,
                             "the stored password of %.*s cannot be made stronger: %.*s",
                             SPAN_PRINTF(question->user), SPAN_PRINTF(buffer_span(&reason)));
    OPENSSL_cleanse(random, sizeof(random));
    buffer_release(&better);
    buffer_release(&reason);
}

void database_check(struct database *database, const struct credential_question *question,
                    struct arena *arena, struct database_answer *answer)
{
    struct account *account = arena_alloc(arena, sizeof(*account));
    begin_answer(arena, answer);
    if (!account || !ensure_open(database, &answer->reason))
        return;
    if (!database->type->look_up || database->decides_itself) {
        answer->result = database->type->check(database, question, arena, account, &answer->reason);
        set_user(account, question, answer);
        return;
    }
    switch (database->type->look_up(database, question->user, arena, account, &answer->reason)) {
    case DATABASE_ERROR:
        return;
    case DATABASE_NOT_FOUND:
        answer->result = CREDENTIAL_UNKNOWN;
        return;
    case DATABASE_FOUND:
        break;
    }
    size_t matched = 0;
    set_user(account, question, answer);
    answer->result = account->needs_no_password
                         ? CREDENTIAL_MATCH
                         : compare(database, account, question, answer, &matched);
    if (answer->result != CREDENTIAL_MATCH)
        return;
    if (!account->needs_no_password)
        answer->name = account->passwords[matched].name;
    answer->result = judge(account, question, arena, answer);
    if (answer->result != CREDENTIAL_MATCH || account->needs_no_password)
        return;
    /* Storing may read the database anew, under what lies in its memory. */
    answer->user = arena_copy(arena, answer->user);
    answer->name = arena_copy(arena, answer->name);
    const struct span stored = arena_copy(arena, account->passwords[matched].stored);
    if (answer->user.bytes && answer->name.bytes && stored.bytes)
        upgrade(database, question, stored, answer);
    else
        answer->result = CREDENTIAL_ERROR;
}

void database_find(struct database *database, const struct credential_question *question,
                   struct span scheme, struct arena *arena, struct database_answer *answer)
{
    struct account *account = arena_alloc(arena, sizeof(*account));
    begin_answer(arena, answer);
    if (!account || !ensure_open(database, &answer->reason))
        return;
    if (!database->type->look_up || database->decides_itself) {
        answer->result = CREDENTIAL_UNKNOWN; /* it knows passwords only when it sees them */
        return;
    }
    switch (database->type->look_up(database, question->user, arena, account, &answer->reason)) {
    case DATABASE_ERROR:
        return;
    case DATABASE_NOT_FOUND:
        answer->result = CREDENTIAL_UNKNOWN;
        return;
    case DATABASE_FOUND:
        break;
    }
    set_user(account, question, answer);
    answer->result = CREDENTIAL_MISMATCH;
    for (size_t i = 0; i < account->password_count; i++) {
        const struct account_password *password = &account->passwords[i];
        if (!password_serves(password->stored, database->settings->auth_default_scheme, scheme) ||
            !account_scope_has(password->scope, question->service))
            continue;
        answer->verifier =
            password_with_scheme(password->stored, database->settings->auth_default_scheme, arena);
        answer->name = password->name;
        answer->result =
            answer->verifier.bytes ? judge(account, question, arena, answer) : CREDENTIAL_ERROR;
        return;
    }
}
