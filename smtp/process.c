/* smtp/process - see process.h. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>

#include "conf/instance.h"
#include "hosts_file.h"
#include "maillog/event.h"
#include "nexthop.h"
#include "notice.h"
#include "resolve.h"
#include "smtp/transcript.h"
#include "system/file.h"
#include "table/clients.h"

enum {
    OWN_ADDRESSES_MAX = 1000,
    DESCRIPTORS_PER_DELIVERY = 2, /* content and connection */
    DESCRIPTORS_BESIDE = 300      /* channels, and connections that are kept */
};

static void warn_of_trust(struct service *service)
{
    const struct log_context context = {.log = &service->log, .queue_id = span_empty()};
    log_event(&context, LOG_LEVEL_WARNING, "tls.no_authorities",
              log_string("effect", "mail to domains that enforce an MTA-STS policy waits"),
              log_string("next", "install the system's (Debian: ca-certificates), or set "
                                 "smtp_tls_CAfile"));
}

/* What libssl reads it reads now: in the sandbox no file can be opened. */
static bool set_up_tls(struct service *service, struct agent *agent)
{
    const struct conf_smtp *settings = agent->settings;
    const bool is_lmtp = strcmp(service->definition->program, "lmtp") == 0;
    char problem[TLS_AUTHORITIES_PROBLEM_BYTES];
    const struct tls_client_rules rules = {
        .settings = {.name = is_lmtp ? "lmtp_tls" : "smtp_tls",
                     .protocols = settings->smtp_tls_protocols,
                     .grade = settings->smtp_tls_ciphers,
                     .excluded_ciphers = settings->smtp_tls_exclude_ciphers,
                     .also_excluded = span_empty(),
                     .cipher_lists = {[TLS_GRADE_HIGH] = settings->tls_high_cipherlist,
                                      [TLS_GRADE_MEDIUM] = settings->tls_medium_cipherlist,
                                      [TLS_GRADE_LOW] = settings->tls_low_cipherlist,
                                      [TLS_GRADE_EXPORT] = settings->tls_export_cipherlist,
                                      [TLS_GRADE_NULL] = settings->tls_null_cipherlist},
                     .curves = settings->tls_eecdh_auto_curves,
                     .groups = settings->tls_ffdhe_auto_groups,
                     .options = settings->tls_ssl_options,
                     .disabled_workarounds = settings->tls_disable_workarounds},
        .authorities = {.file = settings->smtp_tls_CAfile,
                        .directory = settings->smtp_tls_CApath,
                        .has_defaults = settings->tls_append_default_CA},
        .verify_depth = settings->smtp_tls_scert_verifydepth,
        .dane_digests = settings->tls_dane_digests,
        .session_lifetime_ms = settings->smtp_tls_session_cache_timeout_ms,
        /* REQUIRETLS comes with messages: whoever takes it has to know hosts by these. */
        .needs_web = settings->smtp_tls_mta_sts || !is_lmtp,
    };
    const char *digest = arena_string(&service->arena, settings->smtp_tls_fingerprint_digest);
    agent->fingerprint_digest = digest ? EVP_get_digestbyname(digest) : NULL;
    if (!agent->fingerprint_digest) {
        service_say(service, "%s_tls_fingerprint_digest: \"%.*s\" is no digest",
                    service->definition->program,
                    SPAN_PRINTF(settings->smtp_tls_fingerprint_digest));
        return false;
    }
    if (!tls_keys_prepare()) {
        service_say(service, "libssl cannot be set up: check the OpenSSL installation");
        return false;
    }
    agent->tls = anchors_load(settings, &service->arena, &agent->anchors, problem)
                     ? tls_client_create(&rules, problem)
                     : NULL;
    if (!agent->tls) {
        service_say(service, "%s", problem);
        return false;
    }
    if (settings->smtp_tls_mta_sts && !tls_client_has_web(agent->tls))
        warn_of_trust(service);
    return true;
}

static void add_own(struct agent *agent, struct ip_address address)
{
    if (agent->own_count < OWN_ADDRESSES_MAX)
        agent->own[agent->own_count++] = address;
}

static bool add_interfaces(struct service *service, struct agent *agent)
{
    struct conf_host host;
    if (!conf_host_discover(&service->arena, &host))
        return false;
    for (size_t i = 0; i < host.interface_count; i++)
        add_own(agent, ip_address_from_bytes(host.interfaces[i].is_ipv6 ? IP_FAMILY_6 : IP_FAMILY_4,
                                             host.interfaces[i].address));
    return true;
}

