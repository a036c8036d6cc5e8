/* address/proxy_header - see proxy_header.h. */
#include "address/proxy_header.h"

#include "base/number.h"

enum {
    V1_MAX_BYTES = 107, /* section 2.1, without its NUL */
    V2_SIGNATURE_BYTES = 12,
    V2_HEAD_BYTES = 16,
    V2_VERSION = 0x20,
    V2_COMMAND_LOCAL = 0,
    V2_COMMAND_PROXY = 1,
    V2_FAMILY_INET = 1,
    V2_FAMILY_INET6 = 2,
    V2_FAMILY_UNIX = 3,
    V2_PROTOCOL_STREAM = 1,
    TLV_HEAD_BYTES = 3,
    TLV_CRC32C = 3,
    CRC_BYTES = 4,
    PORTS_BYTES = 4
};

static const uint8_t v2_signature[V2_SIGNATURE_BYTES] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- version 1 ---- */

static bool parse_port(struct span text, uint16_t *port)
{
    uint64_t number;
    /* No leading zeros: section 2.1. */
    if (text.length == 0 || (text.bytes[0] == '0' && text.length > 1) ||
        !number_parse_uint64(text, UINT16_MAX, &number))
        return false;
    *port = (uint16_t)number;
    return true;
}

static enum parse_result parse_v1_line(struct span line, struct proxy_header *header)
{
    struct proxy_header parsed = {.is_local = false};
    struct span words[6] = {{NULL, 0}};
    bool has_more = true;
    size_t count = 0;
    while (has_more && count < ARRAY_LENGTH(words))
        has_more = span_split_once(line, ' ', &words[count++], &line);
    if (count >= 2 && span_equals(words[1], SPAN("UNKNOWN"))) {
        /* Whatever follows is to be passed over. */
        *header = (struct proxy_header){.is_local = true};
        return PARSE_OK;
    }
    const bool is_ipv4 = span_equals(words[1], SPAN("TCP4"));
    if (has_more || count != ARRAY_LENGTH(words) ||
        !(is_ipv4 || span_equals(words[1], SPAN("TCP6"))) ||
        !ip_address_parse(words[2], &parsed.client) ||
        !ip_address_parse(words[3], &parsed.server) || !parse_port(words[4], &parsed.client_port) ||
        !parse_port(words[5], &parsed.server_port))
        return PARSE_MALFORMED;
    const enum ip_family family = is_ipv4 ? IP_FAMILY_4 : IP_FAMILY_6;
    if (parsed.client.family != family || parsed.server.family != family)
        return PARSE_MALFORMED;
    /* ::ffff:192.0.2.1 is the IPv4 address that it stands for. */
    parsed.client = ip_address_from_bytes(family, parsed.client.bytes);
    parsed.server = ip_address_from_bytes(family, parsed.server.bytes);
    *header = parsed;
    return PARSE_OK;
}

static enum parse_result parse_v1(struct span input, struct proxy_header *header,
                                  size_t *consumed_bytes)
{
    const struct span window = span_first(input, V1_MAX_BYTES);
    const size_t end = span_find_byte(window, '\n');
    if (end == window.length)
        return window.length == V1_MAX_BYTES ? PARSE_TOO_LONG : PARSE_NEED_MORE;
    if (end == 0 || window.bytes[end - 1] != '\r')
        return PARSE_MALFORMED;
    const enum parse_result result = parse_v1_line(span_first(window, end - 1), header);
    if (result == PARSE_OK)
        *consumed_bytes = end + 1;
    return result;
}

/* ---- version 2 ---- */

/* Castagnoli's polynomial, reflected. A header is short: no table. */
static uint32_t crc32c_add(uint32_t crc, struct span bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        crc ^= bytes.bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return crc;
}

/* The sum over the whole header, with zeros in its own place. */
static bool matches_crc(struct span header, size_t crc_offset)
{
    static const uint8_t zeros[CRC_BYTES] = {0};
    uint32_t crc = crc32c_add(UINT32_MAX, span_first(header, crc_offset));
    crc = crc32c_add(crc, span_of(zeros, sizeof(zeros)));
    crc = crc32c_add(crc, span_after(header, crc_offset + CRC_BYTES));
    return number_get_uint32(header.bytes + crc_offset) == (crc ^ UINT32_MAX);
}

