/* smtpsession/client - who a client is, and what it may do for that. See session_private.h. */
#include "address/proxy_header.h"
#include "smtp/data.h"
#include "smtpsession/session_private.h"

void session_judge_client(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const struct ip_address *address = &session->address;
    const struct span name = session->has_name ? session->peer.name : span_empty();
    session->peer.address = ip_address_format(address, session->address_text);
    session->peer.port = settings->logs_client_port ? session->port : 0;
    session->is_trusted = ip_network_list_has(&settings->trusted_networks, address);
    /* RFC 6409 section 8: what users send is completed. */
    session->is_local = settings->submission.is_on ||
                        (settings->completes_users && session->sasl.method.length) ||
                        client_list_has(settings->local_clients, name, address);
    session->may_xclient = client_list_has(settings->xclient_hosts, name, address);
    session->may_xforward = client_list_has(settings->xforward_hosts, name, address);
    session->may_verp = client_list_has(settings->verp_clients, name, address);
    session_find_discarded_keywords(session);
    session->takes_bare_lf =
        settings->takes_bare_lf || client_list_has(settings->bare_lf_clients, name, address);
    session->repairs = 0;
    if (session->takes_bare_lf)
        session->repairs = (unsigned)SMTP_DATA_REPAIR_LF |
                           (settings->replaces_bare_cr ? (unsigned)SMTP_DATA_REPAIR_CR : 0);
}

void session_identify_client(struct smtpsession *session)
{
    struct smtpsession_service *service = session->service;
    /* Who comes through a Unix-domain socket is on this machine. */
    session->peer.name =
        session->address.family == IP_FAMILY_NONE ? SPAN("localhost") : SPAN("unknown");
    session->has_name = false;
    if (service->settings.looks_up_client && session->address.family != IP_FAMILY_NONE) {
        const struct span name = service->backend.find_client_name(
            service->backend.context, &session->address, &session->arena);
        session->has_name = name.length > 0;
        if (session->has_name)
            session->peer.name = name;
    }
    session_judge_client(session);
}

static void complain(struct smtpsession *session, const char *problem)
{
    struct buffer *line = maillog_begin(session->service->log, LOG_LEVEL_WARNING, span_empty());
    buffer_append_format(line, "haproxy read: %s from ", problem);
    maillog_put_peer(line, &session->peer);
    maillog_end(session->service->log);
}

static enum parse_result parse_header(struct smtpsession *session, struct proxy_header *header)
{
    const int64_t deadline_ms = clock_deadline_after(session->service->settings.proxy_timeout_ms);
    const size_t size = PROXY_HEADER_MAX_BYTES;
    uint8_t *bytes = arena_alloc(&session->transaction_arena, size);
    size_t count = 0, consumed = 0;
    enum parse_result result;
    if (!bytes)
        return PARSE_TOO_LONG;
    /* Only looked at: what follows may be a handshake of TLS, which reads the socket itself. */
    while ((result = proxy_header_parse(span_of(bytes, count), header, &consumed)) ==
           PARSE_NEED_MORE) {
        session->is_waiting = true;
        const enum stream_result peeked =
            stream_peek(&session->stream, bytes, size, count, &count, deadline_ms);
        session->is_waiting = false;
        if (peeked == STREAM_TIMED_OUT)
            complain(session, "timeout error");
        if (peeked != STREAM_OK)
            break;
    }
    if (result == PARSE_OK && stream_skip(&session->stream, consumed) != STREAM_OK)
        result = PARSE_NEED_MORE;
    session_reset_transaction(session);
    return result;
}

bool session_read_proxy_header(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct proxy_header header;
    if (!settings->has_upstream_proxy)
        return true;
    session_judge_client(session); /* for the log: the proxy's address is all we have */
    const enum parse_result result = parse_header(session, &header);
    if (result != PARSE_OK) {
        if (result != PARSE_NEED_MORE)
            complain(session, "bad header");
        /* Not a word: who speaks without the proxy's header does not speak through the proxy. */
        session->end = SESSION_HAS_QUIT;
        return false;
    }
    if (!header.is_local) {
        session->address = header.client;
        session->port = header.client_port;
    }
    return true;
}
