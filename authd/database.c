/* authd/database - see database.h. */
#include "db_types.h"

#include "password/scheme.h"

const struct database_type *const database_types[] = {
    &database_passwd_file,
    &database_static,
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

static bool ensure_open(struct database *database, struct buffer *reason)
{
    if (!database->is_open)
        database->is_open = !database->type->open || database->type->open(database, reason);
    return database->is_open;
}

/* RFC 4954 says nothing of it, attackers do: who is unknown is refused no sooner than who is known.
 */
static void spend_time(const struct database *database, const struct credential_question *question)
{
    if (database->model.length > 0)
        (void)!password_verify(database->model, database->settings->auth_default_scheme,
                               question->user, question->password);
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

static enum credential_result compare(const struct database *database,
                                      const struct account *account,
                                      const struct credential_question *question,
                                      struct database_answer *answer, size_t *matched)
{
    enum credential_result result = CREDENTIAL_MISMATCH;
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
        if (found != PASSWORD_MATCHES)
            continue;
        *matched = i;
        if (account_scope_has(password->scope, question->service))
            return CREDENTIAL_MATCH;
        result = CREDENTIAL_SCOPE;
    }
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

void database_check(struct database *database, const struct credential_question *question,
                    bool is_last, struct arena *arena, struct database_answer *answer)
{
    struct account *account = arena_alloc(arena, sizeof(*account));
    begin_answer(arena, answer);
    if (!account || !ensure_open(database, &answer->reason))
        return;
    if (database->type->check) {
        answer->result = database->type->check(database, question, arena, account, &answer->reason);
        set_user(account, question, answer);
        return;
    }
    switch (database->type->look_up(database, question->user, arena, account, &answer->reason)) {
    case DATABASE_ERROR:
        return;
    case DATABASE_NOT_FOUND:
        answer->result = CREDENTIAL_UNKNOWN;
        if (is_last)
            spend_time(database, question);
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
}

void database_find(struct database *database, const struct credential_question *question,
                   struct span scheme, struct arena *arena, struct database_answer *answer)
{
    struct account *account = arena_alloc(arena, sizeof(*account));
    begin_answer(arena, answer);
    if (!account || !ensure_open(database, &answer->reason))
        return;
    if (!database->type->look_up) {
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
