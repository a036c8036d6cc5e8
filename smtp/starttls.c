/* smtp/starttls - see starttls.h. */
#include "starttls.h"

#include <errno.h>

#include "session_report.h"

enum { EXPLANATION_MAX_BYTES = 1024 };

/* RFC 3463 section 3.8: X.7.4 security features not supported, X.7.5 cryptographic failure. */
static void fail(struct failure *failure, uint16_t detail, struct span text)
{
    *failure = (struct failure){.outcome = outcome_make(OUTCOME_TEMPORARY, 0, 7, detail,
                                                        text.bytes ? text : SPAN("out of memory")),
                                .diagnostic = span_empty(),
                                .is_connected = true};
}

/* ---- the log ---- */

static void log_failure(const struct connection *connection, enum stream_result result)
{
    struct maillog *log = connection->context->log;
    const struct tls_peer *peer = connection->tls;
    const char *reason = result == STREAM_TIMED_OUT ? "Connection timed out" : peer->reason;
    if (result == STREAM_CANCELLED)
        return;
    if (result == STREAM_FAILED && connection->stream.error == EPROTO) {
        maillog_text(log, LOG_LEVEL_INFO, span_empty(), "SSL_connect error to %s: -1",
                     connection->relay);
        maillog_text(log, LOG_LEVEL_WARNING, span_empty(), "TLS library problem: %s", reason);
    } else {
        maillog_text(log, LOG_LEVEL_INFO, span_empty(), "SSL_connect error to %s: %s",
                     connection->relay, reason);
    }
}

static void log_problem(const struct connection *connection)
{
    const struct tls_peer *peer = connection->tls;
    struct buffer text;
    buffer_init(&text, NULL, EXPLANATION_MAX_BYTES);
    if (peer->facts.is_resumed && peer->problem.error == X509_V_OK)
        buffer_append_format(
            &text,
            "%s: re-using session with untrusted certificate, look for details earlier "
            "in the log",
            connection->relay);
    else
        tls_verify_explain(&peer->problem, span_from_string(connection->relay), &text);
    if (buffer_ok(&text))
        maillog_text(connection->context->log, LOG_LEVEL_INFO, span_empty(), "%.*s",
                     SPAN_PRINTF(buffer_span(&text)));
    buffer_release(&text);
}

static void log_success(const struct connection *connection)
{
    const struct tls_peer *peer = connection->tls;
    const uint32_t level = connection->settings->smtp_tls_loglevel;
    const enum tls_level wanted = connection->protection->wish.level;
    const bool has_problem = peer->trust == LOG_TLS_UNTRUSTED || peer->problem.error != X509_V_OK;
    const bool authorities_matter =
        tls_level_is_pkix(wanted) || (tls_level_is_dane(wanted) && !peer->is_matched);
    if (has_problem && (authorities_matter || level >= 2))
        log_problem(connection);
    if (level >= 1)
        maillog_tls(connection->context->log, LOG_TLS_TO, peer->trust,
                    span_from_string(connection->relay), span_empty(), &peer->facts);
}

/* ---- the handshake ---- */

/* What must be the same for a session to be resumed. */
static struct span place_of(const struct connection *connection, struct arena *arena)
{
    const struct span place =
        arena_format(arena, "%.*s %s %.*s", SPAN_PRINTF(connection->protection->destination),
                     connection->relay, SPAN_PRINTF(connection->settings->smtp_helo_name));
    return place.bytes ? place : span_from_string(connection->relay);
}

/* A failed handshake leaves a connection on which nothing can be said. */
static bool shake_hands(struct connection *connection, struct arena *arena, struct failure *failure)
{
    const struct connection_context *context = connection->context;
    connection->tls = arena_alloc(&connection->arena, sizeof(*connection->tls));
    if (!connection->tls || !context->tls) {
        connection->is_usable = false;
        connection->tls = NULL;
        fail(failure, 5, SPAN("TLS is required, but our TLS engine is unavailable"));
        return false;
    }
    if (connection->settings->smtp_tls_loglevel >= 2)
        maillog_text(context->log, LOG_LEVEL_INFO, span_empty(), "setting up TLS connection to %s",
                     connection->relay);
    const enum stream_result result = tls_client_handshake(
        context->tls, &connection->stream, &connection->protection->wish,
        place_of(connection, arena),
        clock_deadline_after(connection->settings->smtp_starttls_timeout_ms), connection->tls);
    if (result == STREAM_OK) {
        log_success(connection);
        return true;
    }
    log_failure(connection, result);
    connection->is_usable = false;
    fail(failure, 5, SPAN("Cannot start TLS: handshake failure"));
    failure->tls_result = TLSRPT_VALIDATION_FAILURE;
    failure->tls_reason = arena_copy(arena, span_from_string(connection->tls->reason));
    failure->may_go_plain = connection->protection->wish.level == TLS_LEVEL_MAY;
    return false;
}

