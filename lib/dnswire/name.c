/* dnswire/name - see name.h. */
#include "dnswire/name.h"

#include "base/ascii.h"

/* The two high bits of a length byte: 00 a label, 11 a pointer, the others unused (RFC 1035
 * section 4.1.4, RFC 6891 section 5). */
enum { LABEL_KIND_MASK = 0xc0, LABEL_KIND_POINTER = 0xc0, MESSAGE_HEADER_BYTES = 12 };

static bool append_label(struct dns_name *name, const uint8_t *bytes, size_t length)
{
    /* One byte stays free for the root label. */
    if (name->length + 1 + length + 1 > DNS_NAME_MAX_BYTES)
        return false;
    name->bytes[name->length++] = (uint8_t)length;
    for (size_t i = 0; i < length; i++)
        name->bytes[name->length++] = ascii_to_lower(bytes[i]);
    return true;
}

enum parse_result dns_name_parse(struct span message, size_t offset, struct dns_name *name,
                                 size_t *end_offset)
{
    struct dns_name result = {.length = 0};
    size_t position = offset, end = 0;
    size_t barrier = offset; /* pointers must lead before this, and lower it */

    for (;;) {
        if (position >= message.length)
            return PARSE_MALFORMED;
        const uint8_t length = message.bytes[position];
        if ((length & LABEL_KIND_MASK) == LABEL_KIND_POINTER) {
            if (position + 1 >= message.length)
                return PARSE_MALFORMED;
            const size_t target =
                (size_t)(length & ~LABEL_KIND_MASK) << 8 | message.bytes[position + 1];
            if (end == 0)
                end = position + 2;
            if (target >= barrier || target < MESSAGE_HEADER_BYTES)
                return PARSE_MALFORMED;
            position = barrier = target;
            continue;
        }
        if ((length & LABEL_KIND_MASK) != 0)
            return PARSE_MALFORMED;
        if (length == 0)
            break;
        if (length >= message.length - position ||
            !append_label(&result, message.bytes + position + 1, length))
            return PARSE_MALFORMED;
        position += 1 + (size_t)length;
    }
    result.bytes[result.length++] = 0;
    *name = result;
    *end_offset = end ? end : position + 1;
    return PARSE_OK;
}

/* One character of a label in text form, escapes undone; false where that is malformed. */
static bool take_character(struct span *rest, uint8_t *byte)
{
    *byte = rest->bytes[0];
    *rest = span_after(*rest, 1);
    if (*byte != '\\')
        return *byte < 0x80;
    if (span_is_empty(*rest))
        return false;
    if (!ascii_is_digit(rest->bytes[0])) {
        *byte = rest->bytes[0];
        *rest = span_after(*rest, 1);
        return *byte < 0x80;
    }
    unsigned value = 0;
    if (rest->length < 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (!ascii_is_digit(rest->bytes[i]))
            return false;
        value = value * 10 + (unsigned)(rest->bytes[i] - '0');
    }
    if (value > UINT8_MAX)
        return false;
    *byte = (uint8_t)value;
    *rest = span_after(*rest, 3);
    return true;
}

enum parse_result dns_name_from_text(struct span text, struct dns_name *name)
{
    struct dns_name result = {.length = 0};
    struct span rest = text;

    if (span_is_empty(text))
        return PARSE_MALFORMED;
    if (span_equals(text, SPAN(".")))
        rest = span_empty();
    while (!span_is_empty(rest)) {
        uint8_t label[DNS_LABEL_MAX_BYTES];
        size_t length = 0;
        while (!span_is_empty(rest) && rest.bytes[0] != '.') {
            uint8_t byte;
            if (!take_character(&rest, &byte))
                return PARSE_MALFORMED;
            if (length == sizeof(label))
                return PARSE_TOO_LONG;
            label[length++] = byte;
        }
        if (length == 0)
            return PARSE_MALFORMED; /* only the root label is empty */
        if (!append_label(&result, label, length))
            return PARSE_TOO_LONG;
        rest = span_after(rest, 1);
    }
    result.bytes[result.length++] = 0;
    *name = result;
    return PARSE_OK;
}

