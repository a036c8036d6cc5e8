/* dnsd/servers - see servers.h. */
#include "servers.h"

#include <arpa/inet.h>

#include "base/number.h"

enum {
    TIMEOUT_MAX_S = 30, /* the limits of resolv.conf(5) */
    ATTEMPTS_MAX = 5,
    ADDRESS_TEXT_MAX_BYTES = 45
};

static bool parse_address(struct span text, struct dns_server *server)
{
    char string[ADDRESS_TEXT_MAX_BYTES + 1] = "";
    if (text.length > ADDRESS_TEXT_MAX_BYTES || span_find_byte(text, 0) < text.length)
        return false;
    memcpy(string, text.bytes, text.length);
    const bool is_ipv6 = span_find_byte(text, ':') < text.length;
    server->address_length = is_ipv6 ? 16 : 4;
    return inet_pton(is_ipv6 ? AF_INET6 : AF_INET, string, server->address) == 1;
}

static bool parse_port(struct span text, struct dns_server *server)
{
    uint64_t port;
    if (!number_parse_uint64(text, UINT16_MAX, &port) || port == 0)
        return false;
    server->port = (uint16_t)port;
    return true;
}

static bool parse_server(struct span text, struct dns_server *server)
{
    struct span before, after;
    *server = (struct dns_server){.port = DNS_PORT};
    if (span_starts_with(text, SPAN("["))) {
        if (!span_split_once(span_after(text, 1), ']', &before, &after))
            return false;
        if (!span_is_empty(after) &&
            (after.bytes[0] != ':' || !parse_port(span_after(after, 1), server)))
            return false;
        return parse_address(before, server);
    }
    /* One colon stands before a port; more are an IPv6 address. */
    if (span_split_once(text, ':', &before, &after) && span_find_byte(after, ':') == after.length)
        return parse_port(after, server) && parse_address(before, server);
    return parse_address(text, server);
}

struct dns_servers dns_servers_none(unsigned timeout_ms, unsigned attempts)
{
    return (struct dns_servers){.timeout_ms = timeout_ms, .attempts = attempts};
}

enum parse_result dns_servers_from_list(struct span text, struct dns_servers *servers,
                                        struct span *problem)
{
    struct dns_servers result = *servers;
    struct span rest = text, word;
    while (span_next_word(&rest, ", \t\r\n", &word)) {
        *problem = word;
        if (result.count == DNS_SERVERS_MAX)
            return PARSE_TOO_LONG;
        if (!parse_server(word, &result.list[result.count]))
            return PARSE_MALFORMED;
        result.count++;
    }
    *servers = result;
    return PARSE_OK;
}

static void read_option(struct span option, struct dns_servers *servers)
{
    struct span name, value;
    uint64_t number;
    (void)span_split_once(option, ':', &name, &value);
    if (span_equals(name, SPAN("rotate")))
        servers->is_rotating = true;
    if (span_equals(name, SPAN("trust-ad")))
        servers->has_trust_option = true;
    if (!number_parse_uint64(value, UINT32_MAX, &number) || number == 0)
        return;
    if (span_equals(name, SPAN("timeout")))
        servers->timeout_ms = (unsigned)(number < TIMEOUT_MAX_S ? number : TIMEOUT_MAX_S) * 1000;
    if (span_equals(name, SPAN("attempts")))
        servers->attempts = (unsigned)(number < ATTEMPTS_MAX ? number : ATTEMPTS_MAX);
}

void dns_servers_from_resolv_conf(struct span text, struct dns_servers *servers)
{
    struct span rest = text, line, word;
    while (!span_is_empty(rest)) {
        (void)span_split_once(rest, '\n', &line, &rest);
        if (!span_next_word(&line, " \t\r", &word))
            continue;
        if (span_equals(word, SPAN("nameserver")) && servers->count < DNS_SERVERS_MAX &&
            span_next_word(&line, " \t\r", &word)) {
            struct dns_server *server = &servers->list[servers->count];
            *server = (struct dns_server){.port = DNS_PORT};
            servers->count += parse_address(word, server);
        } else if (span_equals(word, SPAN("options"))) {
            while (span_next_word(&line, " \t\r", &word))
                read_option(word, servers);
        }
    }
    if (servers->count == 0)
        servers->list[servers->count++] =
            (struct dns_server){.address = {127, 0, 0, 1}, .address_length = 4, .port = DNS_PORT};
}

static bool is_loopback(const struct dns_server *server)
{
    static const uint8_t ipv6_loopback[16] = {[15] = 1};
    return server->address_length == 4
               ? server->address[0] == 127
               : memcmp(server->address, ipv6_loopback, sizeof(ipv6_loopback)) == 0;
}

void dns_servers_decide_trust(struct span wish, struct dns_servers *servers)
{
    bool are_local = servers->count > 0;
    for (size_t i = 0; i < servers->count; i++)
        are_local = are_local && is_loopback(&servers->list[i]);
    servers->is_trusted =
        span_equals_ascii_nocase(wish, SPAN("yes")) ||
        (!span_equals_ascii_nocase(wish, SPAN("no")) && (are_local || servers->has_trust_option));
}
