/* smtpserver/server - see server.h. */
#include "smtpserver/server.h"

#include <errno.h>
#include <stdlib.h>

#include "addr/client.h"
#include "addr/recent.h"
#include "auth/client.h"
#include "dns/hosts.h"
#include "ipc/helper.h"
#include "limit/load.h"
#include "smtpserver/listeners.h"
#include "maillog/event.h"
#include "smtpserver/settings.h"
#include "system/file.h"
#include "system/random.h"
#include "smtpserver/tables.h"
#include "smtpserver/tls.h"
#include "tls/server.h"

enum {
    /* Beside what a session needs: its socket, its queue file, and the grant that replaces it. */
    DESCRIPTORS_BASE = 256,
    DESCRIPTORS_PER_SESSION = 3,
    SPARE_GRANTS = 8,
    /* How long a client waits in the kernel's queue for room before it is told that there is none.
     */
    PATIENCE_MS = 5000,
    NAME_LOOKUP_TIMEOUT_MS = 30000,
    NAME_LOOKUP_BYTES = 256 << 10,
    ADDRESS_CHECK_TIMEOUT_MS = 100000,
    VERIFY_GRACE_MS = 5000
};

struct smtpd {
    struct service *service;
    const struct conf_smtpd *conf;
    struct listeners listeners;
    struct smtpsession_service sessions;
    struct intake intake;
    struct ipc_channel *limitd;
    struct ipc_channel *verify;
    struct ipc_channel *bounce;
    struct ipc_channel *authd;
    struct addr_client addr;
    struct addr_recent recent;
    struct dns_client dns;
    struct limit_client limits;
    struct auth_client auth;
    struct client_list *limit_exceptions;
    struct client_list *greet_exceptions;
    struct smtpserver_tables tables;
    struct tls_server *tls; /* NULL: TLS is not wanted */
    struct tls_keys *keys;
    struct client_list *watched_clients;     /* NULL: none */
    struct client_list *flush_domains;       /* NULL where it cannot be held in memory */
    struct smtpsession_settings settings[2]; /* as usual, under stress */
    void (*refine)(const void *settings, struct smtpsession_settings *made);
    bool is_stressed;
    int64_t full_since_ms;      /* no process of the service has room since then; CLOCK_NEVER */
    uint32_t reported_sessions; /* to limitd */
};

/* Opened before the sandbox. */
static struct client_list *open_list(struct service *service, const char *parameter,
                                     struct span words)
{
    struct buffer error;
    buffer_init(&error, NULL, 4096);
    struct client_list *list = client_list_open(words, &error);
    if (!list)
        service_say(service, "%s: %.*s", parameter, SPAN_PRINTF(buffer_span(&error)));
    buffer_release(&error);
    return list;
}

/* relay_domains, the default, may be a table that addrd alone can ask: then ETRN serves nobody. */
static void open_flush_domains(struct smtpd *smtpd, struct span words)
{
    struct buffer error;
    buffer_init(&error, NULL, 4096);
    smtpd->flush_domains = client_list_open(words, &error);
    buffer_release(&error);
}

bool smtpserver_prepare(struct service *service)
{
    return smtpserver_prepare_as(service, NULL);
}

bool smtpserver_prepare_as(struct service *service,
                           void (*refine)(const void *settings, struct smtpsession_settings *made))
{
    const struct conf_smtpd *conf = service->settings;
    struct smtpd *smtpd = arena_alloc(&service->arena, sizeof(*smtpd));
    if (!smtpd) {
        service_say(service, "out of memory");
        return false;
    }
    service->state = smtpd;
    smtpd->refine = refine;
    if (!sandbox_warm_up_crypto()) {
        service_say(service, "libcrypto has no SHA-256: check the OpenSSL installation");
        return false;
    }
    smtpd->limit_exceptions = open_list(service, "smtpd_client_event_limit_exceptions",
                                        conf->smtpd_client_event_limit_exceptions);
    smtpd->greet_exceptions =
        open_list(service, "smtpd_greet_exceptions", conf->smtpd_greet_exceptions);
    if (conf->debug_peer_level > 0)
        smtpd->watched_clients = open_list(service, "debug_peer_list", conf->debug_peer_list);
    if (!smtpd->limit_exceptions || !smtpd->greet_exceptions ||
        (conf->debug_peer_level > 0 && !smtpd->watched_clients))
        return false;
    open_flush_domains(smtpd, conf->fast_flush_domains);
    struct conf_error error;
    if (!smtpserver_tables_open(conf, &service->arena, &smtpd->tables, &error)) {
        service_say(service, "%s", error.text);
        return false;
    }
    if (!tls_keys_prepare()) {
        service_say(service, "libssl cannot be set up: check the OpenSSL installation");
        return false;
    }
    if (!smtpserver_tls_create(conf, span_from_string(service->name), &smtpd->tls, &error)) {
        service_say(service, "%s", error.text);
        return false;
    }
    if (smtpd->tls && tls_server_problem(smtpd->tls))
        maillog_text(&service->log, LOG_LEVEL_WARNING, span_empty(),
                     "smtpd_tls_CAfile, smtpd_tls_CApath: %s; until that is mended and \"posthouse "
                     "reload\" was run, certificates of clients are not trusted",
                     tls_server_problem(smtpd->tls));
    service->profile.descriptor_limit =
        DESCRIPTORS_BASE + (uint64_t)conf->smtpd_client_limit * DESCRIPTORS_PER_SESSION;
    return true;
}

