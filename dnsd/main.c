/* dnsd - answers DNS questions for all other daemons, from one cache.
 * It may open sockets, since asking resolvers is its job, and nothing else. Manual: man/dnsd.8. */
#include <errno.h>
#include <fcntl.h>

#include "base/number.h"
#include "conf/dnsd.h"
#include "serve.h"
#include "service/service.h"
#include "system/file.h"

enum { RESOLV_CONF_MAX_BYTES = 65536 };

struct dnsd {
    struct dns_servers servers;
    struct resolver *resolver;
    struct dns_server_state server;
    uint16_t ports[DNS_SERVERS_MAX]; /* that Landlock lets us connect to */
};

static bool find_servers(struct service *service, struct dns_servers *servers)
{
    const struct conf_dnsd *settings = service->settings;
    struct span problem, text;
    *servers =
        dns_servers_none((unsigned)settings->dns_query_timeout_ms, settings->dns_query_attempts);
    if (dns_servers_from_list(settings->dns_servers, servers, &problem) != PARSE_OK) {
        service_say(service, "dns_servers: \"%.*s\" is not one of at most %d addresses",
                    SPAN_PRINTF(problem), DNS_SERVERS_MAX);
        return false;
    }
    if (servers->count > 0)
        return true;
    if (file_read_whole(AT_FDCWD, "/etc/resolv.conf", RESOLV_CONF_MAX_BYTES, &service->arena,
                        &text) != 0) {
        if (errno != ENOENT) {
            service_say(service, "cannot read /etc/resolv.conf; set dns_servers");
            return false;
        }
        text = span_empty(); /* the resolver on this machine, says resolv.conf(5) */
    }
    dns_servers_from_resolv_conf(text, servers);
    return true;
}

static bool prepare(struct service *service)
{
    struct dnsd *dnsd = arena_alloc(&service->arena, sizeof(*dnsd));
    ASSERT(dnsd);
    service->state = dnsd;
    if (!find_servers(service, &dnsd->servers))
        return false;
    dns_servers_decide_trust(((const struct conf_dnsd *)service->settings)->dns_trust_ad,
                             &dnsd->servers);
    dnsd->resolver = resolver_create(service->loop, &dnsd->servers);
    if (!dnsd->resolver) {
        service_say(service, "cannot set up the resolver library");
        return false;
    }
    for (size_t i = 0; i < dnsd->servers.count; i++)
        dnsd->ports[i] = dnsd->servers.list[i].port;
    service->profile.connect_ports = dnsd->ports;
    service->profile.connect_port_count = dnsd->servers.count;
    return true;
}

static bool begin(struct service *service)
{
    const struct conf_dnsd *settings = service->settings;
    struct dnsd *dnsd = service->state;
    struct dns_cache_limits limits = {.size_bytes = settings->dns_cache_size};
    if (!number_to_uint32((uint64_t)settings->dns_cache_maximum_time_ms / 1000,
                          &limits.found_max_s) ||
        !number_to_uint32((uint64_t)settings->dns_cache_negative_time_ms / 1000,
                          &limits.absent_max_s))
        limits.size_bytes = 0; /* the catalogue permits no such times */
    dns_server_init(&dnsd->server, service->loop, dnsd->resolver, limits);
    return true;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct dnsd *dnsd = service->state;
    dns_server_add_peer(&dnsd->server, peer->role, descriptor);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "dnsd",
        .part = &conf_part_dnsd,
        .promises = SANDBOX_CONNECT | SANDBOX_DATAGRAMS | SANDBOX_STREAMS,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
    };
    return service_main(&definition);
}
