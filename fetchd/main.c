/* fetchd - the one daemon that speaks HTTPS, for others that may not: MTA-STS policies for stsd,
 * TLS reports for reportd. It may open sockets, as smtp and dnsd may, and nothing else; what it
 * trusts it has read before. Manual: man/fetchd.8. */
#include "dns/hosts.h"
#include "maillog/event.h"
#include "serve.h"

enum {
    DESCRIPTORS_PER_FETCH = 4, /* two families are tried at once */
    DESCRIPTORS_BESIDE = 300
};

struct fetchd {
    struct fetch_server server;
    uint16_t ports[2]; /* that Landlock lets us connect to */
};

static unsigned families(struct span protocols)
{
    struct span word;
    unsigned wanted = 0;
    while (span_next_word(&protocols, ", \t\r\n", &word))
        wanted |= span_equals_ascii_nocase(word, SPAN("ipv4"))   ? DNS_WANT_IPV4
                  : span_equals_ascii_nocase(word, SPAN("ipv6")) ? DNS_WANT_IPV6
                                                                 : DNS_WANT_IPV4 | DNS_WANT_IPV6;
    return wanted ? wanted : DNS_WANT_IPV4;
}

static bool take_introspection(struct service *service, struct fetchd *fetchd)
{
    const struct conf_fetchd *settings = service->settings;
    struct fetch_server *server = &fetchd->server;
    if (span_is_empty(settings->auth_oauth2_introspection_url))
        return true;
    server->has_introspection = uri_parse(settings->auth_oauth2_introspection_url, false,
                                          &server->introspection) == PARSE_OK;
    if (!server->has_introspection)
        service_say(service, "auth_oauth2_introspection_url: \"%.*s\" is no https://HOST/PATH",
                    SPAN_PRINTF(settings->auth_oauth2_introspection_url));
    return server->has_introspection;
}

static bool take_networks(struct service *service, struct fetchd *fetchd)
{
    const struct conf_fetchd *settings = service->settings;
    struct span bad_word = span_empty();
    const bool is_ok =
        ip_network_list_parse(settings->fetch_private_networks, &service->arena,
                              &fetchd->server.private_networks, &bad_word) == PARSE_OK;
    if (!is_ok)
        service_say(service,
                    "fetch_private_networks: \"%.*s\" is not a network; write 192.0.2.0/24 or "
                    "[2001:db8::]/32",
                    SPAN_PRINTF(bad_word));
    return is_ok;
}

/* Without authorities nobody can be trusted: each request fails, and says so. */
static void warn_of_trust(struct service *service, const char *tried)
{
    const struct log_context context = {.log = &service->log, .queue_id = span_empty()};
    log_event(&context, LOG_LEVEL_WARNING, "fetch.no_authorities", log_string("file", tried),
              log_string("effect", "no HTTPS server can be verified; set fetch_tls_CAfile"));
}

static bool prepare(struct service *service)
{
    const struct conf_fetchd *settings = service->settings;
    struct fetchd *fetchd = arena_alloc(&service->arena, sizeof(*fetchd));
    const char *path = arena_string(&service->arena, settings->fetch_tls_CAfile);
    const char *tried = path;
    ASSERT(fetchd && path);
    service->state = fetchd;
    fetchd->server.settings = settings;
    fetchd->server.wanted_families = families(settings->inet_protocols);
    if (!take_introspection(service, fetchd) || !take_networks(service, fetchd))
        return false;
    X509_STORE *trusted = sandbox_warm_up_crypto() ? trust_load(path, &tried) : NULL;
    fetchd->server.has_authorities = trusted != NULL;
    if (!trusted)
        warn_of_trust(service, tried);
    if (!trusted && !(trusted = X509_STORE_new()))
        return false;
    if (!web_init(&fetchd->server.web, service->loop, trusted)) {
        service_say(service, "cannot set up libcurl");
        return false;
    }
    fetchd->ports[0] = (uint16_t)settings->fetch_https_port;
    fetchd->ports[1] = fetchd->server.introspection.port;
    service->profile.connect_ports = fetchd->ports;
    service->profile.connect_port_count = fetchd->server.has_introspection ? 2 : 1;
    service->profile.descriptor_limit =
        (uint64_t)settings->fetch_concurrency_limit * FETCH_KIND_COUNT * DESCRIPTORS_PER_FETCH +
        DESCRIPTORS_BESIDE;
    return true;
}

static bool begin(struct service *service)
{
    struct fetchd *fetchd = service->state;
    fetch_server_begin(&fetchd->server, service);
    return true;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct fetchd *fetchd = service->state;
    if (peer->role == IPC_ROLE_DNSD)
        fetch_server_set_dnsd(&fetchd->server, descriptor);
    else
        fetch_server_add_client(&fetchd->server, peer->role, descriptor);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "fetchd",
        .part = &conf_part_fetchd,
        .promises = SANDBOX_CONNECT | SANDBOX_STREAMS,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
    };
    return service_main(&definition);
}
