/* smtpsession/greet - a short wait before the greeting: a client must not send before the server
 * has spoken (RFC 5321 section 4.3.1), and programs that only send spam often cannot wait. As
 * Postfix's postscreen tests it; the first line of a longer greeting tempts them.
 * See session_private.h, man/smtpd.8. */
#include "smtpsession/session_private.h"

static void answer_early_talker(struct smtpsession *session)
{
    switch (session->service->settings.greet_action) {
    case SMTPSESSION_GREET_IGNORE:
        break;
    case SMTPSESSION_GREET_ENFORCE:
        session->is_unwelcome = true;
        break;
    case SMTPSESSION_GREET_DROP:
        session_reply(session, 521, 5, 1, "Protocol error");
        session->end = SESSION_HAS_QUIT;
        break;
    }
}

/* Whether it was seen to wait, not long ago. */
static bool is_known(struct smtpsession *session)
{
    struct limit_answer answer = {.is_known = false};
    if (session->service->limits)
        limit_count(session->service->limits, LIMIT_KIND_GREETING, session->peer.address, 0, 0,
                    &answer);
    return answer.is_known && answer.count > 0;
}

static void watch(struct smtpsession *session, const struct log_peer *shown)
{
    const struct smtpsession_service *service = session->service;
    const struct smtpsession_settings *settings = &service->settings;
    const int64_t begin_ms = clock_monotonic_ms();
    session->is_waiting = true;
    const enum stream_result result =
        stream_read(&session->stream, clock_deadline_after(settings->greet_wait_ms));
    session->is_waiting = false;
    session->cut_ms = CLOCK_NEVER;
    const uint64_t delay_us = (uint64_t)(clock_monotonic_ms() - begin_ms) * 1000;
    switch (result) {
    case STREAM_TIMED_OUT:
        maillog_screen_pass(service->log, shown, true);
        if (service->limits)
            limit_set(service->limits, LIMIT_KIND_GREETING, session->peer.address, 1,
                      settings->greet_ttl_s);
        break;
    case STREAM_OK:
        maillog_pregreet(service->log, shown, delay_us, stream_input(&session->stream));
        answer_early_talker(session);
        break;
    case STREAM_CANCELLED:
        if (session->end == SESSION_GOES_ON)
            session->end = SESSION_WAS_STOPPED;
        break;
    case STREAM_END:
    case STREAM_FAILED:
    case STREAM_FULL:
        maillog_hangup(service->log, shown, delay_us);
        session->end = SESSION_IS_LOST;
        break;
    }
}

bool session_wait_before_greeting(struct smtpsession *session)
{
    const struct smtpsession_service *service = session->service;
    const struct smtpsession_settings *settings = &service->settings;
    const struct log_peer shown = {
        .name = session->peer.name, .address = session->peer.address, .port = session->port};
    if (settings->greet_wait_ms == 0 || session->address.family == IP_FAMILY_NONE ||
        (settings->greet_exceptions &&
         client_list_has(settings->greet_exceptions, session->peer.name, &session->address)))
        return true;
    if (is_known(session)) {
        maillog_screen_pass(service->log, &shown, false);
        return true;
    }
    if (settings->greet_banner.length) {
        struct buffer *output = &session->stream.output;
        buffer_append_string(output, "220-");
        buffer_append_span(output, settings->greet_banner);
        buffer_append_string(output, "\r\n");
        session_flush(session);
    }
    if (session->end == SESSION_GOES_ON)
        watch(session, &shown);
    return session->end == SESSION_GOES_ON;
}