/* Extensions from offset to the end of the header. */
static bool check_extensions(struct span header, size_t offset)
{
    while (offset < header.length) {
        const struct span rest = span_after(header, offset);
        if (rest.length < TLV_HEAD_BYTES)
            return false;
        const size_t length = number_get_uint16(rest.bytes + 1);
        if (rest.length - TLV_HEAD_BYTES < length)
            return false;
        if (rest.bytes[0] == TLV_CRC32C &&
            (length != CRC_BYTES || !matches_crc(header, offset + TLV_HEAD_BYTES)))
            return false;
        offset += TLV_HEAD_BYTES + length;
    }
    return true;
}

static enum parse_result parse_v2_addresses(struct span header, struct proxy_header *parsed)
{
    const unsigned family = header.bytes[13] >> 4;
    const unsigned protocol = header.bytes[13] & 0x0f;
    const struct span body = span_after(header, V2_HEAD_BYTES);
    const size_t address_bytes = family == V2_FAMILY_INET ? 4 : 16;
    if (family > V2_FAMILY_UNIX || protocol > 2)
        return PARSE_MALFORMED; /* "unassigned: must be rejected" */
    if (family == 0 || family == V2_FAMILY_UNIX || protocol != V2_PROTOCOL_STREAM) {
        parsed->is_local = true; /* nothing here that a mail client could have */
        return PARSE_OK;
    }
    if (body.length < 2 * address_bytes + PORTS_BYTES)
        return PARSE_MALFORMED;
    const enum ip_family ip_family = family == V2_FAMILY_INET ? IP_FAMILY_4 : IP_FAMILY_6;
    parsed->client = ip_address_from_bytes(ip_family, body.bytes);
    parsed->server = ip_address_from_bytes(ip_family, body.bytes + address_bytes);
    parsed->client_port = number_get_uint16(body.bytes + 2 * address_bytes);
    parsed->server_port = number_get_uint16(body.bytes + 2 * address_bytes + 2);
    return check_extensions(header, V2_HEAD_BYTES + 2 * address_bytes + PORTS_BYTES)
               ? PARSE_OK
               : PARSE_MALFORMED;
}

static enum parse_result parse_v2(struct span input, struct proxy_header *header,
                                  size_t *consumed_bytes)
{
    struct proxy_header parsed = {.is_local = false};
    if (input.length > V2_SIGNATURE_BYTES && (input.bytes[12] & 0xf0) != V2_VERSION)
        return PARSE_MALFORMED;
    if (input.length < V2_HEAD_BYTES)
        return PARSE_NEED_MORE;
    const unsigned command = input.bytes[12] & 0x0f;
    const size_t length = V2_HEAD_BYTES + (size_t)number_get_uint16(input.bytes + 14);
    if (command != V2_COMMAND_LOCAL && command != V2_COMMAND_PROXY)
        return PARSE_MALFORMED;
    if (length > PROXY_HEADER_MAX_BYTES)
        return PARSE_TOO_LONG;
    if (input.length < length)
        return PARSE_NEED_MORE;
    enum parse_result result = PARSE_OK;
    if (command == V2_COMMAND_LOCAL)
        parsed.is_local = true; /* section 2.2: the rest is to be passed over */
    else
        result = parse_v2_addresses(span_first(input, length), &parsed);
    if (result == PARSE_OK) {
        *header = parsed;
        *consumed_bytes = length;
    }
    return result;
}

enum parse_result proxy_header_parse(struct span input, struct proxy_header *header,
                                     size_t *consumed_bytes)
{
    const struct span v1_start = SPAN("PROXY ");
    const struct span v2_start = span_of(v2_signature, sizeof(v2_signature));
    if (input.length == 0)
        return PARSE_NEED_MORE;
    const struct span start = input.bytes[0] == v2_signature[0] ? v2_start : v1_start;
    if (!span_starts_with(input, span_first(start, input.length)))
        return PARSE_MALFORMED;
    if (input.length < start.length)
        return PARSE_NEED_MORE;
    return start.bytes == v2_signature ? parse_v2(input, header, consumed_bytes)
                                       : parse_v1(input, header, consumed_bytes);
}