/* ---- what sessions ask ---- */

static struct span find_client_name(void *context, const struct ip_address *address,
                                    struct arena *arena)
{
    struct smtpd *smtpd = context;
    struct dns_client_name found;
    struct span name = span_empty();
    struct arena answers; /* who has the address chose how many names it has */
    /* RFC 6761 section 6.3: no server needs to be asked what the loopback addresses are called. */
    static const uint8_t loopback6[16] = {[15] = 1};
    if ((address->family == IP_FAMILY_4 && address->bytes[0] == 127) ||
        (address->family == IP_FAMILY_6 && memcmp(address->bytes, loopback6, 16) == 0))
        return SPAN("localhost");
    arena_init(&answers, NAME_LOOKUP_BYTES, 0);
    dns_lookup_client_name(&smtpd->dns, address, clock_deadline_after(NAME_LOOKUP_TIMEOUT_MS),
                           &answers, &found);
    if (found.status == DNS_FOUND) {
        name = arena_copy(arena, found.name);
    } else if (found.reverse_status == DNS_FOUND) {
        char text[IP_ADDRESS_TEXT_MAX_BYTES];
        maillog_hostname_mismatch(&smtpd->service->log, found.reverse_name,
                                  ip_address_format(address, text), span_empty());
    }
    arena_destroy(&answers);
    return name.bytes ? name : span_empty();
}

/* Operators choose the code for each kind of unknown address. */
static uint16_t unknown_address_code(const struct conf_smtpd *conf, enum addr_class class)
{
    uint32_t code = conf->unknown_local_recipient_reject_code;
    switch (class) {
    case ADDR_CLASS_VIRTUAL_ALIAS:
        code = conf->unknown_virtual_alias_reject_code;
        break;
    case ADDR_CLASS_VIRTUAL_MAILBOX:
        code = conf->unknown_virtual_mailbox_reject_code;
        break;
    case ADDR_CLASS_RELAY:
        code = conf->unknown_relay_recipient_reject_code;
        break;
    case ADDR_CLASS_NONE:
    case ADDR_CLASS_LOCAL:
    case ADDR_CLASS_OTHER:
        break;
    }
    return (uint16_t)code;
}

static struct outcome refuse_unknown(const struct conf_smtpd *conf, enum addr_class class,
                                     const struct outcome *found)
{
    const uint16_t code = unknown_address_code(conf, class);
    return outcome_make(code < 500 ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT, code,
                        found->status.subject, found->status.detail, found->reason);
}

static bool overrides(const struct conf_smtpd *conf, struct span option)
{
    return span_list_has(conf->receive_override_options, option);
}

/* What is said once for all recipients comes with the first. */
static unsigned expand_flags(const struct conf_smtpd *conf, bool is_first)
{
    return ADDR_EXPAND_COPIES | (is_first ? ADDR_EXPAND_FIRST : 0U) |
           (overrides(conf, SPAN("no_address_mappings")) ? ADDR_EXPAND_NOTHING : 0U) |
           (is_first && conf->smtpd_reject_unlisted_sender ? ADDR_EXPAND_CHECK_SENDER : 0U);
}

/* The final dot of a domain says that $mydomain is not missing behind it. */
static struct span as_written(const struct mailbox *recipient, struct arena *arena)
{
    const struct span dotted = recipient->has_final_dot
                                   ? arena_format(arena, "%.*s.", SPAN_PRINTF(recipient->text))
                                   : recipient->text;
    return dotted.bytes ? dotted : recipient->text;
}

