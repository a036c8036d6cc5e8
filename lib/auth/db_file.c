/* auth/db_file - see db_file.h. */
#include "auth/db_file.h"

#include <errno.h>
#include <fcntl.h>

#include "conf/lines.h"
#include "conf/main_cf.h"
#include "system/file.h"

enum { FILE_MAX_BYTES = 65536, LINE_MAX_BYTES = 16384 };

const char *const db_file_sql_names[] = {"hosts",        "port",  "user",     "password",
                                         "dbname",       "query", "tls_mode", "tls_ca_file",
                                         "update_query", NULL};
const char *const db_file_ldap_names[] = {"uri",
                                          "base",
                                          "scope",
                                          "bind_dn",
                                          "bind_password",
                                          "filter",
                                          "password_attribute",
                                          "auth_bind",
                                          "start_tls",
                                          "tls_ca_file",
                                          NULL};

static bool is_known(struct span name, const char *const *known)
{
    for (; *known; known++)
        if (span_equals(name, span_from_string(*known)))
            return true;
    return false;
}

bool db_file_parse(struct db_file *file, struct span text, const char *const *known,
                   struct buffer *reason)
{
    struct conf_lines lines;
    struct buffer line;
    uint32_t number = 0;
    const char *why = "";
    bool is_good = true;
    conf_lines_init(&lines, text);
    buffer_init(&line, &file->arena, LINE_MAX_BYTES);
    while (is_good && conf_lines_next(&lines, &line, &number)) {
        struct span name, value;
        is_good = buffer_ok(&line) && file->count < DB_FILE_SETTINGS_MAX &&
                  conf_split_assignment(buffer_span(&line), &name, &value, &why);
        if (is_good && !is_known(name, known)) {
            why = "this means nothing here";
            is_good = false;
        }
        if (!is_good) {
            buffer_append_format(reason, "line %u: %s", number, why[0] ? why : "too long");
            break;
        }
        file->names[file->count] = arena_copy(&file->arena, name);
        file->values[file->count] = arena_copy(&file->arena, value);
        if (!file->names[file->count].bytes || !file->values[file->count].bytes) {
            buffer_append_string(reason, "memory is out");
            return false;
        }
        file->count++;
    }
    return is_good;
}

bool db_file_read(struct db_file *file, struct span path, const char *const *known,
                  struct buffer *reason)
{
    struct span text;
    *file = (struct db_file){.count = 0};
    arena_init(&file->arena, 4 * FILE_MAX_BYTES, ARENA_WIPE);
    const char *name = arena_string(&file->arena, path);
    if (!name || file_read_whole(AT_FDCWD, name, FILE_MAX_BYTES, &file->arena, &text) != 0) {
        buffer_append_format(reason, "cannot read %.*s: %s", SPAN_PRINTF(path), strerror(errno));
        return false;
    }
    struct buffer why;
    buffer_init(&why, &file->arena, 512);
    if (db_file_parse(file, text, known, &why))
        return true;
    buffer_append_format(reason, "%.*s, %.*s", SPAN_PRINTF(path), SPAN_PRINTF(buffer_span(&why)));
    return false;
}

struct span db_file_get(const struct db_file *file, const char *name, const char *otherwise)
{
    for (size_t i = file->count; i > 0; i--) /* the last counts */
        if (span_equals(file->names[i - 1], span_from_string(name)))
            return file->values[i - 1];
    return span_from_string(otherwise);
}

const char *db_file_string(struct db_file *file, const char *name)
{
    const struct span value = db_file_get(file, name, NULL);
    return value.length > 0 ? arena_string(&file->arena, value) : NULL;
}

static bool find(const struct db_substitution *substitutions, size_t count, uint8_t letter,
                 struct span *value)
{
    const uint8_t wanted = letter == 'n' || letter == 'd' ? 'u' : letter;
    for (size_t i = 0; i < count; i++) {
        if ((uint8_t)substitutions[i].letter != wanted)
            continue;
        *value = substitutions[i].value;
        const size_t at = span_find_last_byte(*value, '@');
        if (letter == 'n')
            *value = span_first(*value, at);
        else if (letter == 'd')
            *value = span_after(*value, at + 1);
        return true;
    }
    return false;
}

bool db_expand(struct span text, const struct db_substitution *substitutions, size_t count,
               void (*escape)(struct buffer *out, struct span value, void *context), void *context,
               struct buffer *out)
{
    for (size_t i = 0; i < text.length; i++) {
        struct span value;
        if (text.bytes[i] != '%') {
            buffer_append_byte(out, text.bytes[i]);
        } else if (++i < text.length && text.bytes[i] == '%') {
            buffer_append_byte(out, '%');
        } else if (i < text.length && find(substitutions, count, text.bytes[i], &value)) {
            escape(out, value, context);
        } else {
            return false;
        }
    }
    return true;
}