/* Where mail comes back to this machine: what it listens on, and what stands in for it. */
static bool find_own_addresses(struct service *service, struct agent *agent)
{
    const struct conf_smtp *settings = agent->settings;
    const struct span lists[] = {settings->inet_interfaces, settings->proxy_interfaces};
    agent->own = arena_alloc(&service->arena, OWN_ADDRESSES_MAX * sizeof(agent->own[0]));
    ASSERT(agent->own);
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        struct span rest = lists[i], word;
        while (span_next_word(&rest, ", \t\r\n[]", &word)) {
            struct ip_address address;
            if (ip_address_parse(word, &address)) {
                add_own(agent, address);
            } else if (span_equals_ascii_nocase(word, SPAN("all"))) {
                if (!add_interfaces(service, agent))
                    return false;
            } else { /* loopback-only, localhost */
                add_own(agent, (struct ip_address){IP_FAMILY_4, {127, 0, 0, 1}});
                add_own(agent, (struct ip_address){IP_FAMILY_6, {[15] = 1}});
            }
        }
    }
    return true;
}

/* Names are looked for in hosts(5) where smtp_host_lookup says "native", and without DNS. */
static bool needs_hosts_file(const struct conf_smtp *settings)
{
    return span_list_has(settings->smtp_host_lookup, SPAN("native")) ||
           resolve_is_without_dns(settings);
}

static bool read_hosts_file(struct service *service, struct agent *agent)
{
    if (!needs_hosts_file(agent->settings) ||
        file_read_whole(AT_FDCWD, "/etc/hosts", HOSTS_FILE_MAX_BYTES, &service->arena,
                        &agent->hosts_file) == 0 ||
        errno == ENOENT)
        return true;
    service_say(service, "cannot read /etc/hosts: %s", strerror(errno));
    return false;
}

bool process_prepare(struct service *service, const struct conf_smtp *settings)
{
    struct agent *agent = arena_alloc(&service->arena, sizeof(*agent));
    ASSERT(agent);
    service->state = agent;
    agent->settings = settings;
    agent->hosts_file = span_empty();
    if (!nexthop_parse_port(settings->smtp_tcp_port, &agent->default_port)) {
        service_say(service, "%s_tcp_port: \"%.*s\" is no port number",
                    service->definition->program, SPAN_PRINTF(settings->smtp_tcp_port));
        return false;
    }
    if (!find_own_addresses(service, agent) || !sandbox_warm_up_crypto()) {
        service_say(service, "cannot list this machine's addresses, or libcrypto is not usable");
        return false;
    }
    if (!read_hosts_file(service, agent) || !set_up_tls(service, agent))
        return false;
    struct conf_error error;
    if (!tables_open(&agent->tables, settings, strcmp(service->definition->program, "lmtp") == 0,
                     &service->log, &error)) {
        service_say(service, "%s", error.text);
        return false;
    }
    if (settings->debug_peer_level > 0) {
        struct buffer reason;
        buffer_init(&reason, &service->arena, 4096);
        agent->watched_hosts = client_list_open(settings->debug_peer_list, &reason);
        if (!agent->watched_hosts) {
            service_say(service, "debug_peer_list: %.*s", SPAN_PRINTF(buffer_span(&reason)));
            return false;
        }
    }
    service->profile.descriptor_limit =
        (uint64_t)settings->smtp_client_limit * DESCRIPTORS_PER_DELIVERY + DESCRIPTORS_BESIDE;
    return true;
}

bool process_begin(struct service *service)
{
    struct agent *agent = service->state;
    agent_init(agent, service->loop, &service->log, agent->settings);
    agent->keys = tls_keys_create(service->loop);
    if (!agent->keys || !tls_client_use_keys(agent->tls, agent->keys)) {
        service_say(service, "out of memory");
        return false;
    }
    agent->connections.watched_hosts = agent->watched_hosts;
    agent->connections.notified_troubles = smtp_trouble_from_words(agent->settings->notify_classes);
    return true;
}

void process_on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    switch ((int)peer->role) {
    case IPC_ROLE_QMGR:
        agent_attach_qmgr(service->state, descriptor);
        break;
    case IPC_ROLE_DNSD:
        agent_attach_dnsd(service->state, descriptor);
        break;
    case IPC_ROLE_ADDRD:
        agent_attach_addrd(service->state, descriptor);
        break;
    case IPC_ROLE_BOUNCE:
        notice_attach(&((struct agent *)service->state)->connections, descriptor);
        break;
    case IPC_ROLE_STSD:
        sts_client_attach(&((struct agent *)service->state)->sts, descriptor);
        break;
    case IPC_ROLE_KEYD:
        tls_keys_add_peer(((struct agent *)service->state)->keys, peer->process_number, descriptor);
        break;
    case IPC_ROLE_REPORTD:
        report_client_attach(&((struct agent *)service->state)->reports, descriptor);
        break;
    case IPC_ROLE_CONNECTD:
        agent_attach_connectd(service->state, descriptor);
        break;
    case IPC_ROLE_AUTHD:
        agent_attach_authd(service->state, descriptor);
        break;
    default:
        file_close(descriptor);
        break;
    }
}

static void leave(void *context)
{
    service_leave(context, 0);
}

void process_drain(struct service *service)
{
    agent_drain(service->state, leave, service);
}
