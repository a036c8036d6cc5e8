/* base/byteset - see byteset.h. */
#include "base/byteset.h"

enum { OCTAL_DIGITS_MAX = 3 };

/* The byte after a backslash, taken off *text. */
static bool take_escape(struct span *text, uint8_t *byte)
{
    static const char names[] = "abfnrtv\\";
    static const char values[] = "\a\b\f\n\r\t\v\\";
    unsigned number = 0;
    size_t digits = 0;
    if (text->length == 0)
        return false;
    const char *name = text->bytes[0] ? strchr(names, text->bytes[0]) : NULL;
    if (name) {
        *byte = (uint8_t)values[name - names];
        *text = span_after(*text, 1);
        return true;
    }
    while (digits < OCTAL_DIGITS_MAX && digits < text->length && text->bytes[digits] >= '0' &&
           text->bytes[digits] <= '7')
        number = number * 8 + (unsigned)(text->bytes[digits++] - '0');
    *text = span_after(*text, digits);
    *byte = (uint8_t)number;
    return digits > 0 && number <= UINT8_MAX;
}

bool byteset_parse(struct span text, struct byteset *set)
{
    struct byteset parsed = {{0}};
    while (text.length) {
        uint8_t byte = text.bytes[0];
        text = span_after(text, 1);
        if (byte == '\\' && !take_escape(&text, &byte))
            return false;
        byteset_add(&parsed, byte);
    }
    *set = parsed;
    return true;
}

size_t byteset_find(const struct byteset *set, struct span span)
{
    size_t at = 0;
    while (at < span.length && !byteset_has(set, span.bytes[at]))
        at++;
    return at;
}
