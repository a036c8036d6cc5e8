/* dsn/text - see text_private.h. */
#include "dsn/text_private.h"

#include "base/utf8.h"

/* RFC 5322 section 2.1.1 allows 998; a word without spaces is broken before. */
enum { WORD_MAX_BYTES = 900 };

void dsn_put_clean(struct buffer *out, struct span text, bool may_be_utf8)
{
    while (text.length > 0) {
        const uint8_t first = text.bytes[0];
        size_t length = utf8_character_length(text);
        if (length == 0 || first < 0x20 || first == 0x7f || (first > 0x7f && !may_be_utf8)) {
            buffer_append_byte(out, '?');
            length = 1;
        } else {
            buffer_append(out, text.bytes, length);
        }
        text = span_after(text, length);
    }
}

/* Cuts the next word with the spaces before it off *rest. */
static struct span next_piece(struct span *rest)
{
    size_t end = 0;
    while (end < rest->length && rest->bytes[end] == ' ')
        end++;
    while (end < rest->length && rest->bytes[end] != ' ' && end < WORD_MAX_BYTES)
        end++;
    const struct span piece = span_first(*rest, end);
    *rest = span_after(*rest, end);
    return piece;
}

static bool is_blank(struct span piece)
{
    return span_is_empty(span_trim_spaces(piece));
}

/* Header lines keep the spaces of the value; the fold goes before them. */
static void put_folded(struct buffer *out, struct span value, size_t column, bool may_be_utf8)
{
    bool is_first = true;
    while (value.length > 0) {
        const struct span piece = next_piece(&value);
        /* A line of spaces alone would end the header for some readers. */
        if (!is_first && column + piece.length > DSN_LINE_BYTES && !is_blank(piece)) {
            buffer_append_string(out, "\r\n");
            column = 0;
            if (piece.bytes[0] != ' ')
                buffer_append_byte(out, ' ');
        }
        dsn_put_clean(out, piece, may_be_utf8);
        column += piece.length;
        is_first = false;
    }
    buffer_append_string(out, "\r\n");
}

void dsn_put_field(struct buffer *out, const char *name, struct span value, bool may_be_utf8)
{
    if (is_blank(value))
        return;
    buffer_append_format(out, "%s: ", name);
    put_folded(out, value, strlen(name) + 2, may_be_utf8);
}

void dsn_put_typed_field(struct buffer *out, const char *name, const char *type, struct span value,
                         bool may_be_utf8)
{
    if (is_blank(value))
        return;
    buffer_append_format(out, "%s: %s; ", name, type);
    put_folded(out, value, strlen(name) + strlen(type) + 4, may_be_utf8);
}

void dsn_put_paragraph(struct buffer *out, struct span text, size_t indent, bool may_be_utf8)
{
    size_t column = 0;
    while (text.length > 0) {
        const struct span word = span_trim_spaces(next_piece(&text));
        if (word.length == 0)
            continue;
        if (column > 0 && column + 1 + word.length > DSN_LINE_BYTES) {
            buffer_append_string(out, "\r\n");
            for (size_t i = 0; i < indent; i++)
                buffer_append_byte(out, ' ');
            column = indent;
        } else if (column > 0) {
            buffer_append_byte(out, ' ');
            column++;
        }
        dsn_put_clean(out, word, may_be_utf8);
        column += word.length;
    }
    buffer_append_string(out, "\r\n");
}
