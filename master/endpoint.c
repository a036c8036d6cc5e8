/* master/endpoint - see endpoint.h. */
#include "endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/number.h"

struct resolution {
    const struct endpoint_rules *rules;
    struct endpoint *endpoints;
    size_t capacity;
    size_t count;
    uint16_t port;
};

bool endpoint_parse(struct span name, struct span *host, struct span *port)
{
    *host = span_empty();
    *port = name;
    if (span_starts_with(name, SPAN("["))) {
        const size_t end = span_find_byte(name, ']');
        if (end + 1 >= name.length || name.bytes[end + 1] != ':')
            return false;
        *host = span_between(name, 1, end);
        *port = span_after(name, end + 2);
        return !span_is_empty(*host) && !span_is_empty(*port);
    }
    const size_t colon = span_find_last_byte(name, ':');
    if (colon < name.length) {
        *host = span_first(name, colon);
        *port = span_after(name, colon + 1);
        if (span_find_byte(*host, ':') < host->length)
            return false; /* an IPv6 address without brackets */
    }
    return !span_is_empty(*port);
}

uint16_t endpoint_port(struct span port)
{
    /* A machine without /etc/services receives mail, too. */
    static const struct {
        const char *name;
        uint16_t port;
    } names[] = {{"smtp", 25},         {"mail", 25},   {"submission", 587},
                 {"submissions", 465}, {"smtps", 465}, {"lmtp", 24}};
    char name[32];
    uint64_t number;
    uint16_t result;

    if (number_parse_uint64(port, UINT64_MAX, &number))
        return number_to_uint16(number, &result) ? result : 0;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (span_equals(port, span_from_string(names[i].name)))
            return names[i].port;
    if (port.length >= sizeof(name))
        return 0;
    memcpy(name, port.bytes, port.length);
    name[port.length] = '\0';
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (getaddrinfo(NULL, name, &hints, &list) != 0)
        return 0;
    struct sockaddr_in address;
    memcpy(&address, list->ai_addr, sizeof(address));
    freeaddrinfo(list);
    return ntohs(address.sin_port);
}

static bool is_known(const struct resolution *resolution, const struct endpoint *endpoint)
{
    for (size_t i = 0; i < resolution->count; i++)
        if (strcmp(resolution->endpoints[i].text, endpoint->text) == 0)
            return true;
    return false;
}

static void add(struct resolution *resolution, const void *address, bool is_ipv6, bool is_optional)
{
    struct endpoint endpoint = {.is_optional = is_optional};
    char text[INET6_ADDRSTRLEN];
    if (resolution->count == resolution->capacity ||
        !(is_ipv6 ? resolution->rules->uses_ipv6 : resolution->rules->uses_ipv4))
        return;
    if (is_ipv6) {
        endpoint.address.ipv6.sin6_family = AF_INET6;
        endpoint.address.ipv6.sin6_port = htons(resolution->port);
        memcpy(&endpoint.address.ipv6.sin6_addr, address, 16);
        endpoint.length = sizeof(endpoint.address.ipv6);
    } else {
        endpoint.address.ipv4.sin_family = AF_INET;
        endpoint.address.ipv4.sin_port = htons(resolution->port);
        memcpy(&endpoint.address.ipv4.sin_addr, address, 4);
        endpoint.length = sizeof(endpoint.address.ipv4);
    }
    if (!inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, address, text, sizeof(text)))
        return;
    (void)snprintf(endpoint.text, sizeof(endpoint.text), is_ipv6 ? "[%s]:%u" : "%s:%u", text,
                   resolution->port);
    if (!is_known(resolution, &endpoint))
        resolution->endpoints[resolution->count++] = endpoint;
}

