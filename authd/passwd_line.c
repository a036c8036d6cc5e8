/* authd/passwd_line - see passwd_line.h. */
#include "passwd_line.h"

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
    return line.length > 0 && line.bytes[line.length - 1] == '\r'
               ? span_first(line, line.length - 1)
               : line;
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

/* The user's line with the stored password replaced; it stands as a field or behind "/". */
static bool replace_in_line(struct span line, struct span old_stored, struct span new_stored,
                            struct buffer *output)
{
    for (size_t from = 0; from + old_stored.length <= line.length;) {
        const size_t at = from + span_find(span_after(line, from), old_stored);
        const size_t end = at + old_stored.length;
        if (at >= line.length)
            return false;
        const bool begins = at > 0 && (line.bytes[at - 1] == ':' || line.bytes[at - 1] == '/');
        const bool ends = end == line.length || span_byte_is_one_of(line, end, ": \t\r", 4);
        if (begins && ends) {
            buffer_append_span(output, span_first(line, at));
            buffer_append_span(output, new_stored);
            buffer_append_span(output, span_after(line, end));
            return true;
        }
        from = at + 1;
    }
    return false;
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
