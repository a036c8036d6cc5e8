/* local/destinations - see destinations.h. */
#include "destinations.h"

#include "base/ascii.h"
#include "base/buffer.h"

static const struct span include_prefix = SPAN_LITERAL(":include:");

static bool is_end(uint8_t byte)
{
    return byte == ',' || byte == '\n';
}

/* Behind the quoted string that begins at the offset; text.length where it has no end. */
static size_t skip_quoted(struct span text, size_t at)
{
    for (at++; at < text.length && text.bytes[at] != '"'; at++)
        if (text.bytes[at] == '\\')
            at++;
    return at < text.length ? at + 1 : text.length;
}

/* Behind the comment that begins at the offset. */
static size_t skip_comment(struct span text, size_t at)
{
    size_t depth = 0;
    for (; at < text.length && text.bytes[at] != '\n'; at++) {
        if (text.bytes[at] == '\\')
            at++;
        else if (text.bytes[at] == '(')
            depth++;
        else if (text.bytes[at] == ')' && --depth == 0)
            return at + 1;
    }
    return at < text.length ? at : text.length;
}

static struct span trim(struct span text)
{
    while (text.length > 0 && ascii_is_space(text.bytes[0]))
        text = span_after(text, 1);
    while (text.length > 0 && ascii_is_space(text.bytes[text.length - 1]))
        text.length--;
    return text;
}

/* Skips what may stand between entries. */
static struct span skip_to_entry(struct span text, bool is_at_line)
{
    while (text.length > 0) {
        if (is_at_line && text.bytes[0] == '#') {
            const size_t end = span_find_byte(text, '\n');
            text = span_after(text, end);
        } else if (is_end(text.bytes[0])) {
            is_at_line = is_at_line || text.bytes[0] == '\n';
            text = span_after(text, 1);
        } else if (ascii_is_space(text.bytes[0])) {
            is_at_line = false;
            text = span_after(text, 1);
        } else {
            return text;
        }
    }
    return text;
}

/* The entry's raw text. Comments count only in addresses: a command has parentheses of its own. */
static size_t entry_length(struct span text, bool has_comments)
{
    size_t at = 0;
    while (at < text.length && !is_end(text.bytes[at])) {
        if (text.bytes[at] == '"')
            at = skip_quoted(text, at);
        else if (has_comments && text.bytes[at] == '(')
            at = skip_comment(text, at);
        else if (text.bytes[at] == '\\' && at + 1 < text.length)
            at += 2;
        else
            at++;
    }
    return at < text.length ? at : text.length;
}

static struct span unquote(struct span text, struct arena *arena)
{
    uint8_t *bytes = arena_alloc(arena, text.length + 1);
    size_t length = 0;
    if (!bytes)
        return (struct span){NULL, 0};
    for (size_t i = 1; i + 1 < text.length; i++) {
        if (text.bytes[i] == '\\' && i + 2 < text.length)
            i++;
        bytes[length++] = text.bytes[i];
    }
    return span_of(bytes, length);
}

/* Fills in what begins like something other than an address. False: it does not. */
static bool take_special(struct span text, struct destination *destination)
{
    if (span_starts_with(text, SPAN("|"))) {
        destination->kind = DESTINATION_COMMAND;
        destination->text = trim(span_after(text, 1));
        return true;
    }
    if (span_starts_with_ascii_nocase(text, include_prefix)) {
        destination->kind = DESTINATION_INCLUDE;
        destination->text = trim(span_after(text, include_prefix.length));
        return true;
    }
    if (span_starts_with(text, SPAN("/")) || span_starts_with(text, SPAN("~/"))) {
        destination->kind = DESTINATION_FILE;
        destination->text = trim(text);
        return true;
    }
    return false;
}

/* Most of a long list's members are, and their text is the list's. */
static bool is_plain(struct span raw)
{
    for (size_t i = 0; i < raw.length; i++)
        if (ascii_is_space(raw.bytes[i]) || span_byte_is_one_of(raw, i, "()<>\"\\", 6))
            return false;
    return raw.length > 0;
}

