/* auth/check - see check.h. */
#include "auth/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/db_file.h"
#include "auth/passwd_line.h"
#include "config.h"
#include "sasl/mechanism.h"
#include "system/file.h"

enum { SHOWN_MAX_BYTES = 100, REASON_MAX_BYTES = 1024, FILE_MAX_BYTES = 64 << 20 };

struct setting {
    struct span name;
    struct span origin;
    struct span word; /* of the value; without what is secret in it */
    struct conf_notices *notices;
};

static void note(const struct setting *setting, enum conf_notice_level level, struct span reason)
{
    conf_notice_add(setting->notices, level, "%.*s %.*s: %.*s: %.*s", SPAN_PRINTF(setting->origin),
                    SPAN_PRINTF(setting->name),
                    SPAN_PRINTF(span_first(setting->word, SHOWN_MAX_BYTES)), SPAN_PRINTF(reason));
}

static void note_error(const struct setting *setting, const char *reason)
{
    note(setting, CONF_NOTICE_ERROR, span_from_string(reason));
}

/* The daemon goes on, and looks again: clients are told to try later. */
static void note_file(const struct setting *setting, struct span path, int error)
{
    struct buffer reason;
    buffer_init(&reason, NULL, REASON_MAX_BYTES);
    buffer_append_format(&reason, "open %.*s: %s; its users are told to try later",
                         SPAN_PRINTF(path), strerror(error));
    note(setting, CONF_NOTICE_WARNING, buffer_span(&reason));
    buffer_release(&reason);
}

/* NULL, which was noted, where it is no file that can be read. */
static const char *find_file(const struct setting *setting, struct span path)
{
    const char *name = arena_string(setting->notices->arena, path);
    struct stat facts;
    if (!span_starts_with(path, SPAN("/")) || !name) {
        note_error(setting, "the path of a file from / on is needed behind the colon");
        return NULL;
    }
    errno = 0;
    if (stat(name, &facts) == 0 && S_ISREG(facts.st_mode) && access(name, R_OK) == 0)
        return name;
    note_file(setting, path, errno ? errno : EINVAL);
    return NULL;
}

/* ---- each kind ---- */

static bool is_ignored(struct span line)
{
    line = span_trim_spaces(line);
    return span_is_empty(line) || line.bytes[0] == '#';
}

static void note_line(const struct setting *setting, const char *path, size_t number,
                      struct span bad_field)
{
    struct buffer reason;
    struct span key, value;
    (void)span_split_once(bad_field, '=', &key, &value);
    buffer_init(&reason, NULL, REASON_MAX_BYTES);
    buffer_append_format(&reason, "%s, line %zu: ", path, number);
    if (span_is_empty(key))
        buffer_append_string(&reason, "user:{SCHEME}password is needed");
    else
        buffer_append_format(&reason, "the field %.*s cannot be understood; the user cannot log in",
                             SPAN_PRINTF(span_first(key, SHOWN_MAX_BYTES)));
    note(setting, CONF_NOTICE_WARNING, buffer_span(&reason));
    buffer_release(&reason);
}

/* The first line that is wrong is enough to know. */
static void check_lines(const struct setting *setting, const char *path, struct span text)
{
    struct span line, user, bad_field;
    struct account account;
    for (size_t number = 1; text.length; number++) {
        (void)span_split_once(text, '\n', &line, &text);
        if (is_ignored(line))
            continue;
        bad_field = span_empty();
        if (span_find_byte(line, ':') < line.length && passwd_line_user(line, &user) &&
            passwd_line_parse(line, &account, &bad_field) == PARSE_OK)
            continue;
        note_line(setting, path, number, bad_field);
        return;
    }
}

static void check_passwd_file(const struct setting *setting, struct span argument)
{
    const char *path = find_file(setting, argument);
    struct arena arena;
    struct span text;
    if (!path || !setting->notices->is_thorough)
        return;
    arena_init(&arena, FILE_MAX_BYTES + 1024, ARENA_WIPE);
    if (file_read_whole(AT_FDCWD, path, FILE_MAX_BYTES, &arena, &text) == 0)
        check_lines(setting, path, text);
    else
        note_file(setting, argument, errno);
    arena_destroy(&arena);
}

/* False, which was noted, where the file does not have all of these names. */
static bool check_settings(const struct setting *setting, struct span argument,
                           const char *const *known, const char *const *required,
                           struct db_file *file)
{
    struct buffer reason;
    bool is_good = false;
    *file = (struct db_file){.count = 0};
    if (!find_file(setting, argument))
        return false;
    buffer_init(&reason, NULL, REASON_MAX_BYTES);
    if (db_file_read(file, argument, known, &reason))
        for (is_good = true; *required && is_good; required++) {
            is_good = !span_is_empty(db_file_get(file, *required, NULL));
            if (!is_good)
                buffer_append_format(&reason, "%.*s has no %s", SPAN_PRINTF(argument), *required);
        }
    buffer_append_string(&reason, "; its users are told to try later");
    if (!is_good)
        note(setting, CONF_NOTICE_WARNING, buffer_span(&reason));
    buffer_release(&reason);
    return is_good;
}

static void check_file_in(const struct setting *setting, const struct db_file *file,
                          const char *name)
{
    const struct span path = db_file_get(file, name, NULL);
    const char *text = arena_string(setting->notices->arena, path);
    if (!span_is_empty(path) && text && access(text, R_OK) != 0)
        note_file(setting, path, errno);
}

