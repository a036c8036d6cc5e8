/* auth/check_offer - do the mechanisms that are offered suit the passwords that are stored?
 * A program takes the strongest mechanism that it is offered, and few try another when that fails:
 * who offers SCRAM to users of whom hashes are stored locks them out. See check.h. */
#include <fcntl.h>
#include <stdio.h>

#include "auth/check.h"
#include "auth/db_file.h"
#include "auth/passwd_line.h"
#include "password/scheme.h"
#include "sasl/mechanism.h"
#include "system/file.h"

enum { SHOWN_MAX_BYTES = 100, SCHEME_BYTES = 32, FILE_MAX_BYTES = 64 << 20 };

struct offer {
    const struct conf_instance *instance;
    struct conf_notices *notices;
    struct arena arena;
    struct span default_scheme;
    uint32_t seen; /* schemes of which it was said, by the first mechanism that needs them */
};

static struct span value_of(struct offer *offer, struct span name)
{
    struct conf_error ignored; /* said elsewhere */
    struct buffer value;
    buffer_init(&value, &offer->arena, CONF_TEXT_MAX);
    return conf_instance_value(offer->instance, NULL, name, &value, &ignored) ? buffer_span(&value)
                                                                              : span_empty();
}

/* What must be stored for it; false where the client shows its password, or there is none. */
static bool find_scheme(enum sasl_mechanism mechanism, char scheme[SCHEME_BYTES])
{
    enum sasl_hash hash;
    bool is_plus;
    const bool is_scram = sasl_mechanism_is_scram(mechanism, &hash, &is_plus);
    (void)snprintf(scheme, SCHEME_BYTES, is_scram ? "SCRAM-%s" : "PLAIN",
                   is_scram ? sasl_hash_name(hash) : "");
    return is_scram || mechanism == SASL_CRAM_MD5;
}

static void note(const struct offer *offer, struct span mechanism, struct span database,
                 struct span whom)
{
    const struct span name = SPAN("auth_mechanisms");
    conf_notice_add(offer->notices, CONF_NOTICE_WARNING,
                    "%.*s auth_mechanisms: %.*s: %.*s of %.*s cannot log in with it, as nothing is "
                    "stored that serves it; programs that prefer it try no other",
                    SPAN_PRINTF(conf_instance_origin(offer->instance, NULL, name)),
                    SPAN_PRINTF(mechanism), SPAN_PRINTF(whom),
                    SPAN_PRINTF(span_first(database, SHOWN_MAX_BYTES)));
}

static bool serves(const struct offer *offer, const struct account *account, struct span scheme)
{
    for (size_t i = 0; i < account->password_count; i++)
        if (password_serves(account->passwords[i].stored, offer->default_scheme, scheme))
            return true;
    return account->needs_no_password || account->password_count == 0;
}

static void check_lines(struct offer *offer, struct span mechanism, struct span database,
                        struct span scheme, struct span text)
{
    struct span line, user, bad_field, first = span_empty();
    struct account account;
    size_t count = 0;
    while (text.length) {
        (void)span_split_once(text, '\n', &line, &text);
        if (!passwd_line_user(line, &user) ||
            passwd_line_parse(line, &account, &bad_field) != PARSE_OK ||
            serves(offer, &account, scheme))
            continue;
        if (count++ == 0)
            first = user;
    }
    if (count == 0)
        return;
    const struct span whom = count == 1
                                 ? arena_format(&offer->arena, "the user %.*s",
                                                SPAN_PRINTF(span_first(first, SHOWN_MAX_BYTES)))
                                 : arena_format(&offer->arena, "%zu users (the first: %.*s)", count,
                                                SPAN_PRINTF(span_first(first, SHOWN_MAX_BYTES)));
    note(offer, mechanism, database, whom.bytes ? whom : SPAN("users"));
}

static void check_passwd_file(struct offer *offer, struct span mechanism, struct span database,
                              struct span scheme, struct span argument)
{
    const char *path = arena_string(&offer->arena, argument);
    struct arena arena;
    struct span text;
    arena_init(&arena, FILE_MAX_BYTES + 1024, ARENA_WIPE);
    if (path && file_read_whole(AT_FDCWD, path, FILE_MAX_BYTES, &arena, &text) == 0)
        check_lines(offer, mechanism, database, scheme, text);
    arena_destroy(&arena);
}

/* Such a directory is shown passwords and shows none. */
static bool binds(struct span argument)
{
    struct db_file file = {.count = 0};
    struct buffer ignored;
    buffer_init(&ignored, NULL, 1024);
    const bool result = db_file_read(&file, argument, db_file_ldap_names, &ignored) &&
                        span_equals(db_file_get(&file, "auth_bind", "no"), SPAN("yes"));
    buffer_release(&ignored);
    arena_destroy(&file.arena);
    return result;
}

static void check_database(struct offer *offer, struct span mechanism, struct span scheme,
                           struct span word)
{
    struct span type, argument;
    (void)span_split_once(word, ':', &type, &argument);
    if (span_equals(type, SPAN("passwd-file")) && offer->notices->is_thorough)
        check_passwd_file(offer, mechanism, word, scheme, argument);
    else if (span_equals(type, SPAN("pam")) || span_equals(type, SPAN("shadow")) ||
             (span_equals(type, SPAN("ldap")) && binds(argument)))
        note(offer, mechanism, word, SPAN("users"));
}

/* Mechanisms that differ in nothing but the binding need the same. */
static bool is_new(struct offer *offer, enum sasl_mechanism mechanism)
{
    enum sasl_hash hash = SASL_HASH_COUNT; /* of CRAM-MD5 */
    bool is_plus;
    (void)sasl_mechanism_is_scram(mechanism, &hash, &is_plus);
    const bool is_first = !(offer->seen & UINT32_C(1) << hash);
    offer->seen |= UINT32_C(1) << hash;
    return is_first;
}

void auth_check_services(const struct conf_instance *instance, struct conf_notices *notices)
{
    struct offer offer = {.instance = instance, .notices = notices};
    struct span rest, word, database;
    enum sasl_mechanism mechanism;
    char scheme[SCHEME_BYTES];
    arena_init(&offer.arena, 4 * CONF_TEXT_MAX, 0);
    offer.default_scheme = value_of(&offer, SPAN("auth_default_scheme"));
    const struct span databases = value_of(&offer, SPAN("auth_databases"));
    struct span mechanisms = value_of(&offer, SPAN("auth_mechanisms"));
    while (span_next_word(&mechanisms, ", \t\r\n", &word)) {
        if (!sasl_mechanism_from_name(word, &mechanism) || !find_scheme(mechanism, scheme) ||
            !is_new(&offer, mechanism))
            continue;
        rest = databases;
        while (span_next_word(&rest, ", \t\r\n", &database))
            check_database(&offer, word, span_from_string(scheme), database);
    }
    arena_destroy(&offer.arena);
}