/* What stands between the last angle brackets, or all of it; comments and the white space around
 * the parts of an address left out. White space that would be in the middle of an atom makes it no
 * address. */
static enum parse_result take_address(struct span raw, struct arena *arena,
                                      struct destination *destination)
{
    destination->kind = DESTINATION_ADDRESS;
    if (is_plain(raw)) {
        destination->text = raw;
        return PARSE_OK;
    }
    uint8_t *bytes = arena_alloc(arena, raw.length + 1);
    const size_t last_bracket = span_find_last_byte(raw, '<');
    size_t length = 0;
    bool is_bracketed = false, is_closed = false, has_gap = false;
    if (!bytes)
        return PARSE_TOO_LONG;
    for (size_t at = 0; at < raw.length && !is_closed;) {
        const uint8_t byte = raw.bytes[at];
        if (byte == '(') {
            at = skip_comment(raw, at);
            has_gap = length > 0;
        } else if (ascii_is_space(byte)) {
            at++;
            has_gap = length > 0;
        } else if (byte == '<') { /* what came before was a display name */
            if (is_bracketed)
                return PARSE_MALFORMED;
            is_bracketed = true;
            has_gap = false;
            length = 0;
            at++;
        } else if (byte == '>') {
            if (!is_bracketed)
                return PARSE_MALFORMED;
            is_closed = true;
            at++;
        } else {
            const bool is_joint = byte == '@' || byte == '.' || byte == ':';
            const bool was_joint =
                length > 0 &&
                (bytes[length - 1] == '@' || bytes[length - 1] == '.' || bytes[length - 1] == ':');
            if (has_gap && !is_joint && !was_joint) {
                /* Words: fine before an angle bracket only. */
                if (is_bracketed || last_bracket == raw.length || last_bracket < at)
                    return PARSE_MALFORMED;
            }
            has_gap = false;
            const size_t end = byte == '"'                           ? skip_quoted(raw, at)
                               : byte == '\\' && at + 1 < raw.length ? at + 2
                                                                     : at + 1;
            memcpy(bytes + length, raw.bytes + at, end - at);
            length += end - at;
            at = end;
        }
    }
    if (length == 0 || (is_bracketed && !is_closed))
        return PARSE_MALFORMED;
    destination->text = span_of(bytes, length);
    if (bytes[0] == '\\') {
        destination->is_final = true;
        destination->text = span_after(destination->text, 1);
    }
    return span_is_empty(destination->text) ? PARSE_MALFORMED : PARSE_OK;
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < ' ' && text.bytes[i] != '\t')
            return true;
    return false;
}

enum parse_result destination_next(struct span *rest, bool is_at_line, struct arena *arena,
                                   struct destination *destination)
{
    const struct span text = skip_to_entry(*rest, is_at_line);
    struct destination found = {.kind = DESTINATION_ADDRESS};
    enum parse_result result = PARSE_OK;
    if (text.length == 0) {
        *rest = text;
        return PARSE_NEED_MORE;
    }
    const bool is_plain_special = take_special(text, &found);
    const struct span raw = trim(span_first(text, entry_length(text, !is_plain_special)));
    *rest = span_after(text, entry_length(text, !is_plain_special));
    if (raw.bytes[0] == '"' && skip_quoted(raw, 0) == raw.length && raw.length > 1 &&
        raw.bytes[raw.length - 1] == '"') {
        const struct span unquoted = unquote(raw, arena);
        if (!unquoted.bytes)
            return PARSE_TOO_LONG;
        if (!take_special(unquoted, &found))
            result = take_address(raw, arena, &found);
    } else if (is_plain_special &&
               !(found.kind == DESTINATION_FILE && span_find_byte(raw, '@') < raw.length)) {
        (void)take_special(raw, &found);
    } else {
        result = take_address(raw, arena, &found);
    }
    if (result == PARSE_OK && (span_is_empty(found.text) || has_control(found.text)))
        result = PARSE_MALFORMED;
    if (result == PARSE_OK)
        *destination = found;
    return result;
}
