/* conf/own_addresses - see own_addresses.h. */
#include "conf/own_addresses.h"

#include <netdb.h>
#include <netinet/in.h>

enum { INTERFACES_MAX = 1024 };

struct found {
    struct ip_address *addresses;
    size_t count;
};

static void add(struct found *found, const struct ip_address *address)
{
    if (found->count < INTERFACES_MAX)
        found->addresses[found->count++] = *address;
}

static bool is_loopback(const struct ip_address *address)
{
    static const uint8_t one[16] = {[15] = 1};
    return address->family == IP_FAMILY_4 ? address->bytes[0] == 127
                                          : memcmp(address->bytes, one, sizeof(one)) == 0;
}

static void add_host(struct found *found, const struct conf_host *host, bool loopback_only)
{
    for (size_t i = 0; i < host->interface_count; i++) {
        const struct conf_interface *interface = &host->interfaces[i];
        const struct ip_address address = ip_address_from_bytes(
            interface->is_ipv6 ? IP_FAMILY_6 : IP_FAMILY_4, interface->address);
        if (!loopback_only || is_loopback(&address))
            add(found, &address);
    }
}

static bool add_name(struct found *found, struct span name, struct arena *arena)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const char *text = arena_string(arena, name);
    struct addrinfo *list = NULL;

    if (!text || getaddrinfo(text, NULL, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *item = list; item; item = item->ai_next) {
        struct ip_address address;
        if (item->ai_family == AF_INET) {
            struct sockaddr_in ipv4;
            memcpy(&ipv4, item->ai_addr, sizeof(ipv4));
            address = ip_address_from_bytes(IP_FAMILY_4, (const uint8_t *)&ipv4.sin_addr);
        } else {
            struct sockaddr_in6 ipv6;
            memcpy(&ipv6, item->ai_addr, sizeof(ipv6));
            address = ip_address_from_bytes(IP_FAMILY_6, (const uint8_t *)&ipv6.sin6_addr);
        }
        add(found, &address);
    }
    freeaddrinfo(list);
    return true;
}

static void add_words(struct found *found, struct span words, const struct conf_host *host,
                      struct arena *arena, struct span *unknown)
{
    struct span word;

    while (span_next_word(&words, ", \t\r\n", &word)) {
        struct ip_address address;
        struct span bare = word;
        if (bare.bytes[0] == '[' && bare.bytes[bare.length - 1] == ']')
            bare = span_between(bare, 1, bare.length - 1);
        if (span_equals_ascii_nocase(word, SPAN("all")))
            add_host(found, host, false);
        else if (span_equals_ascii_nocase(word, SPAN("loopback-only")))
            add_host(found, host, true);
        else if (ip_address_parse(bare, &address))
            add(found, &address);
        else if (!add_name(found, word, arena))
            *unknown = word;
    }
}

bool conf_own_addresses(struct span inet_interfaces, struct span proxy_interfaces,
                        const struct conf_host *host, struct arena *arena,
                        struct ip_address **addresses, size_t *count, struct span *unknown)
{
    struct found found = {.addresses = arena_alloc(arena, INTERFACES_MAX * sizeof(**addresses))};

    *unknown = span_empty();
    if (!found.addresses)
        return false;
    add_words(&found, inet_interfaces, host, arena, unknown);
    add_words(&found, proxy_interfaces, host, arena, unknown);
    *addresses = found.addresses;
    *count = found.count;
    return true;
}
