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

/* Cuts the next word off *rest; false when none is left. Spaces between words go. */
static bool next_word(struct span *rest, struct span *word)
{
    size_t begin = 0, end;
    while (begin < rest->length && rest->bytes[begin] == ' ')
        begin++;
    for (end = begin; end < rest->length && rest->bytes[end] != ' '; end++)
        if (end - begin == WORD_MAX_BYTES)
            break;
    *word = span_between(*rest, begin, end);
    *rest = span_after(*rest, end);
    return word->length > 0;
}

/* Words, with one space between them, or a line end and the indent. Cleaned. */
static void put_words(struct buffer *out, struct span text, size_t column, size_t indent,
                      bool may_be_utf8)
{
    struct span word;
    for (bool is_first = true; next_word(&text, &word); is_first = false) {
        if (!is_first && column + 1 + word.length > DSN_LINE_BYTES) {
            buffer_append_string(out, "\r\n");
            for (size_t i = 0; i < indent; i++)
                buffer_append_byte(out, ' ');
            column = indent;
        } else if (!is_first) {
            buffer_append_byte(out, ' ');
            column++;
        }
        dsn_put_clean(out, word, may_be_utf8);
        column += word.length;
    }
    buffer_append_string(out, "\r\n");
}

static bool has_words(struct span text)
{
    struct span word;
    return next_word(&text, &word);
}

void dsn_put_field(struct buffer *out, const char *name, struct span value, bool may_be_utf8)
{
    if (!has_words(value))
        return;
    buffer_append_format(out, "%s: ", name);
    put_words(out, value, strlen(name) + 2, 1, may_be_utf8);
}

void dsn_put_typed_field(struct buffer *out, const char *name, const char *type, struct span value,
                         bool may_be_utf8)
{
    if (!has_words(value))
        return;
    buffer_append_format(out, "%s: %s; ", name, type);
    put_words(out, value, strlen(name) + strlen(type) + 4, 1, may_be_utf8);
}

void dsn_put_paragraph(struct buffer *out, struct span text, size_t indent, bool may_be_utf8)
{
    put_words(out, text, 0, indent, may_be_utf8);
}