static void check_ahead(void *context, struct addr_ahead *ahead, struct span sender,
                        const struct mailbox *recipient, struct arena *arena)
{
    struct smtpd *smtpd = context;
    addr_ahead_ask(ahead, &smtpd->addr, as_written(recipient, arena), sender,
                   expand_flags(smtpd->conf, false),
                   clock_deadline_after(ADDRESS_CHECK_TIMEOUT_MS));
}

static void check_recipient(void *context, struct addr_ahead *ahead, struct span sender,
                            const struct mailbox *recipient, bool is_first, struct arena *arena,
                            struct smtpsession_verdict *verdict)
{
    struct smtpd *smtpd = context;
    const struct conf_smtpd *conf = smtpd->conf;
    struct addr_check check;
    const struct span text = as_written(recipient, arena);
    addr_check_recipient(&smtpd->addr, ahead, text, sender, expand_flags(conf, is_first),
                         clock_deadline_after(ADDRESS_CHECK_TIMEOUT_MS), arena, &check);
    *verdict = (struct smtpsession_verdict){
        .outcome = check.outcome,
        .listed = check.outcome,
        .is_refused = check.refusal != ADDR_REFUSAL_NONE,
        .is_ours = addr_class_is_ours(check.class),
        .recipient = check.recipient,
        .expansion = check.expansion,
    };
    if (check.refusal == ADDR_REFUSAL_UNKNOWN)
        verdict->listed = refuse_unknown(conf, check.unknown_class, &check.outcome);
    /* Lists that are asked about the sender may ask whether the recipient is ours. */
    if (check.outcome.kind == OUTCOME_TEMPORARY && !verdict->is_refused)
        return;
    if (!outcome_is_ok(&check.sender_outcome)) {
        verdict->outcome = check.sender_class == ADDR_CLASS_NONE
                               ? check.sender_outcome
                               : refuse_unknown(conf, check.sender_class, &check.sender_outcome);
        verdict->is_about_sender = true;
        return;
    }
    if (!verdict->is_refused)
        return;
    verdict->outcome = conf->smtpd_reject_unlisted_recipient &&
                               !overrides(conf, SPAN("no_unknown_recipient_checks"))
                           ? verdict->listed
                           : outcome_ok();
}

static void notify(void *context, struct span subject, struct span text)
{
    const struct smtpd *smtpd = context;
    const struct ipc_session_notice notice = {.subject = span_first(subject, IPC_ADDRESS_MAX),
                                              .transcript = text};
    if (smtpd->bounce)
        (void)ipc_channel_send(smtpd->bounce, IPC_SESSION_NOTICE, &notice); /* or it is not told */
}

/* The answer comes when the probe has ended, or the time is over that clients are kept waiting. */
static void verify_address(void *context, struct span address, struct arena *arena,
                           struct outcome *outcome)
{
    const struct smtpd *smtpd = context;
    const int64_t wait_ms =
        smtpd->conf->address_verify_poll_count * smtpd->conf->address_verify_poll_delay_ms;
    const struct ipc_address_verify question = {
        .address = address, .wait_ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX};
    struct ipc_address_verify_reply reply;
    *outcome = outcome_temporary(450, 1, 1, "address verification problem");
    if (smtpd->verify &&
        ipc_channel_call(smtpd->verify, IPC_ADDRESS_VERIFY, &question, IPC_ADDRESS_VERIFY_REPLY,
                         &reply, arena,
                         clock_deadline_after(wait_ms + VERIFY_GRACE_MS)) == IPC_CALL_OK)
        *outcome = reply.outcome;
}

/* ---- stress ---- */

static void set_stress(struct smtpd *smtpd, bool is_stressed, bool is_full)
{
    if (!is_full)
        smtpd->full_since_ms = CLOCK_NEVER;
    else if (smtpd->full_since_ms == CLOCK_NEVER)
        smtpd->full_since_ms = clock_monotonic_ms();
    if (is_stressed == smtpd->is_stressed)
        return;
    smtpd->is_stressed = is_stressed;
    smtpsession_use_settings(&smtpd->sessions, &smtpd->settings[is_stressed]);
}

/* limitd adds up the processes of the service. */
static void report_load(struct smtpd *smtpd)
{
    const bool is_draining = smtpd->service->is_draining; /* what it has left is no share */
    const struct ipc_limit_load load = {
        .session_count = is_draining ? 0 : (uint32_t)smtpd->sessions.sessions.count,
        .capacity = is_draining ? 0 : smtpd->conf->smtpd_client_limit,
    };
    smtpd->reported_sessions = (uint32_t)smtpd->sessions.sessions.count;
    if (smtpd->limitd)
        (void)ipc_channel_send(smtpd->limitd, IPC_LIMIT_LOAD, &load);
}

