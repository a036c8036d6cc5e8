/* authd/dovecot_line - see dovecot_line.h. */
#include "dovecot_line.h"

enum { ESCAPE = 1 };

enum parse_result dovecot_line_parse(struct span input, struct dovecot_line *line, size_t *consumed)
{
    const struct span window = span_first(input, DOVECOT_LINE_MAX_BYTES);
    const size_t end = span_find_byte(window, '\n');
    struct span rest = span_first(window, end);
    bool has_more = true;
    if (end == window.length)
        return window.length == DOVECOT_LINE_MAX_BYTES ? PARSE_TOO_LONG : PARSE_NEED_MORE;
    line->count = 0;
    while (has_more && line->count < DOVECOT_WORDS_MAX)
        has_more = span_split_once(rest, '\t', &line->words[line->count++], &rest);
    *consumed = end + 1;
    return PARSE_OK;
}

struct span dovecot_line_word(const struct dovecot_line *line, size_t index)
{
    return index < line->count ? line->words[index] : span_empty();
}

/* The place of the first word with that key, or the count. */
static size_t find(const struct dovecot_line *line, size_t from, const char *key,
                   struct span *value)
{
    for (size_t i = from; i < line->count; i++) {
        struct span name;
        (void)span_split_once(line->words[i], '=', &name, value);
        if (span_equals(name, span_from_string(key)))
            return i;
    }
    return line->count;
}

bool dovecot_line_find(const struct dovecot_line *line, size_t from, const char *key,
                       struct span *value)
{
    struct span rest;
    if (find(line, from, key, &rest) == line->count)
        return false;
    if (value)
        *value = rest;
    return true;
}

void dovecot_line_end_behind(struct dovecot_line *line, size_t from, const char *key)
{
    struct span rest;
    const size_t place = find(line, from, key, &rest);
    if (place < line->count)
        line->count = place + 1;
}

static uint8_t unescaped(uint8_t byte)
{
    switch (byte) {
    case '0':
        return '\0';
    case '1':
        return ESCAPE;
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'n':
        return '\n';
    default:
        return byte;
    }
}

struct span dovecot_unescape(struct span text, struct arena *arena)
{
    uint8_t *bytes = arena_alloc(arena, text.length);
    size_t length = 0;
    if (!bytes)
        return span_of(NULL, 0);
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == ESCAPE && i + 1 < text.length)
            bytes[length++] = unescaped(text.bytes[++i]);
        else
            bytes[length++] = text.bytes[i];
    }
    return span_of(bytes, length);
}

static void append_escaped(struct buffer *line, struct span text)
{
    static const char special[] = {'\0', ESCAPE, '\t', '\r', '\n'};
    static const char letters[] = "01trn";
    for (size_t i = 0; i < text.length; i++) {
        const char *found = memchr(special, text.bytes[i], sizeof(special));
        if (found) {
            buffer_append_byte(line, ESCAPE);
            buffer_append_byte(line, (uint8_t)letters[found - special]);
        } else {
            buffer_append_byte(line, text.bytes[i]);
        }
    }
}

void dovecot_append_word(struct buffer *line, struct span text)
{
    buffer_append_byte(line, '\t');
    append_escaped(line, text);
}

void dovecot_append_pair(struct buffer *line, const char *key, struct span text)
{
    buffer_append_byte(line, '\t');
    buffer_append_string(line, key);
    buffer_append_byte(line, '=');
    append_escaped(line, text);
}
