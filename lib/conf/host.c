/* conf/host - what defaults take from the machine: its name and its interfaces. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ascii.h"
#include "conf/instance.h"

enum { HOST_NAME_BYTES = 256 };

const char *conf_directory_built_in(void)
{
    return POSTHOUSE_CONFIG_DIRECTORY;
}

const char *conf_directory(const char *argument)
{
    const char *from_environment = getenv("MAIL_CONFIG");
    if (argument)
        return argument;
    return from_environment && *from_environment ? from_environment : POSTHOUSE_CONFIG_DIRECTORY;
}

static uint8_t count_bits(const uint8_t *mask, size_t length)
{
    uint8_t bits = 0;
    for (size_t i = 0; i < length; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            if (mask[i] & (0x80u >> bit))
                bits++;
    return bits;
}

static bool read_interface(const struct ifaddrs *from, struct conf_interface *interface)
{
    if (!from->ifa_addr || !from->ifa_netmask || !(from->ifa_flags & IFF_UP))
        return false;
    if (from->ifa_addr->sa_family == AF_INET) {
        struct sockaddr_in address, mask;
        memcpy(&address, from->ifa_addr, sizeof(address));
        memcpy(&mask, from->ifa_netmask, sizeof(mask));
        memcpy(interface->address, &address.sin_addr, 4);
        interface->prefix_bits = count_bits((const uint8_t *)&mask.sin_addr, 4);
        return true;
    }
    if (from->ifa_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 address, mask;
        memcpy(&address, from->ifa_addr, sizeof(address));
        memcpy(&mask, from->ifa_netmask, sizeof(mask));
        interface->is_ipv6 = true;
        memcpy(interface->address, &address.sin6_addr, 16);
        interface->prefix_bits = count_bits((const uint8_t *)&mask.sin6_addr, 16);
        return true;
    }
    return false;
}

bool conf_host_discover(struct arena *arena, struct conf_host *host)
{
    char name[HOST_NAME_BYTES] = "";
    struct ifaddrs *list = NULL;
    size_t count = 0;

    *host = (struct conf_host){.hostname = SPAN("localhost")};
    if (gethostname(name, sizeof(name) - 1) != 0 || getifaddrs(&list) != 0)
        return false;
    bool is_name = name[0] != '\0'; /* it stands in replies and headers: nothing odd in it */
    for (const char *at = name; *at; at++)
        is_name = is_name && (ascii_is_alnum((uint8_t)*at) || *at == '-' || *at == '.');
    if (is_name)
        host->hostname = arena_copy(arena, span_from_string(name));
    for (const struct ifaddrs *from = list; from; from = from->ifa_next)
        count++;
    host->interfaces = arena_alloc(arena, (count ? count : 1) * sizeof(*host->interfaces));
    if (host->interfaces)
        for (const struct ifaddrs *from = list; from; from = from->ifa_next)
            if (read_interface(from, &host->interfaces[host->interface_count]))
                host->interface_count++;
    freeifaddrs(list);
    if (host->interfaces && host->hostname.bytes)
        return true;
    errno = ENOMEM;
    return false;
}
