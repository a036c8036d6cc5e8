/* smtpsession/auth - AUTH: the client says who it is, and authd whether that is so (RFC 4954).
 * See session_private.h. */
#include <stdio.h>
#include <strings.h>

#include "base/base64.h"
#include "smtp/auth_command.h"
#include "smtpsession/session_private.h"
#include "tls/binding.h"
#include "tls/server.h"

enum {
    /* authd holds failures back, and a password database may take its time. */
    ANSWER_TIMEOUT_MS = 100000,
    EXCHANGE_ARENA_BYTES = 131072,
    RESPONSE_MAX_BYTES = 12288,
    NAMES_MAX_BYTES = 1024
};

/* One AUTH command. Its arena and its buffer are wiped at the end. */
struct login {
    struct smtpsession *session;
    struct auth_exchange exchange;
    struct arena arena;
    struct buffer response;
    struct span mechanism;
    struct auth_answer answer;
};

/* ---- which mechanisms ---- */

static bool is_encrypted(const struct smtpsession *session)
{
    return session->tls != NULL;
}

static bool has_certificate(const struct smtpsession *session)
{
    return session->tls && session->tls->certificate && session->tls->certificate->is_trusted;
}

/* The administrator's conditions; what the mechanism itself needs is another matter. */
static bool is_allowed(const struct smtpsession *session, const struct auth_mechanism *mechanism)
{
    const struct smtpsession_login *rules = &session->service->settings.login;
    const unsigned refused =
        is_encrypted(session) ? rules->refused_over_tls : rules->refused_properties;
    const unsigned required =
        is_encrypted(session) ? rules->required_over_tls : rules->required_properties;
    const struct ip_address nowhere = {.family = IP_FAMILY_NONE};
    return (mechanism->properties & refused) == 0 &&
           (mechanism->properties & required) == required &&
           (!rules->mechanisms || client_list_has(rules->mechanisms, mechanism->name, &nowhere));
}

static bool is_usable(const struct smtpsession *session, const struct auth_mechanism *mechanism)
{
    return is_allowed(session, mechanism) &&
           auth_mechanism_fits(mechanism, is_encrypted(session), has_certificate(session));
}

/* Some clients are not to see AUTH, because they would use it and have no password. */
static bool is_enabled(const struct smtpsession *session)
{
    const struct smtpsession_service *service = session->service;
    const struct smtpsession_login *rules = &service->settings.login;
    return rules->is_enabled && service->auth && session_offers(session, SPAN("AUTH")) &&
           !(rules->exceptions &&
             client_list_has(rules->exceptions,
                             session->has_name ? session->peer.name : span_empty(),
                             &session->address));
}

bool session_offers_auth(const struct smtpsession *session)
{
    return session->sasl.method.length > 0 || (is_enabled(session) && session_may_auth(session));
}

void session_offer_auth(struct smtpsession *session, struct buffer *reply)
{
    const struct auth_client *auth = session->service->auth;
    struct buffer names;
    if (!is_enabled(session) || !session_may_auth(session) || !auth_client_await_mechanisms(auth))
        return;
    buffer_init(&names, NULL, NAMES_MAX_BYTES);
    for (size_t i = 0; i < auth->mechanism_count; i++)
        if (is_usable(session, &auth->mechanisms[i])) {
            buffer_append_byte(&names, ' ');
            buffer_append_span(&names, auth->mechanisms[i].name);
        }
    if (names.length && buffer_ok(&names)) {
        buffer_append_string(reply, "\nAUTH");
        buffer_append_span(reply, buffer_span(&names));
        if (session->service->settings.login.has_broken_clients) {
            buffer_append_string(reply, "\nAUTH=");
            buffer_append_span(reply, span_after(buffer_span(&names), 1));
        }
    }
    buffer_release(&names);
}

/* ---- what is said ---- */

static void log_failure(const struct login *login, const char *prefix, struct span reason)
{
    const struct smtpsession *session = login->session;
    const struct span text =
        arena_format(&login->session->transaction_arena, "%s%.*s", prefix, SPAN_PRINTF(reason));
    maillog_auth_failed(session->service->log, &session->peer, login->mechanism,
                        text.bytes ? text : reason, login->answer.user);
}

/* What was wrong with it is for the log alone: a stranger learns nothing of accounts. */
static void refuse_login(struct login *login)
{
    const struct auth_answer *answer = &login->answer;
    const struct span reason =
        answer->reason.length ? answer->reason : SPAN("authentication failure");
    struct smtpsession *session = login->session;
    if (answer->result == AUTH_FAILURE) {
        log_failure(login, "", reason);
        switch (answer->failure) {
        case AUTH_FAILURE_CANCELLED:
            session_reply(session, 501, 7, 0, "Authentication aborted");
            break;
        case AUTH_FAILURE_ENCRYPTION:
            session_reply(session, 538, 7, 11,
                          "Encryption required for requested authentication mechanism");
            break;
        case AUTH_FAILURE_MALFORMED:
            session_reply(session, 501, 5, 2, "Error: authentication failed: malformed response");
            break;
        case AUTH_FAILURE_MECHANISM:
            session_reply(session, 504, 5, 4, "Error: authentication mechanism not available");
            break;
        case AUTH_FAILURE_EXPIRED:
            session_reply(session, 535, 7, 8, "Error: authentication failed: expired");
            break;
        default:
            session_reply(session, 535, 7, 8, "Error: authentication failed");
            break;
        }
        return;
    }
    /* Who watches for guessers must not count what is our own trouble: filters know these words. */
    log_failure(
        login,
        answer->failure == AUTH_FAILURE_LOCKED ? "" : "Connection lost to authentication server: ",
        reason);
    session_reply(session, 454, 7, 0, "Temporary authentication failure");
}