static size_t format_character(uint8_t *text, uint8_t byte)
{
    size_t length = 0;
    if (ascii_is_alnum(byte) || byte == '-' || byte == '_' || byte == '/' || byte == '*') {
        text[length++] = byte;
    } else if (ascii_is_print(byte) && byte != ' ') {
        text[length++] = '\\';
        text[length++] = byte;
    } else {
        text[length++] = '\\';
        text[length++] = (uint8_t)('0' + byte / 100);
        text[length++] = (uint8_t)('0' + byte / 10 % 10);
        text[length++] = (uint8_t)('0' + byte % 10);
    }
    return length;
}

size_t dns_name_format(const struct dns_name *name, uint8_t text[DNS_NAME_TEXT_MAX_BYTES])
{
    size_t length = 0;
    if (name->length <= 1)
        text[length++] = '.';
    for (size_t position = 0; position < name->length && name->bytes[position] != 0;) {
        const size_t label_length = name->bytes[position];
        if (position > 0)
            text[length++] = '.';
        for (size_t i = 1; i <= label_length; i++)
            length += format_character(text + length, name->bytes[position + i]);
        position += 1 + label_length;
    }
    return length;
}

struct span dns_name_text(const struct dns_name *name, struct arena *arena)
{
    uint8_t text[DNS_NAME_TEXT_MAX_BYTES];
    return arena_copy(arena, span_of(text, dns_name_format(name, text)));
}

bool dns_name_equals(const struct dns_name *left, const struct dns_name *right)
{
    return span_equals(dns_name_span(left), dns_name_span(right));
}

bool dns_name_from_address(struct span address, struct dns_name *name)
{
    static const char digits[] = "0123456789abcdef";
    /* 32 nibbles with dots and "ip6.arpa" is the longest. */
    uint8_t text_bytes[80];
    size_t length = 0;

    if (address.length == 4) {
        for (size_t i = 4; i-- > 0;) {
            const uint8_t byte = address.bytes[i];
            if (byte >= 100)
                text_bytes[length++] = (uint8_t)('0' + byte / 100);
            if (byte >= 10)
                text_bytes[length++] = (uint8_t)('0' + byte / 10 % 10);
            text_bytes[length++] = (uint8_t)('0' + byte % 10);
            text_bytes[length++] = '.';
        }
    } else if (address.length == 16) {
        for (size_t i = 16; i-- > 0;) {
            text_bytes[length++] = (uint8_t)digits[address.bytes[i] & 15];
            text_bytes[length++] = '.';
            text_bytes[length++] = (uint8_t)digits[address.bytes[i] >> 4];
            text_bytes[length++] = '.';
        }
    } else {
        return false;
    }
    const struct span zone = address.length == 4 ? SPAN("in-addr.arpa") : SPAN("ip6.arpa");
    memcpy(text_bytes + length, zone.bytes, zone.length);
    return dns_name_from_text(span_of(text_bytes, length + zone.length), name) == PARSE_OK;
}

bool dns_name_is_mail_host(struct span text)
{
    bool has_non_digit = false;
    size_t label_length = 0;

    if (text.length == 0 || text.length > DNS_NAME_MAX_BYTES - 2)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        const bool is_at_edge =
            label_length == 0 || i + 1 == text.length || text.bytes[i + 1] == '.';
        if (byte == '.') {
            if (label_length == 0 || i + 1 == text.length)
                return false;
            label_length = 0;
            continue;
        }
        if (!ascii_is_alnum(byte) && byte != '_' && (byte != '-' || is_at_edge))
            return false;
        if (++label_length > DNS_LABEL_MAX_BYTES)
            return false;
        has_non_digit |= !ascii_is_digit(byte);
    }
    return has_non_digit;
}