static UNUSED void check_sqlite(const struct setting *setting, struct span argument)
{
    static const char *const required[] = {"dbname", "query", NULL};
    struct db_file file;
    if (check_settings(setting, argument, db_file_sql_names, required, &file))
        check_file_in(setting, &file, "dbname");
    arena_destroy(&file.arena);
}

static UNUSED void check_sql(const struct setting *setting, struct span argument)
{
    static const char *const required[] = {"query", NULL};
    struct db_file file;
    if (check_settings(setting, argument, db_file_sql_names, required, &file))
        check_file_in(setting, &file, "tls_ca_file");
    arena_destroy(&file.arena);
}

static UNUSED void check_ldap(const struct setting *setting, struct span argument)
{
    static const char *const required[] = {"uri", "base", NULL};
    struct db_file file;
    if (check_settings(setting, argument, db_file_ldap_names, required, &file))
        check_file_in(setting, &file, "tls_ca_file");
    arena_destroy(&file.arena);
}

static UNUSED void check_pam(const struct setting *setting, struct span argument)
{
    static const char *const directories[] = {"/etc/pam.d", "/usr/lib/pam.d"};
    const size_t count = ARRAY_LENGTH(directories);
    if (span_is_empty(argument) || span_find_byte(argument, '/') < argument.length) {
        note_error(setting, "the name of a service is needed behind the colon, as in pam:smtp");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct span path = arena_format(setting->notices->arena, "%s/%.*s%c", directories[i],
                                              SPAN_PRINTF(argument), '\0');
        if (path.bytes && access((const char *)path.bytes, F_OK) == 0)
            return;
    }
    note(setting, CONF_NOTICE_WARNING,
         SPAN("there is no such file in /etc/pam.d; PAM does what its service \"other\" says"));
}

static void check_static(const struct setting *setting, struct span argument)
{
    struct span user, password;
    if (!span_split_once(argument, ':', &user, &password) || span_is_empty(user))
        note_error(setting, "user:password is needed behind the colon");
}

static void check_shadow(const struct setting *setting, struct span argument)
{
    if (!span_is_empty(argument))
        note_error(setting, "nothing is allowed behind it");
}

static const struct {
    struct span name;
    void (*check)(const struct setting *setting,
                  struct span argument); /* NULL: not in this build */
} kinds[] = {
    {SPAN_LITERAL("passwd-file"), check_passwd_file},
    {SPAN_LITERAL("static"), check_static},
    {SPAN_LITERAL("shadow"), check_shadow},
#ifdef HAVE_PAM
    {SPAN_LITERAL("pam"), check_pam},
#else
    {SPAN_LITERAL("pam"), NULL},
#endif
#ifdef HAVE_SQLITE
    {SPAN_LITERAL("sqlite"), check_sqlite},
#else
    {SPAN_LITERAL("sqlite"), NULL},
#endif
#ifdef HAVE_PGSQL
    {SPAN_LITERAL("pgsql"), check_sql},
#else
    {SPAN_LITERAL("pgsql"), NULL},
#endif
#ifdef HAVE_MYSQL
    {SPAN_LITERAL("mysql"), check_sql},
#else
    {SPAN_LITERAL("mysql"), NULL},
#endif
#ifdef HAVE_LDAP
    {SPAN_LITERAL("ldap"), check_ldap},
#else
    {SPAN_LITERAL("ldap"), NULL},
#endif
};

static void note_unknown(const struct setting *setting)
{
    struct buffer reason;
    buffer_init(&reason, NULL, REASON_MAX_BYTES);
    buffer_append_string(&reason, "no password database is called so; these are allowed:");
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
        if (kinds[i].check)
            buffer_append_format(&reason, " %.*s", SPAN_PRINTF(kinds[i].name));
    note(setting, CONF_NOTICE_ERROR, buffer_span(&reason));
    buffer_release(&reason);
}

static void check_database(struct setting *setting, struct span word)
{
    struct span type, argument;
    (void)span_split_once(word, ':', &type, &argument);
    setting->word = span_equals(type, SPAN("static")) ? type : word;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (!span_equals(type, kinds[i].name))
            continue;
        if (kinds[i].check)
            kinds[i].check(setting, argument);
        else
            note_error(setting, "this build has no such database");
        return;
    }
    /* What stands behind the colon of an unknown word may be a password. */
    setting->word = type;
    note_unknown(setting);
}

static void check_mechanism(struct setting *setting, struct span word)
{
    enum sasl_mechanism mechanism;
    struct buffer reason;
    setting->word = word;
    if (sasl_mechanism_from_name(word, &mechanism))
        return;
    buffer_init(&reason, NULL, REASON_MAX_BYTES);
    buffer_append_string(&reason, "no SASL mechanism is called so; these are allowed:");
    for (size_t i = 0; i < SASL_MECHANISM_COUNT; i++)
        buffer_append_format(&reason, " %s", sasl_mechanism_name((enum sasl_mechanism)i));
    note(setting, CONF_NOTICE_ERROR, buffer_span(&reason));
    buffer_release(&reason);
}

void auth_check_setting(struct span name, struct span value, struct span origin,
                        struct conf_notices *notices)
{
    struct setting setting = {.name = name, .origin = origin, .notices = notices};
    const bool is_database = span_equals(name, SPAN("auth_databases"));
    struct span word;
    if (!is_database && !span_equals(name, SPAN("auth_mechanisms")))
        return;
    while (span_next_word(&value, ", \t\r\n", &word))
        if (is_database)
            check_database(&setting, word);
        else
            check_mechanism(&setting, word);
}
