/* smtpsession/tls - STARTTLS (RFC 3207), TLS from the first byte (RFC 8314 section 3), and what a
 * session may do for being protected. See session_private.h. */
#include "smtpsession/session_private.h"

#include "maillog/tls.h"
#include "tls/server.h"

enum { TLS_LOG_SUMMARY = 1, TLS_LOG_PEER = 2, PEER_TEXT_BYTES = 512 };

void session_end_tls(struct smtpsession *session)
{
    tls_session_destroy(&session->tls);
}

bool session_offers_tls(const struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    return settings->tls && !session->tls && !settings->wraps_tls &&
           session_offers(session, SPAN("STARTTLS")) && tls_server_is_offered(settings->tls);
}

bool session_may_auth(const struct smtpsession *session)
{
    return session->tls || !session->service->settings.needs_tls_for_auth;
}

/* ---- the log ---- */

static void put_peer_text(const struct smtpsession *session, struct buffer *text)
{
    buffer_init(text, NULL, PEER_TEXT_BYTES);
    maillog_put_peer(text, &session->peer);
}

/* Postfix's two lines: what the handshake came to, and what the library says of it. */
static void log_failure(struct smtpsession *session, const char *reason)
{
    struct maillog *log = session->service->log;
    const bool is_of_library = session->stream.error == EPROTO;
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
    buffer_append_string(line, "SSL_accept error from ");
    maillog_put_peer(line, &session->peer);
    buffer_append_format(line, ": %s", is_of_library ? "-1" : reason);
    maillog_end(log);
    if (is_of_library)
        maillog_text(log, LOG_LEVEL_WARNING, span_empty(), "TLS library problem: %s", reason);
}

static void log_success(struct smtpsession *session)
{
    const struct tls_session *tls = session->tls;
    struct maillog *log = session->service->log;
    const uint32_t level = session->service->settings.tls_log_level;
    struct buffer peer;
    put_peer_text(session, &peer);
    if (level >= TLS_LOG_SUMMARY)
        maillog_tls(log, LOG_TLS_FROM, tls->trust, buffer_span(&peer),
                    span_from_string(tls->server_name), &tls->facts);
    if (level >= TLS_LOG_PEER && tls->certificate) {
        struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
        buffer_append_span(line, buffer_span(&peer));
        buffer_append_format(line,
                             ": subject_CN=%s, issuer=%s, fingerprint=%s, pkey_fingerprint=%s",
                             tls->certificate->subject, tls->certificate->issuer,
                             tls->certificate->fingerprint, tls->certificate->key_fingerprint);
        maillog_end(log);
    }
    buffer_release(&peer);
}

/* ---- the handshake ---- */

/* RFC 3207 section 4.2: whatever the client said before counts no more. */
static void forget_everything(struct smtpsession *session)
{
    session_reset_transaction(session);
    session->protocol = SESSION_PROTOCOL_NONE;
    session->helo = span_empty();
    session->helo_bytes = NULL;
    session->sasl = (struct log_sasl){.method = span_empty()};
    session_judge_client(session); /* what it may do as a user */
}

/* Nobody knows any more what of this connection is TLS: nothing can be said over it. */
static bool give_up(struct smtpsession *session, const char *reason)
{
    log_failure(session, reason);
    buffer_reset(&session->stream.output);
    session->end = SESSION_IS_LOST;
    return false;
}

static bool shake_hands(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    char reason[TLS_REASON_MAX_BYTES];
    session->is_waiting = true;
    const enum stream_result result = tls_server_accept(
        settings->tls, &session->stream, clock_deadline_after(settings->starttls_timeout_ms),
        &session->tls, reason);
    session->is_waiting = false;
    session->cut_ms = CLOCK_NEVER;
    /* Under stress those who wait are cut off. */
    if (result == STREAM_TIMED_OUT || session->end == SESSION_TIMED_OUT)
        return give_up(session, "Connection timed out");
    if (result == STREAM_CANCELLED)
        return give_up(session, "Service shutting down");
    if (result != STREAM_OK)
        return give_up(session, reason[0] ? reason : "lost connection");
    return true;
}

/* After STARTTLS it is the client's turn to speak (RFC 3207 section 4.2): its first command is what
 * a refusal answers. */
static bool may_answer(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    return settings->wraps_tls || session_read(session, clock_deadline_after(settings->timeout_ms));
}