static void watch_load(struct smtpd *smtpd)
{
    const uint64_t count = smtpd->sessions.sessions.count;
    const uint64_t capacity = smtpd->conf->smtpd_client_limit;
    if (!smtpd->limitd) /* nobody else can tell; and nobody can tell that all are full */
        set_stress(smtpd, limit_load_is_stressed(smtpd->is_stressed, count, capacity), false);
    else if (!smtpd->service->is_draining &&
             limit_load_is_news(smtpd->reported_sessions, count, capacity))
        report_load(smtpd);
}

/* ---- sessions come and go ---- */

static bool has_room(void *context)
{
    const struct smtpd *smtpd = context;
    return smtpd->sessions.sessions.count < smtpd->conf->smtpd_client_limit;
}

static void on_connection(void *context, int descriptor, const struct sockaddr_storage *peer)
{
    struct smtpd *smtpd = context;
    /* One that could not begin was told so. */
    (void)smtpsession_start(&smtpd->sessions, descriptor, peer);
    watch_load(smtpd);
}

static bool turns_away(void *context)
{
    const struct smtpd *smtpd = context;
    return smtpd->full_since_ms != CLOCK_NEVER &&
           clock_monotonic_ms() - smtpd->full_since_ms >= PATIENCE_MS;
}

static void on_surplus(void *context, int descriptor, const struct sockaddr_storage *peer)
{
    struct smtpd *smtpd = context;
    smtpsession_turn_away(&smtpd->sessions, descriptor, peer);
}

static void on_session_end(struct smtpsession_service *sessions)
{
    struct smtpd *smtpd = sessions->owner;
    watch_load(smtpd);
    if (!smtpd->service->is_draining)
        listeners_set_accepting(&smtpd->listeners, true);
    else if (list_is_empty(&sessions->sessions))
        service_leave(smtpd->service, EXIT_SUCCESS);
}

static bool make_settings(struct smtpd *smtpd, const struct conf_smtpd *conf,
                          struct smtpsession_settings *settings)
{
    struct service *service = smtpd->service;
    struct conf_error error;
    if (!smtpserver_settings_make(conf, &service->arena, settings, &error)) {
        service_say(service, "%s", error.text);
        return false;
    }
    settings->service_name = span_from_string(service->name);
    settings->limit_exceptions = smtpd->limit_exceptions;
    settings->greet_exceptions = smtpd->greet_exceptions;
    settings->watched_clients = smtpd->watched_clients;
    settings->flush_domains = smtpd->flush_domains;
    smtpserver_tables_use(&smtpd->tables, settings);
    smtpserver_tls_use(conf, smtpd->tls, settings);
    if (smtpd->refine)
        smtpd->refine(conf, settings);
    return true;
}

bool smtpserver_begin(struct service *service)
{
    struct smtpd *smtpd = service->state;
    smtpd->service = service;
    smtpd->conf = service->settings;
    smtpd->keys = tls_keys_create(service->loop);
    if (!smtpd->keys || (smtpd->tls && !tls_server_use_keys(smtpd->tls, smtpd->keys))) {
        service_say(service, "out of memory");
        return false;
    }
    if (!make_settings(smtpd, service->settings, &smtpd->settings[false]) ||
        !make_settings(smtpd, service->stressed_settings, &smtpd->settings[true]))
        return false;
    const struct smtpsession_backend backend = {
        .context = smtpd,
        .addr = &smtpd->addr,
        .find_client_name = find_client_name,
        .check_recipient = check_recipient,
        .check_ahead = check_ahead,
        .verify_address = verify_address,
        .notify = notify,
    };
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    addr_recent_init(&smtpd->recent, seed);
    smtpd->addr.recent = &smtpd->recent;
    intake_init(&smtpd->intake, service->loop, SPARE_GRANTS);
    smtpd->intake.duplicate_limit = smtpd->conf->duplicate_filter_limit;
    smtpd->intake.keeps_no_originals = !smtpd->conf->enable_original_recipient;
    smtpsession_service_init(&smtpd->sessions, service->loop, &service->log, &smtpd->intake,
                             &smtpd->settings[false], &backend);
    limit_client_init(&smtpd->limits);
    auth_client_init(&smtpd->auth);
    smtpd->sessions.limits = &smtpd->limits;
    smtpd->sessions.auth = &smtpd->auth;
    smtpd->sessions.owner = smtpd;
    smtpd->sessions.on_session_end = on_session_end;
    listeners_init(&smtpd->listeners, service->loop, on_connection, has_room, smtpd);
    smtpd->listeners.turns_away = turns_away;
    smtpd->listeners.on_surplus = on_surplus;
    smtpd->full_since_ms = CLOCK_NEVER;
    return true;
}

