/* auth/passwd_line - see passwd_line.h. */
#include "auth/passwd_line.h"

enum { FIELDS_BEFORE_EXTRA = 7 };

/* Without a CR, which editors leave. */
static bool next_line(struct span *rest, struct span *line)
{
    if (rest->length == 0)
        return false;
    (void)span_split_once(*rest, '\n', line, rest);
    return true;
}

static struct span without_cr(struct span line)
{
    while (line.length > 0 && line.bytes[line.length - 1] == '\r')
        line.length--;
    return line;
}

bool passwd_line_user(struct span line, struct span *user)
{
    struct span rest;
    if (line.length == 0 || line.bytes[0] == '#' || line.bytes[0] == ':')
        return false;
    (void)span_split_once(without_cr(line), ':', user, &rest);
    return user->length > 0;
}

bool passwd_file_find(struct span contents, struct span user, struct span *line)
{
    struct span found;
    while (next_line(&contents, line))
        if (passwd_line_user(*line, &found) && span_equals(found, user)) {
            *line = without_cr(*line);
            return true;
        }
    return false;
}

enum parse_result passwd_line_parse(struct span line, struct account *account,
                                    struct span *bad_field)
{
    struct span rest = line, field, key, value;
    *account = (struct account){.user = span_empty(), .allow_nets = span_empty()};
    for (size_t i = 0; i < FIELDS_BEFORE_EXTRA; i++) {
        const bool has_more = span_split_once(rest, ':', &field, &rest);
        if (i == 1 && field.length > 0)
            account->passwords[account->password_count++] =
                (struct account_password){field, span_empty(), span_empty()};
        if (!has_more)
            break;
    }
    while (span_next_word(&rest, " \t", &field)) {
        (void)span_split_once(field, '=', &key, &value);
        if (!account_set(account, key, value)) {
            *bad_field = field;
            return PARSE_MALFORMED;
        }
    }
    return PARSE_OK;
}

static void replace(struct span line, size_t at, size_t length, struct span new_stored,
                    struct buffer *output)
{
    buffer_append_span(output, span_first(line, at));
    buffer_append_span(output, new_stored);
    buffer_append_span(output, span_after(line, at + length));
}

/* Where that stored password is in the user's line: the second field, or the third part of an
 * app_password. line.length: nowhere. */
static size_t find_stored(struct span line, struct span stored)
{
    struct span rest = line, field, name, scope, value;
    for (size_t i = 0; i < FIELDS_BEFORE_EXTRA; i++) {
        const bool has_more = span_split_once(rest, ':', &field, &rest);
        if (i == 1 && span_equals(field, stored))
            return (size_t)(field.bytes - line.bytes);
        if (!has_more)
            return line.length;
    }
    while (span_next_word(&rest, " \t", &field))
        if (span_starts_with(field, SPAN("app_password=")) &&
            span_split_once(field, '/', &name, &value) &&
            span_split_once(value, '/', &scope, &value) && span_equals(value, stored))
            return (size_t)(value.bytes - line.bytes);
    return line.length;
}

static bool replace_in_line(struct span line, struct span old_stored, struct span new_stored,
                            struct buffer *output)
{
    const size_t at = find_stored(without_cr(line), old_stored);
    if (at >= without_cr(line).length)
        return false;
    replace(line, at, old_stored.length, new_stored, output);
    return true;
}

enum parse_result passwd_file_replace(struct span contents, struct span user,
                                      struct span old_stored, struct span new_stored,
                                      struct buffer *output)
{
    struct span line, found, rest = contents;
    if (old_stored.length == 0)
        return PARSE_MALFORMED;
    while (next_line(&rest, &line)) {
        const size_t at = (size_t)(line.bytes - contents.bytes);
        if (!passwd_line_user(line, &found) || !span_equals(found, user))
            continue;
        buffer_append_span(output, span_first(contents, at));
        if (!replace_in_line(line, old_stored, new_stored, output))
            return PARSE_MALFORMED;
        buffer_append_span(output, span_after(contents, at + line.length));
        return buffer_ok(output) ? PARSE_OK : PARSE_TOO_LONG;
    }
    return PARSE_MALFORMED;
}
