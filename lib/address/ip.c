/* address/ip - see ip.h. */
#include "address/ip.h"

#include <arpa/inet.h>

#include "base/ascii.h"
#include "base/number.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ip_address_parse(struct span text, struct ip_address *address)
{
    char string[IP_ADDRESS_TEXT_MAX_BYTES];
    if (text.length == 0 || text.length >= sizeof(string) || memchr(text.bytes, 0, text.length))
        return false;
    memcpy(string, text.bytes, text.length);
    string[text.length] = 0;
    struct ip_address parsed = {IP_FAMILY_NONE, {0}};
    if (inet_pton(AF_INET, string, parsed.bytes) == 1)
        parsed.family = IP_FAMILY_4;
    else if (inet_pton(AF_INET6, string, parsed.bytes) == 1)
        parsed.family = IP_FAMILY_6;
    else
        return false;
    *address = parsed;
    return true;
}

struct ip_address ip_address_from_bytes(enum ip_family family, const uint8_t *bytes)
{
    struct ip_address address = {family, {0}};
    if (family == IP_FAMILY_6 && memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        address.family = IP_FAMILY_4;
        memcpy(address.bytes, bytes + sizeof(mapped_prefix), 4);
    } else if (family != IP_FAMILY_NONE) {
        memcpy(address.bytes, bytes, family == IP_FAMILY_4 ? 4 : 16);
    }
    return address;
}

struct span ip_address_format(const struct ip_address *address,
                              char text[IP_ADDRESS_TEXT_MAX_BYTES])
{
    const int family = address->family == IP_FAMILY_4 ? AF_INET : AF_INET6;
    if (address->family == IP_FAMILY_NONE ||
        !inet_ntop(family, address->bytes, text, IP_ADDRESS_TEXT_MAX_BYTES))
        return SPAN("unknown");
    return span_from_string(text);
}

bool ip_address_equals(const struct ip_address *left, const struct ip_address *right)
{
    return left->family == right->family &&
           memcmp(left->bytes, right->bytes, sizeof(left->bytes)) == 0;
}