/* Whoever is asked for a certificate that we trust cannot do without. */
static bool has_wanted_certificate(struct smtpsession *session)
{
    const struct tls_session *tls = session->tls;
    if (!session->service->settings.needs_certificate || tls->trust == LOG_TLS_TRUSTED)
        return true;
    const char *problem =
        tls->certificate ? "Client certificate not trusted" : "No client certificate presented";
    struct buffer *line = maillog_begin(session->service->log, LOG_LEVEL_INFO, SPAN("NOQUEUE"));
    buffer_append_string(line, "abort: TLS from ");
    maillog_put_peer(line, &session->peer);
    buffer_append_format(line, ": %s", problem);
    maillog_end(session->service->log);
    if (!may_answer(session))
        return false;
    session_reply(session, 421, 7, 1, "%.*s Error: %s",
                  SPAN_PRINTF(session->service->settings.server_name), problem);
    session->end = SESSION_HAS_QUIT;
    return false;
}

/* What is counted are the handshakes that cost: resuming is cheap. */
static bool may_have_new_session(struct smtpsession *session)
{
    if (session->tls->facts.is_resumed || session_client_may_begin_tls(session, true))
        return true;
    if (may_answer(session)) {
        session_reply(session, 421, 7, 0, "%.*s Error: too many new TLS sessions from %.*s",
                      SPAN_PRINTF(session->service->settings.server_name),
                      SPAN_PRINTF(session->peer.address));
        session->end = SESSION_HAS_QUIT;
    }
    return false;
}

static bool is_admitted(struct smtpsession *session)
{
    return may_have_new_session(session) && has_wanted_certificate(session);
}

static bool begin_tls(struct smtpsession *session)
{
    if (!shake_hands(session))
        return false;
    log_success(session);
    forget_everything(session);
    return true;
}

bool session_starttls(struct smtpsession *session, struct span argument)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    if (argument.length) {
        session_reply(session, 501, 5, 4, "Syntax: STARTTLS");
        return false;
    }
    if (session->tls) {
        session_reply(session, 503, 5, 1, "Error: TLS already active");
        return false;
    }
    if (!settings->tls || !session_offers(session, SPAN("STARTTLS"))) {
        session_reply(session, 502, 5, 1, "Error: command not implemented");
        return false;
    }
    if (!tls_server_is_ready(settings->tls)) {
        session_reply(session, 454, 7, 0, "TLS not available due to local problem");
        return false;
    }
    if (!session_client_may_begin_tls(session, false))
        return false;
    session_reply(session, 220, 0, 0, "Ready to start TLS");
    session_flush(session);
    if (session->end != SESSION_GOES_ON)
        return false;
    /* The handshake throws away what lies in the window, this command with it. */
    session_consume_command(session);
    return begin_tls(session) && is_admitted(session);
}

bool session_wrap_in_tls(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    if (!settings->wraps_tls)
        return true;
    if (!settings->tls || !tls_server_is_ready(settings->tls)) {
        maillog_text(session->service->log, LOG_LEVEL_WARNING, span_empty(),
                     "no certificate to show: a TLS connection was closed");
        session->end = SESSION_IS_LOST;
        return false;
    }
    return begin_tls(session) && is_admitted(session);
}

/* ---- what follows from it ---- */

bool session_may_before_tls(struct smtpsession *session, enum smtp_verb verb)
{
    if (session->tls || !session->service->settings.requires_tls)
        return true;
    switch (verb) {
    case SMTP_VERB_EHLO:
    case SMTP_VERB_LHLO:
    case SMTP_VERB_STARTTLS:
    case SMTP_VERB_NOOP:
    case SMTP_VERB_QUIT:
        return true;
    default: /* RFC 3207 section 4 */
        session_reply(session, 530, 7, 0, "Must issue a STARTTLS command first");
        return false;
    }
}

void session_describe_tls(const struct smtpsession *session, struct buffer *details,
                          struct smtp_received_tls *received)
{
    const struct tls_session *tls = session->tls;
    const struct smtpsession_settings *settings = &session->service->settings;
    maillog_put_tls_details(details, &tls->facts);
    *received = (struct smtp_received_tls){
        .cipher_name = span_from_string(tls->cipher_name),
        .group_name = span_from_string(tls->group_name),
        .has_comments = settings->shows_tls_in_received,
        .protocol = span_from_string(tls->facts.protocol),
        .cipher = span_from_string(tls->facts.cipher),
        .used_bits = tls->facts.used_bits,
        .algorithm_bits = tls->facts.algorithm_bits,
        .details = buffer_span(details),
        .certificate =
            settings->asks_certificate ? SMTP_RECEIVED_NOT_SHOWN : SMTP_RECEIVED_NOT_ASKED,
        .subject = span_empty(),
        .issuer = span_empty(),
    };
    if (!tls->certificate)
        return;
    received->certificate = SMTP_RECEIVED_SHOWN;
    received->subject = span_from_string(tls->certificate->subject);
    received->issuer = span_from_string(tls->certificate->issuer);
    received->is_trusted = tls->certificate->is_trusted;
}
