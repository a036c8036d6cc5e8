/* table/source - see source.h. */
#include "table/source.h"

#include "base/ascii.h"
#include "base/utf8.h"

enum { TABLE_SOURCE_WARNING_MAX_BYTES = 200 };

void table_source_init(struct table_source *source, struct arena *arena, bool requires_utf8)
{
    *source = (struct table_source){.requires_utf8 = requires_utf8};
    buffer_init(&source->line, arena, TABLE_SOURCE_LINE_MAX_BYTES);
}

void table_source_release(struct table_source *source)
{
    buffer_release(&source->line);
}

static struct span trim_end(struct span span)
{
    while (span.length && ascii_is_space(span.bytes[span.length - 1]))
        span.length--;
    return span;
}

static struct span trim_start(struct span span)
{
    while (span.length && ascii_is_space(span.bytes[0]))
        span = span_after(span, 1);
    return span;
}

/* Nothing but white space, or a comment, white space before it or not. */
static bool says_nothing(struct span line)
{
    const struct span visible = trim_start(line);
    return visible.length == 0 || visible.bytes[0] == '#';
}

/* The offset of the first white space that is neither quoted nor escaped. */
static size_t find_key_end(struct span line, bool *is_balanced)
{
    bool is_quoted = false;
    size_t i = 0;
    while (i < line.length) {
        if (line.bytes[i] == '\\')
            i++; /* what follows is ordinary, whatever it is */
        else if (line.bytes[i] == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && ascii_is_space(line.bytes[i]))
            break;
        i++;
    }
    *is_balanced = !is_quoted;
    return i < line.length ? i : line.length;
}

static void split(struct table_source *source, struct table_source_entry *entry)
{
    const struct span line = trim_end(buffer_span(&source->line));
    bool is_balanced;
    const size_t key_end = find_key_end(line, &is_balanced);

    *entry = (struct table_source_entry){span_first(line, key_end),
                                         trim_start(span_after(line, key_end)), line,
                                         source->first_line, TABLE_SOURCE_FINE};
    if (source->is_too_long)
        entry->problem = TABLE_SOURCE_TOO_LONG;
    else if (ascii_is_space(line.bytes[0]))
        entry->problem = TABLE_SOURCE_LEADING_SPACE;
    else if (span_find_byte(line, '\0') < line.length)
        entry->problem = TABLE_SOURCE_HAS_NUL;
    else if (source->requires_utf8 && !utf8_is_valid(line))
        entry->problem = TABLE_SOURCE_NOT_UTF8;
    else if (!is_balanced)
        entry->problem = TABLE_SOURCE_UNBALANCED_QUOTE;
    else if (entry->value.length == 0)
        entry->problem = TABLE_SOURCE_NO_VALUE;
    else if (entry->key.bytes[entry->key.length - 1] == ':')
        entry->problem = TABLE_SOURCE_LOOKS_LIKE_ALIAS;
}

/* One physical line, without its newline; it says something. */
static void take_line(struct table_source *source, struct span line)
{
    if (!source->has_line) {
        buffer_reset(&source->line);
        source->has_line = true;
        source->is_too_long = false;
        source->first_line = source->lines_read;
    }
    if (line.length > TABLE_SOURCE_LINE_MAX_BYTES - source->line.length)
        source->is_too_long = true;
    else
        buffer_append_span(&source->line, line);
}

/* Would this physical line, which may not be whole yet, begin another logical line? */
static bool begins_another(struct span rest)
{
    return rest.length && rest.bytes[0] != '#' && !ascii_is_space(rest.bytes[0]);
}

enum parse_result table_source_next(struct table_source *source, struct span input, bool is_last,
                                    struct table_source_entry *entry, size_t *consumed_bytes)
{
    size_t position = 0;
    enum parse_result result = PARSE_NEED_MORE;

    for (;;) {
        const struct span rest = span_after(input, position);
        const size_t length = span_find_byte(rest, '\n');
        const bool is_whole = length < rest.length || is_last;

        if (source->has_line && !source->is_skipping &&
            (begins_another(rest) || (rest.length == 0 && is_last))) {
            source->has_line = false;
            split(source, entry);
            result = PARSE_OK;
            break;
        }
        if (rest.length == 0)
            break;
        if (!is_whole && rest.length <= TABLE_SOURCE_LINE_MAX_BYTES)
            break;
        const struct span line = span_first(rest, length);
        if (!source->is_skipping) {
            source->lines_read++;
            /* Too long to see whether it says something: assume so, nothing is dropped silently. */
            if (!says_nothing(line) || (!is_whole && trim_start(line).length == 0))
                take_line(source, line);
        }
        source->is_skipping = !is_whole;
        position += length < rest.length ? length + 1 : length;
    }
    *consumed_bytes = position;
    return buffer_ok(&source->line) ? result : PARSE_TOO_LONG;
}

/* Control characters and bytes above 127 as "?", so that a warning is one line of text. */
static void append_visible(struct buffer *text, struct span line)
{
    for (size_t i = 0; i < line.length && i < TABLE_SOURCE_WARNING_MAX_BYTES; i++)
        buffer_append_byte(text, ascii_is_print(line.bytes[i]) ? line.bytes[i] : '?');
}

void table_source_warning(const struct table_source_entry *entry, const char *file,
                          struct buffer *text)
{
    static const char *const before[] = {
        [TABLE_SOURCE_LOOKS_LIKE_ALIAS] =
            "record is in \"key: value\" format; is this an alias file?",
        [TABLE_SOURCE_NO_VALUE] = "expected format: key whitespace value",
        [TABLE_SOURCE_UNBALANCED_QUOTE] = "unbalanced '\"' in '",
        [TABLE_SOURCE_LEADING_SPACE] = "logical line must not start with whitespace: '",
        [TABLE_SOURCE_HAS_NUL] = "null byte in '",
        [TABLE_SOURCE_NOT_UTF8] = "non-UTF-8 input '",
        [TABLE_SOURCE_TOO_LONG] = "line is too long"};
    const char *const words = before[entry->problem];

    if (entry->problem == TABLE_SOURCE_FINE)
        return;
    buffer_append_format(text, "%s, line %zu: %s", file, entry->line_number, words);
    if (words[strlen(words) - 1] == '\'') {
        append_visible(text, entry->line);
        buffer_append_byte(text, '\'');
    }
    if (!table_source_is_usable(entry))
        buffer_append_string(text, " -- ignoring this line");
}
