/* tls/protocols - see protocols.h. */
#include "tls/protocols.h"

#include "base/number.h"

/* The numbers of the wire: RFC 8446 section 4.2.1. Postfix takes them in hexadecimal. */
enum { WIRE_SSL3 = 0x0300, WIRE_MAX = 0xffff };

/* SSL 2 is spoken by nobody: excluding it changes nothing, and it cannot be had. */
static const struct {
    struct span name;
    unsigned bits;
} names[] = {
    {SPAN_LITERAL("SSLv2"), 0},
    {SPAN_LITERAL("SSLv3"), 1 << TLS_PROTOCOL_SSL3},
    {SPAN_LITERAL("TLSv1"), 1 << TLS_PROTOCOL_1_0},
    {SPAN_LITERAL("TLSv1.0"), 1 << TLS_PROTOCOL_1_0},
    {SPAN_LITERAL("TLSv1.1"), 1 << TLS_PROTOCOL_1_1},
    {SPAN_LITERAL("TLSv1.2"), 1 << TLS_PROTOCOL_1_2},
    {SPAN_LITERAL("TLSv1.3"), 1 << TLS_PROTOCOL_1_3},
};

static bool find_name(struct span word, unsigned *bits)
{
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (span_equals_ascii_nocase(word, names[i].name)) {
            *bits = names[i].bits;
            return true;
        }
    return false;
}

/* Everything from the version on, whether or not it is known by name. */
static bool find_floor(struct span word, unsigned *bits)
{
    uint64_t number;
    if (find_name(word, bits)) {
        *bits = *bits ? TLS_PROTOCOLS_ALL & ~(*bits - 1) : TLS_PROTOCOLS_ALL;
        return true;
    }
    if (!number_parse_hex(word, WIRE_MAX, &number))
        return false;
    *bits = 0;
    for (unsigned i = 0; i < TLS_PROTOCOL_COUNT; i++)
        if (WIRE_SSL3 + i >= number)
            *bits |= 1U << i;
    return true;
}

static bool find_ceiling(struct span word, unsigned *bits)
{
    uint64_t number;
    if (find_name(word, bits)) {
        *bits = *bits ? *bits | (*bits - 1) : 0;
        return true;
    }
    if (!number_parse_hex(word, WIRE_MAX, &number))
        return false;
    *bits = 0;
    for (unsigned i = 0; i < TLS_PROTOCOL_COUNT; i++)
        if (WIRE_SSL3 + i <= number)
            *bits |= 1U << i;
    return true;
}

enum parse_result tls_protocols_parse(struct span text, unsigned *protocols, struct span *bad_word)
{
    unsigned allowed = TLS_PROTOCOLS_ALL, included = 0, bits = 0;
    bool is_a_list = false;
    struct span word;
    while (span_next_word(&text, ", \t\r\n:", &word)) {
        bool is_known;
        *bad_word = word;
        if (span_starts_with(word, SPAN(">="))) {
            is_known = find_floor(span_after(word, 2), &bits);
            allowed &= bits;
        } else if (span_starts_with(word, SPAN("<="))) {
            is_known = find_ceiling(span_after(word, 2), &bits);
            allowed &= bits;
        } else if (span_starts_with(word, SPAN("!"))) {
            is_known = find_name(span_after(word, 1), &bits);
            allowed &= ~bits;
        } else {
            is_known = find_name(word, &bits);
            included |= bits;
            is_a_list = true;
        }
        if (!is_known)
            return PARSE_MALFORMED;
    }
    if (is_a_list)
        allowed &= included;
    *bad_word = span_empty();
    if (allowed == 0)
        return PARSE_MALFORMED;
    *protocols = allowed;
    return PARSE_OK;
}
