/* smtp/nexthop - see nexthop.h. */
#include "nexthop.h"

#include "address/idn.h"
#include "base/number.h"
#include "dnswire/name.h"

/* The services of mail; other ports are written as numbers, since the sandbox has no services(5).
 */
static const struct {
    const char *name;
    uint16_t port;
} services[] = {{"smtp", 25},   {"lmtp", 24},   {"submission", 587}, {"submissions", 465},
                {"smtps", 465}, {"ssmtp", 465}, {"urd", 465}};

bool nexthop_parse_port(struct span text, uint16_t *port)
{
    uint64_t number;
    for (size_t i = 0; i < ARRAY_LENGTH(services); i++)
        if (span_equals_ascii_nocase(text, span_from_string(services[i].name))) {
            *port = services[i].port;
            return true;
        }
    if (!number_parse_uint64(text, UINT16_MAX, &number) || number == 0)
        return false;
    *port = (uint16_t)number;
    return true;
}

static bool parse_bracketed(struct span text, struct nexthop *nexthop)
{
    static const struct span ipv6_prefix = SPAN_LITERAL("ipv6:");
    struct span inside, after;
    if (!span_split_once(span_after(text, 1), ']', &inside, &after))
        return false;
    if (!span_is_empty(after) &&
        (after.bytes[0] != ':' || !nexthop_parse_port(span_after(after, 1), &nexthop->port)))
        return false;
    const bool is_tagged = span_starts_with_ascii_nocase(inside, ipv6_prefix);
    if (is_tagged)
        inside = span_after(inside, ipv6_prefix.length);
    nexthop->host = inside;
    nexthop->is_host = true;
    if (ip_address_parse(inside, &nexthop->address))
        return !is_tagged || nexthop->address.family == IP_FAMILY_6;
    return !is_tagged && dns_name_is_mail_host(inside);
}

/* An address without brackets cannot have MX records: it is taken for what it is. */
static bool parse_plain(struct span text, struct nexthop *nexthop)
{
    struct span host, port;
    if (ip_address_parse(text, &nexthop->address)) {
        nexthop->host = text;
        nexthop->is_host = true;
        return true;
    }
    if (span_split_once(text, ':', &host, &port) && !nexthop_parse_port(port, &nexthop->port))
        return false;
    nexthop->host = host;
    nexthop->is_host = ip_address_parse(host, &nexthop->address);
    return nexthop->is_host || dns_name_is_mail_host(host);
}

enum parse_result nexthop_parse(struct span text, uint16_t default_port, bool is_lmtp,
                                struct nexthop *nexthop)
{
    static const struct span unix_prefix = SPAN_LITERAL("unix:");
    static const struct span inet_prefix = SPAN_LITERAL("inet:");
    struct nexthop result = {.port = default_port, .path = span_empty()};
    if (is_lmtp && span_starts_with(text, unix_prefix)) {
        *nexthop = (struct nexthop){
            .host = span_empty(), .is_host = true, .path = span_after(text, unix_prefix.length)};
        return span_is_empty(nexthop->path) ? PARSE_MALFORMED : PARSE_OK;
    }
    if (is_lmtp && span_starts_with(text, inet_prefix))
        text = span_after(text, inet_prefix.length);
    const bool is_parsed = span_starts_with(text, SPAN("[")) ? parse_bracketed(text, &result)
                                                             : parse_plain(text, &result);
    if (!is_parsed)
        return PARSE_MALFORMED;
    result.is_host |= is_lmtp;
    *nexthop = result;
    return PARSE_OK;
}

enum parse_result nexthop_to_ascii(struct span text, struct arena *arena, struct span *ascii)
{
    const bool has_bracket = span_starts_with(text, SPAN("["));
    const struct span inner = span_after(text, has_bracket ? 1 : 0);
    const size_t length = span_find_byte(inner, has_bracket ? ']' : ':');
    struct span name;
    const enum parse_result result =
        address_domain_to_ascii(span_first(inner, length), arena, &name);
    if (result != PARSE_OK)
        return result;
    *ascii = arena_format(arena, "%s%.*s%.*s", has_bracket ? "[" : "", SPAN_PRINTF(name),
                          SPAN_PRINTF(span_after(inner, length)));
    return ascii->bytes ? PARSE_OK : PARSE_TOO_LONG;
}