static bool is_bit_set(const uint8_t *bytes, unsigned bit)
{
    return (bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

static bool take_prefix_bits(struct span text, unsigned maximum, uint8_t *bits)
{
    uint64_t value;
    if (!number_parse_uint64(text, maximum, &value))
        return false;
    *bits = (uint8_t)value;
    return true;
}

static bool network_parse(struct span word, struct ip_network *network)
{
    *network = (struct ip_network){.is_negated = false};
    while (word.length && word.bytes[0] == '!') {
        network->is_negated = !network->is_negated;
        word = span_after(word, 1);
    }
    struct span address;
    struct span bits;
    const bool has_brackets = word.length && word.bytes[0] == '[';
    bool has_bits;
    if (has_brackets) {
        /* The closing bracket may stand before or after the prefix length. */
        struct span after;
        if (!span_split_once(span_after(word, 1), ']', &address, &after))
            return false;
        if (after.length && after.bytes[0] != '/')
            return false;
        has_bits = after.length > 0;
        bits = span_after(after, 1);
        struct span inside = address;
        if (!has_bits)
            has_bits = span_split_once(inside, '/', &address, &bits);
    } else {
        has_bits = span_split_once(word, '/', &address, &bits);
    }
    if (!ip_address_parse(address, &network->base) ||
        has_brackets != (network->base.family == IP_FAMILY_6))
        return false;
    const unsigned width = network->base.family == IP_FAMILY_4 ? 32 : 128;
    network->prefix_bits = (uint8_t)width;
    if (has_bits && !take_prefix_bits(bits, width, &network->prefix_bits))
        return false;
    for (unsigned bit = network->prefix_bits; bit < width; bit++)
        if (is_bit_set(network->base.bytes, bit))
            return false; /* 10.0.0.1/8 is more likely a mistake than a wish */
    return true;
}

static const char list_separators[] = ", \t\r\n";

enum parse_result ip_network_list_parse(struct span text, struct arena *arena,
                                        struct ip_network_list *list, struct span *bad_word)
{
    size_t count = 0;
    struct span word;
    for (struct span rest = text; span_next_word(&rest, list_separators, &word);)
        count++;
    if (count > IP_NETWORK_LIST_MAX)
        return PARSE_TOO_LONG;
    struct ip_network *networks = arena_alloc(arena, count * sizeof(*networks));
    if (!networks)
        return PARSE_TOO_LONG;
    size_t i = 0;
    for (struct span rest = text; span_next_word(&rest, list_separators, &word);)
        if (!network_parse(word, &networks[i++])) {
            *bad_word = word;
            return PARSE_MALFORMED;
        }
    *list = (struct ip_network_list){networks, count};
    return PARSE_OK;
}

static bool network_has(const struct ip_network *network, const struct ip_address *address)
{
    if (network->base.family != address->family)
        return false;
    const size_t whole_bytes = network->prefix_bits / 8;
    const unsigned rest_bits = network->prefix_bits % 8;
    if (memcmp(network->base.bytes, address->bytes, whole_bytes) != 0)
        return false;
    return rest_bits == 0 || ((network->base.bytes[whole_bytes] ^ address->bytes[whole_bytes]) >>
                              (8 - rest_bits)) == 0;
}

bool ip_network_list_has(const struct ip_network_list *list, const struct ip_address *address)
{
    if (address->family == IP_FAMILY_NONE)
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (network_has(&list->networks[i], address))
            return !list->networks[i].is_negated;
    return false;
}

/* What the IANA registries of special-purpose addresses (RFC 6890) call not globally reachable,
 * and groups. Anycast services within 192.0.0.0/24 are nobody's hosts. */
static const struct ip_network local_networks[] = {
    {{IP_FAMILY_4, {0}}, 8, false},            /* this network: RFC 791 section 3.2 */
    {{IP_FAMILY_4, {10}}, 8, false},           /* RFC 1918 */
    {{IP_FAMILY_4, {100, 64}}, 10, false},     /* shared by customers of a provider: RFC 6598 */
    {{IP_FAMILY_4, {127}}, 8, false},          /* loopback: RFC 1122 section 3.2.1.3 */
    {{IP_FAMILY_4, {169, 254}}, 16, false},    /* link-local: RFC 3927 */
    {{IP_FAMILY_4, {172, 16}}, 12, false},     /* RFC 1918 */
    {{IP_FAMILY_4, {192, 0, 0}}, 24, false},   /* protocol assignments: RFC 6890 section 2.1 */
    {{IP_FAMILY_4, {192, 0, 2}}, 24, false},   /* documentation: RFC 5737 */
    {{IP_FAMILY_4, {192, 88, 99}}, 24, false}, /* 6to4 relays: RFC 7526 */
    {{IP_FAMILY_4, {192, 168}}, 16, false},    /* RFC 1918 */
    {{IP_FAMILY_4, {198, 18}}, 15, false},     /* benchmarks: RFC 2544 */
    {{IP_FAMILY_4, {198, 51, 100}}, 24, false},
    {{IP_FAMILY_4, {203, 0, 113}}, 24, false},
    {{IP_FAMILY_4, {224}}, 4, false},                     /* multicast: RFC 5771 */
    {{IP_FAMILY_4, {240}}, 4, false},                     /* reserved, and broadcast: RFC 1112 */
    {{IP_FAMILY_6, {0x20, 0x01}}, 23, false},             /* protocol assignments: RFC 2928 */
    {{IP_FAMILY_6, {0x20, 0x01, 0x0d, 0xb8}}, 32, false}, /* documentation: RFC 3849 */
    {{IP_FAMILY_6, {0x3f, 0xff}}, 20, false},             /* documentation: RFC 9637 */
};

/* The only addresses that hosts in the Internet have (RFC 4291 section 2.4, and the registry of
 * IPv6 address space): ::, ::1, fc00::/7, fe80::/10, ff00::/8 and the rest are outside. */
static const struct ip_network global_unicast = {{IP_FAMILY_6, {0x20}}, 3, false};

/* IPv6 networks whose addresses hold the IPv4 address to which packets go in the end. */
static const struct {
    struct ip_network network;
    size_t offset;
} embedding[] = {
    {{{IP_FAMILY_6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}, 96, false}, 12}, /* mapped */
    {{{IP_FAMILY_6, {0x00, 0x64, 0xff, 0x9b}}, 96, false}, 12}, /* NAT64: RFC 6052 section 2.1 */
    {{{IP_FAMILY_6, {0x20, 0x02}}, 16, false}, 2},              /* 6to4: RFC 3056 section 2 */
};

static bool is_outside_local_networks(const struct ip_address *address)
{
    for (size_t i = 0; i < ARRAY_LENGTH(local_networks); i++)
        if (network_has(&local_networks[i], address))
            return false;
    return true;
}

bool ip_address_is_global(const struct ip_address *address)
{
    if (address->family == IP_FAMILY_NONE)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(embedding); i++)
        if (network_has(&embedding[i].network, address)) {
            const struct ip_address inner =
                ip_address_from_bytes(IP_FAMILY_4, address->bytes + embedding[i].offset);
            return is_outside_local_networks(&inner);
        }
    if (address->family == IP_FAMILY_6 && !network_has(&global_unicast, address))
        return false;
    return is_outside_local_networks(address);
}
