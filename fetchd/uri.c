/* fetchd/uri - see uri.h. */
#include "uri.h"

#include "base/ascii.h"
#include "base/number.h"
#include "dnswire/name.h"

#define SCHEME "https://"

enum { HOST_MAX_BYTES = 253 };

/* RFC 3986 sections 2.1, 3.3 and 3.4: unreserved, sub-delims, ":", "@", "/", "?", and %XX. */
static bool is_path(struct span text)
{
    static const char others[] = "-._~!$&'()*+,;=:@/?";
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        if (byte == '%') {
            if (i + 2 >= text.length || ascii_hex_value(text.bytes[i + 1]) < 0 ||
                ascii_hex_value(text.bytes[i + 2]) < 0)
                return false;
            i += 2;
        } else if (!ascii_is_alnum(byte) &&
                   !span_byte_is_one_of(text, i, others, sizeof(others) - 1)) {
            return false;
        }
    }
    return true;
}

/* Digits at the end make an address of it for whoever resolves names: 127.1, 0x7f000001. */
static bool is_address_like(struct span host)
{
    const size_t dot = span_find_last_byte(host, '.');
    const struct span last = dot < host.length ? span_after(host, dot + 1) : host;
    return span_is_empty(last) || ascii_is_digit(last.bytes[0]);
}

enum parse_result uri_parse(struct span text, bool needs_dot, struct uri *uri)
{
    struct uri found = {.port = URI_HTTPS_PORT};
    uint64_t port;
    struct span rest, authority, digits;
    if (text.length > URI_MAX_BYTES)
        return PARSE_TOO_LONG;
    if (!span_starts_with_ascii_nocase(text, SPAN(SCHEME)))
        return PARSE_MALFORMED;
    (void)span_split_once(span_after(text, sizeof(SCHEME) - 1), '#', &rest, &digits);
    size_t end = 0;
    while (end < rest.length && !span_byte_is_one_of(rest, end, "/?", 2))
        end++;
    authority = span_first(rest, end);
    found.path = span_after(rest, end);
    if (span_split_once(authority, ':', &found.host, &digits)) {
        if (!number_parse_uint64(digits, UINT16_MAX, &port) || port == 0)
            return PARSE_MALFORMED;
        found.port = (uint16_t)port;
    }
    if (found.host.length > HOST_MAX_BYTES || !dns_name_is_mail_host(found.host) ||
        is_address_like(found.host) || !is_path(found.path) ||
        (needs_dot && span_find_byte(found.host, '.') == found.host.length))
        return PARSE_MALFORMED;
    *uri = found;
    return PARSE_OK;
}
