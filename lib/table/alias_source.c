/* table/alias_source - see alias_source.h. */
#include "table/alias_source.h"

#include "base/ascii.h"

/* The name, and the offset behind its colon; false when there is none. */
static bool take_name(struct span line, struct buffer *name, size_t *end, bool *is_local)
{
    bool is_quoted = false;
    size_t space = 0; /* white space that says something only when more of the name follows */

    *is_local = true;
    for (size_t i = 0; i < line.length; i++) {
        const uint8_t byte = line.bytes[i];
        if (!is_quoted && byte == ':') {
            *end = i + 1;
            return name->length > 0;
        }
        if (byte == '"') {
            is_quoted = !is_quoted;
            continue;
        }
        if (!is_quoted && ascii_is_space(byte)) {
            space = name->length > 0;
            continue;
        }
        if (!is_quoted && byte == '@')
            *is_local = false;
        if (space)
            buffer_append_byte(name, ' ');
        space = 0;
        if (byte == '\\' && i + 1 < line.length)
            i++;
        buffer_append_byte(name, line.bytes[i]);
    }
    return false;
}

static void copy_value(struct span text, struct buffer *value)
{
    bool is_quoted = false;
    bool has_space = false;

    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        if (!is_quoted && ascii_is_space(byte)) {
            has_space = true;
            continue;
        }
        if (has_space && value->length > 0 && byte != ',')
            buffer_append_byte(value, ' ');
        has_space = false;
        if (byte == '"')
            is_quoted = !is_quoted;
        buffer_append_byte(value, byte);
        if (byte == '\\' && i + 1 < text.length)
            buffer_append_byte(value, text.bytes[++i]);
    }
}

enum alias_problem alias_source_split(struct span line, struct buffer *name, struct buffer *value)
{
    size_t end;
    bool is_local;

    if (!take_name(line, name, &end, &is_local))
        return buffer_ok(name) ? ALIAS_NO_PAIR : ALIAS_TOO_LONG;
    copy_value(span_after(line, end), value);
    if (!buffer_ok(name) || !buffer_ok(value))
        return ALIAS_TOO_LONG;
    if (value->length == 0)
        return ALIAS_NO_PAIR;
    return is_local ? ALIAS_FINE : ALIAS_NOT_LOCAL;
}

const char *alias_problem_text(enum alias_problem problem)
{
    static const char *const texts[] = {[ALIAS_FINE] = "",
                                        [ALIAS_NO_PAIR] = "need name:value pair",
                                        [ALIAS_NOT_LOCAL] = "name must be local",
                                        [ALIAS_TOO_LONG] = "line is too long"};
    return texts[problem];
}