/* ---- the exchange ---- */

/* What was sent is a secret, and leaves no trace in buffers that others get. */
static void consume_secret(struct smtpsession *session, size_t length)
{
    const struct span input = span_first(stream_input(&session->stream), length);
    explicit_bzero((void *)(uintptr_t)input.bytes, input.length); /* of the stream's own block */
    stream_consume(&session->stream, input.length);
}

/* A challenge, and the client's answer to it in login->response. False: the command is over, and
 * that was answered, or session->end says why. */
static bool ask_client(struct login *login, struct span challenge)
{
    struct smtpsession *session = login->session;
    const struct smtpsession_settings *settings = &session->service->settings;
    const size_t limit = settings->login.response_limit;
    const int64_t deadline_ms = clock_deadline_after(settings->timeout_ms);
    struct buffer text;
    buffer_init(&text, &login->arena, 2 * RESPONSE_MAX_BYTES);
    base64_encode(challenge, &text);
    if (!buffer_ok(&text)) {
        session_reply(session, 454, 7, 0, "Temporary authentication failure");
        return false;
    }
    session_reply_plain(session, 334, buffer_span(&text));
    for (;;) {
        size_t consumed = 0;
        buffer_reset(&login->response);
        const enum smtp_auth_result result =
            smtp_auth_response_parse(stream_input(&session->stream), limit, session->takes_bare_lf,
                                     &login->response, &consumed);
        if (consumed)
            consume_secret(session, consumed);
        switch (result) {
        case SMTP_AUTH_OK:
            return true;
        case SMTP_AUTH_NEED_MORE:
            if (!session_read(session, deadline_ms))
                return false;
            continue;
        case SMTP_AUTH_TOO_LONG:
            session_discard_line(session, deadline_ms);
            session_reply(session, 500, 5, 6, "Error: authentication exchange line too long");
            return false;
        case SMTP_AUTH_CANCELLED:
            maillog_auth_aborted(session->service->log, &session->peer, login->mechanism);
            session_reply(session, 501, 7, 0, "Authentication aborted");
            return false;
        case SMTP_AUTH_BAD_SYNTAX:
        case SMTP_AUTH_BAD_BASE64:
            break;
        }
        session_reply(session, 501, 5, 2, "Error: authentication failed: malformed response");
        return false;
    }
}

/* smtpd_sasl_local_domain completes names. */
static struct span full_name(struct smtpsession *session, struct span user)
{
    const struct span domain = session->service->settings.login.local_domain;
    if (span_is_empty(domain) || span_find_byte(user, '@') < user.length)
        return arena_copy(&session->arena, user);
    return arena_format(&session->arena, "%.*s@%.*s", SPAN_PRINTF(user), SPAN_PRINTF(domain));
}

static bool take_user(struct login *login)
{
    struct smtpsession *session = login->session;
    const struct span user = full_name(session, login->answer.authorization);
    const struct span method = arena_copy(&session->arena, login->mechanism);
    if (!method.bytes || !user.bytes || user.length > QUEUE_TEXT_MAX_BYTES) {
        session_reply(session, 454, 7, 0, "Temporary authentication failure");
        return false;
    }
    session->sasl = (struct log_sasl){.method = method, .username = user, .sender = span_empty()};
    session->is_local = session->is_local || session->service->settings.completes_users;
    return true;
}

/* SMTP cannot send anything with a success: it goes as a challenge whose response is empty (RFC
 * 4422 section 3.6). */
static bool finish(struct login *login)
{
    if (login->answer.has_challenge && login->answer.challenge.length) {
        if (!ask_client(login, login->answer.challenge))
            return false;
        if (login->response.length) {
            session_reply(login->session, 501, 5, 2,
                          "Error: authentication failed: malformed response");
            return false;
        }
    }
    if (!take_user(login))
        return false;
    session_reply(login->session, 235, 7, 0, "Authentication successful");
    return true;
}

/* What ties the exchange to the connection: empty where it has none of the kind. */
static struct span find_binding(struct login *login, const char *name)
{
    struct buffer binding;
    SSL *ssl = tls_stream_ssl(&login->session->stream);
    buffer_init(&binding, &login->arena, TLS_BINDING_MAX_BYTES);
    if (!ssl || !tls_binding_append(ssl, span_from_string(name), &binding) || !buffer_ok(&binding))
        return span_empty();
    return buffer_span(&binding);
}