void smtpserver_on_listener(struct service *service, struct span endpoint, int descriptor)
{
    struct smtpd *smtpd = service->state;
    if (listeners_add(&smtpd->listeners, descriptor) != 0) {
        const struct log_context context = {.log = &service->log, .queue_id = span_empty()};
        log_event(&context, LOG_LEVEL_ERROR, "smtpd.listener_lost", log_text("endpoint", endpoint),
                  log_string("reason", "no memory to watch it"));
    }
}

/* ---- helpers come and go ---- */

static void on_authd_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct smtpd *smtpd = context;
    (void)channel;
    (void)reason;
    auth_client_set_channel(&smtpd->auth, NULL);
    ipc_channel_destroy(&smtpd->authd);
}

/* What mechanisms there are. */
static void on_authd_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                             void *context)
{
    struct smtpd *smtpd = context;
    (void)channel;
    auth_client_on_message(&smtpd->auth, delivery);
}

static void on_limitd_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct smtpd *smtpd = context;
    (void)channel;
    (void)reason;
    limit_client_set_channel(&smtpd->limits, NULL);
    ipc_channel_destroy(&smtpd->limitd);
    watch_load(smtpd);
}

static void on_limitd_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                              void *context)
{
    struct smtpd *smtpd = context;
    const struct ipc_limit_stress *message = delivery->message;
    (void)channel;
    set_stress(smtpd, message->is_stressed, message->is_full);
}

static const struct ipc_channel_handlers authd_handlers = {on_authd_message, on_authd_closed,
                                                           auth_client_permissions};
static const struct ipc_permission limitd_permissions[] = {
    {IPC_LIMIT_STRESS, IPC_ROLE_BIT(IPC_ROLE_LIMITD)}, {0, 0}};
static const struct ipc_channel_handlers limitd_handlers = {on_limitd_message, on_limitd_closed,
                                                            limitd_permissions};

void smtpserver_on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct smtpd *smtpd = service->state;
    switch (peer->role) {
    case IPC_ROLE_QMGR:
        intake_attach(&smtpd->intake, descriptor);
        break;
    case IPC_ROLE_ADDRD:
        addr_client_attach(&smtpd->addr, service->loop, descriptor);
        break;
    case IPC_ROLE_DNSD:
        dns_client_attach(&smtpd->dns, service->loop, descriptor);
        break;
    case IPC_ROLE_LIMITD:
        limit_client_set_channel(&smtpd->limits, NULL);
        ipc_channel_destroy(&smtpd->limitd);
        smtpd->limitd =
            ipc_channel_create(service->loop, descriptor, IPC_ROLE_LIMITD, &limitd_handlers, smtpd);
        limit_client_set_channel(&smtpd->limits, smtpd->limitd);
        report_load(smtpd);
        break;
    case IPC_ROLE_BOUNCE:
        ipc_helper_attach(&smtpd->bounce, service->loop, descriptor, peer->role);
        break;
    case IPC_ROLE_VERIFY:
        ipc_helper_attach(&smtpd->verify, service->loop, descriptor, peer->role);
        break;
    case IPC_ROLE_AUTHD:
        auth_client_set_channel(&smtpd->auth, NULL);
        ipc_channel_destroy(&smtpd->authd);
        smtpd->authd =
            ipc_channel_create(service->loop, descriptor, IPC_ROLE_AUTHD, &authd_handlers, smtpd);
        if (smtpd->authd)
            ipc_channel_set_secret(smtpd->authd);
        auth_client_set_channel(&smtpd->auth, smtpd->authd);
        break;
    case IPC_ROLE_KEYD:
        tls_keys_add_peer(smtpd->keys, peer->process_number, descriptor);
        break;
    default:
        file_close(descriptor);
        break;
    }
}

void smtpserver_drain(struct service *service)
{
    struct smtpd *smtpd = service->state;
    listeners_close_all(&smtpd->listeners);
    report_load(smtpd);
    if (list_is_empty(&smtpd->sessions.sessions))
        service_leave(service, EXIT_SUCCESS);
}

void smtpserver_on_poison(struct service *service, const struct ipc_poison *poison)
{
    struct smtpd *smtpd = service->state;
    smtpsession_refuse(&smtpd->sessions, poison->work);
}

void smtpserver_end_sessions(struct service *service)
{
    struct smtpd *smtpd = service->state;
    smtpsession_stop_all(&smtpd->sessions);
    if (list_is_empty(&smtpd->sessions.sessions))
        service_leave(service, EXIT_SUCCESS);
}