/* RFC 8689 section 4.2.1: who requires TLS wants to hear that there is none. */
static void give_up(const struct connection *connection, struct failure *failure)
{
    if (!connection->protection->is_required_by_message)
        return;
    failure->bounces_at_end = true;
    failure->outcome.status.detail = 10;
}

/* With a server that is not the one meant we can still part politely. */
static bool is_acceptable(struct connection *connection, struct failure *failure)
{
    if (!tls_level_must_match(connection->protection->wish.level) || connection->tls->is_matched)
        return true;
    fail(failure, 5, SPAN("Server certificate not verified"));
    give_up(connection, failure);
    failure->tls_result = session_report_judge(connection->tls, connection->protection->wish.level);
    failure->tls_reason =
        span_from_string(X509_verify_cert_error_string(connection->tls->problem.error));
    return false;
}

bool starttls_wrap(struct connection *connection, struct arena *arena, struct failure *failure)
{
    if (!shake_hands(connection, arena, failure))
        return false;
    failure->may_go_plain = false;
    return is_acceptable(connection, failure);
}

/* ---- the command ---- */

static enum starttls_result start(struct connection *connection, struct arena *arena,
                                  struct failure *failure)
{
    struct smtp_reply reply;
    const bool is_mandatory = tls_level_is_mandatory(connection->protection->wish.level);
    connection_write(connection, "STARTTLS\r\n");
    if (!connection_flush(connection, STAGE_STARTTLS, arena, failure) ||
        !connection_read_reply(connection, STAGE_STARTTLS, &reply, arena, failure))
        return STARTTLS_FAILED;
    if (reply.code / 100 == 2)
        return shake_hands(connection, arena, failure) && is_acceptable(connection, failure)
                   ? STARTTLS_DONE
                   : STARTTLS_FAILED;
    *failure = connection_refusal(connection, STAGE_STARTTLS, &reply, arena);
    if (!connection->is_usable)
        return STARTTLS_FAILED;
    connection->extensions.has_starttls = false;
    if (!is_mandatory)
        return STARTTLS_PLAIN;
    const struct span diagnostic = failure->diagnostic;
    fail(failure, 4,
         arena_format(arena, "TLS is required, but host %s refused to start TLS: %.*s",
                      connection->label, SPAN_PRINTF(diagnostic)));
    give_up(connection, failure);
    failure->diagnostic = diagnostic;
    failure->tls_result = TLSRPT_STARTTLS_NOT_SUPPORTED;
    return STARTTLS_FAILED;
}

enum starttls_result starttls_negotiate(struct connection *connection, struct arena *arena,
                                        struct failure *failure)
{
    const enum tls_level level = connection->protection->wish.level;
    if (connection->tls)
        return STARTTLS_PLAIN; /* it is one already */
    if (connection->extensions.has_starttls && level >= TLS_LEVEL_MAY)
        return start(connection, arena, failure);
    if (connection->extensions.has_starttls && connection->settings->smtp_tls_note_starttls_offer)
        maillog_text(connection->context->log, LOG_LEVEL_INFO, span_empty(),
                     "Host offered STARTTLS: [%.*s]", SPAN_PRINTF(connection->host));
    if (!tls_level_is_mandatory(level))
        return STARTTLS_PLAIN;
    fail(failure, 4,
         arena_format(arena, "TLS is required, but was not offered by host %s", connection->label));
    give_up(connection, failure);
    failure->tls_result = TLSRPT_STARTTLS_NOT_SUPPORTED;
    return STARTTLS_FAILED;
}