static struct span find_identity(struct login *login)
{
    struct buffer identity;
    buffer_init(&identity, &login->arena, IPC_ADDRESS_MAX);
    if (has_certificate(login->session))
        tls_certificate_append_identity(tls_stream_ssl(&login->session->stream), &identity);
    return buffer_ok(&identity) ? buffer_span(&identity) : span_empty();
}

static bool converse(struct login *login, bool has_response)
{
    const struct smtpsession *session = login->session;
    const struct smtpsession_login *rules = &session->service->settings.login;
    const struct auth_start start = {
        .service = rules->service,
        .mechanism = login->mechanism,
        .has_initial_response = has_response,
        .initial_response = buffer_span(&login->response),
        .client_address = session->peer.address,
        .client_port = session->port,
        .server_address = span_empty(),
        .server_name = session->tls ? span_from_string(session->tls->server_name) : span_empty(),
        .is_encrypted = is_encrypted(session),
        .binding_exporter = find_binding(login, "tls-exporter"),
        .binding_unique = find_binding(login, "tls-unique"),
        .binding_end_point = find_binding(login, "tls-server-end-point"),
        .certificate_identity = find_identity(login),
    };
    auth_exchange_start(&login->exchange, session->service->auth, &start,
                        clock_deadline_after(ANSWER_TIMEOUT_MS), &login->arena, &login->answer);
    while (login->answer.result == AUTH_CHALLENGE) {
        if (!ask_client(login, login->answer.challenge))
            return false;
        auth_exchange_continue(&login->exchange, buffer_span(&login->response),
                               clock_deadline_after(ANSWER_TIMEOUT_MS), &login->arena,
                               &login->answer);
    }
    if (login->answer.result == AUTH_SUCCESS)
        return finish(login);
    refuse_login(login);
    return false;
}

/* An unknown mechanism, or one that wants TLS first (RFC 4954 section 6). */
static bool is_offered(struct login *login)
{
    const struct smtpsession *session = login->session;
    if (!auth_client_await_mechanisms(session->service->auth)) {
        login->answer = (struct auth_answer){
            .result = AUTH_TEMPORARY, .user = span_empty(), .reason = SPAN("authd is not there")};
        refuse_login(login);
        return false;
    }
    const struct auth_mechanism *mechanism =
        auth_client_find(session->service->auth, login->mechanism);
    if (mechanism && is_usable(session, mechanism)) {
        login->mechanism = arena_copy(&login->arena, mechanism->name); /* a new authd has others */
        return login->mechanism.bytes != NULL;
    }
    login->answer = (struct auth_answer){.result = AUTH_FAILURE,
                                         .failure = AUTH_FAILURE_MECHANISM,
                                         .user = span_empty(),
                                         .reason = SPAN("Invalid authentication mechanism")};
    if (mechanism && !is_encrypted(session) &&
        (mechanism->properties & session->service->settings.login.refused_over_tls) == 0)
        login->answer.failure = AUTH_FAILURE_ENCRYPTION;
    refuse_login(login);
    return false;
}

static bool run(struct login *login, struct span argument)
{
    struct smtpsession *session = login->session;
    struct smtp_auth_command command;
    const enum smtp_auth_result result = smtp_auth_parse(argument, &command, &login->response);
    if (result == SMTP_AUTH_OK)
        login->mechanism = arena_copy(&login->arena, command.mechanism);
    consume_secret(session, session->command_bytes);
    session->command_bytes = 0;
    if (result == SMTP_AUTH_BAD_BASE64) {
        session_reply(session, 501, 5, 2, "Error: authentication failed: malformed response");
        return false;
    }
    if (result != SMTP_AUTH_OK) {
        session_reply(session, 501, 5, 4, "Syntax: AUTH mechanism");
        return false;
    }
    if (!login->mechanism.bytes) {
        session_reply(session, 454, 7, 0, "Temporary authentication failure");
        return false;
    }
    return is_offered(login) && converse(login, command.has_response);
}

bool session_auth(struct smtpsession *session, struct span argument)
{
    if (session->service->settings.is_helo_required && session->helo.length == 0) {
        session_reply(session, 503, 5, 1, "Error: send HELO/EHLO first");
        return false;
    }
    if (!is_enabled(session)) {
        session_reply(session, 503, 5, 1, "Error: authentication not enabled");
        return false;
    }
    if (!session_may_auth(session)) {
        session_reply(session, 538, 7, 11,
                      "Encryption required for requested authentication mechanism");
        return false;
    }
    if (session->transaction.is_open) {
        session_reply(session, 503, 5, 1, "Error: MAIL transaction in progress");
        return false;
    }
    if (session->sasl.method.length) {
        session_reply(session, 503, 5, 1, "Error: already authenticated");
        return false;
    }
    if (!session_client_may(session, LIMIT_KIND_AUTH))
        return false;
    struct login login = {.session = session, .mechanism = span_empty()};
    arena_init(&login.arena, EXCHANGE_ARENA_BYTES, ARENA_WIPE);
    buffer_init(&login.response, &login.arena, RESPONSE_MAX_BYTES);
    const bool is_accepted = run(&login, argument);
    auth_exchange_cancel(&login.exchange); /* nothing when it is over */
    arena_destroy(&login.arena);
    return is_accepted;
}