/* An address or a name. False when it means nothing. */
static bool add_host(struct resolution *resolution, struct span host)
{
    char name[256];
    uint8_t address[16];
    if (host.length >= sizeof(name))
        return false;
    memcpy(name, host.bytes, host.length);
    name[host.length] = '\0';
    if (inet_pton(AF_INET, name, address) == 1) {
        add(resolution, address, false, false);
        return true;
    }
    if (inet_pton(AF_INET6, name, address) == 1) {
        add(resolution, address, true, false);
        return true;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        if (at->ai_family == AF_INET) {
            struct sockaddr_in ipv4;
            memcpy(&ipv4, at->ai_addr, sizeof(ipv4));
            add(resolution, &ipv4.sin_addr, false, false);
        } else if (at->ai_family == AF_INET6) {
            struct sockaddr_in6 ipv6;
            memcpy(&ipv6, at->ai_addr, sizeof(ipv6));
            add(resolution, &ipv6.sin6_addr, true, false);
        }
    }
    freeaddrinfo(list);
    return true;
}

/* The words of inet_interfaces. False with *word, which means nothing. */
static bool add_interfaces(struct resolution *resolution, struct span *word)
{
    struct span rest = resolution->rules->interfaces;
    while (span_next_word(&rest, " \t\r\n,", word)) {
        if (span_equals_ascii_nocase(*word, SPAN("all"))) {
            add(resolution, &in6addr_any, true, resolution->rules->uses_ipv4);
            add(resolution, &(struct in_addr){htonl(INADDR_ANY)}, false, false);
        } else if (span_equals_ascii_nocase(*word, SPAN("loopback-only"))) {
            add(resolution, &(struct in_addr){htonl(INADDR_LOOPBACK)}, false, false);
            add(resolution, &in6addr_loopback, true, resolution->rules->uses_ipv4);
        } else {
            struct span host = *word;
            if (span_starts_with(host, SPAN("[")) && span_ends_with(host, SPAN("]")))
                host = span_between(host, 1, host.length - 1);
            if (!add_host(resolution, host))
                return false;
        }
    }
    return true;
}

size_t endpoint_resolve(struct span name, const struct endpoint_rules *rules,
                        struct endpoint *endpoints, size_t capacity, struct conf_error *error)
{
    struct resolution resolution = {.rules = rules, .endpoints = endpoints, .capacity = capacity};
    struct span host, port, word = span_empty();

    if (!endpoint_parse(name, &host, &port)) {
        conf_error_set(error,
                       "service \"%.*s\": a port, host:port or [IPv6 address]:port is needed",
                       SPAN_PRINTF(name));
        return 0;
    }
    resolution.port = endpoint_port(port);
    if (resolution.port == 0) {
        conf_error_set(error, "service \"%.*s\": no port is called \"%.*s\"; write its number",
                       SPAN_PRINTF(name), SPAN_PRINTF(port));
        return 0;
    }
    if (!span_is_empty(host) && !add_host(&resolution, host)) {
        conf_error_set(error, "service \"%.*s\": host \"%.*s\" has no address", SPAN_PRINTF(name),
                       SPAN_PRINTF(host));
        return 0;
    }
    if (span_is_empty(host) && !add_interfaces(&resolution, &word)) {
        conf_error_set(error, "inet_interfaces: host \"%.*s\" has no address", SPAN_PRINTF(word));
        return 0;
    }
    if (resolution.count == 0)
        conf_error_set(error,
                       "service \"%.*s\": no address to listen on: inet_interfaces and "
                       "inet_protocols leave none",
                       SPAN_PRINTF(name));
    return resolution.count;
}

bool endpoint_on_unix(struct span name, struct endpoint *endpoint)
{
    bool is_good = name.length > 0 && name.bytes[0] != '.';
    for (size_t i = 0; i < name.length; i++)
        is_good = is_good && (ascii_is_alnum(name.bytes[i]) || name.bytes[i] == '-' ||
                              name.bytes[i] == '_' || name.bytes[i] == '.');
    *endpoint = (struct endpoint){.length = 0};
    const int length =
        snprintf(endpoint->text, sizeof(endpoint->text), "public/%.*s", SPAN_PRINTF(name));
    return is_good && length > 0 && (size_t)length < sizeof(endpoint->text);
}
