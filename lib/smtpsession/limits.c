/* smtpsession/limits - how many connections, messages and recipients one client or one sender may
 * have. limitd counts, over all processes; where it is away everybody may. See session_private.h,
 * man/limitd.8. */
#include "smtpsession/session_private.h"

#include <stdio.h>

/* The client's network: what is behind the prefix length is not told apart. */
static void find_network(struct smtpsession *session)
{
    const struct smtpsession_limits *limits = &session->service->settings.limits;
    const bool is_ipv4 = session->address.family == IP_FAMILY_4;
    const unsigned prefix_bits = is_ipv4 ? limits->ipv4_prefix_bits : limits->ipv6_prefix_bits;
    const unsigned all_bits = is_ipv4 ? 32 : 128;
    struct ip_address base = session->address;
    char text[IP_ADDRESS_TEXT_MAX_BYTES];
    int length;
    for (unsigned bit = prefix_bits; bit < all_bits; bit++)
        base.bytes[bit / 8] = (uint8_t)(base.bytes[bit / 8] & ~(0x80U >> bit % 8));
    const struct span shown = ip_address_format(&base, text);
    /* A text of its own: it is what is held open until this client has left, whatever the address
     * of the session becomes. */
    if (prefix_bits < all_bits)
        length = snprintf(session->network_text, sizeof(session->network_text), "%.*s/%u",
                          SPAN_PRINTF(shown), prefix_bits);
    else
        length = snprintf(session->network_text, sizeof(session->network_text), "%.*s",
                          SPAN_PRINTF(shown));
    session->network = span_of(session->network_text, (size_t)length);
}

static bool has_client_limits(const struct smtpsession_limits *limits)
{
    return (limits->connection_count | limits->connection_rate | limits->message_rate |
            limits->recipient_rate | limits->new_tls_rate | limits->auth_rate) != 0;
}

bool session_client_arrived(struct smtpsession *session)
{
    const struct smtpsession_service *service = session->service;
    const struct smtpsession_settings *settings = &service->settings;
    const struct smtpsession_limits *limits = &settings->limits;
    struct limit_answer answer;
    session_client_left(session);
    /* Whoever may speak for others is counted as the one it speaks for. */
    session->is_limited =
        service->limits && has_client_limits(limits) && !session->may_xclient &&
        session->address.family != IP_FAMILY_NONE &&
        !(settings->limit_exceptions &&
          client_list_has(settings->limit_exceptions, session->peer.name, &session->address));
    if (!session->is_limited)
        return true;
    find_network(session);
    limit_hold_begin(service->limits, &session->connection, LIMIT_KIND_CONNECTION, session->network,
                     &answer);
    if (!answer.is_known)
        return true;
    const char *what = NULL;
    uint32_t count = answer.held_count;
    if (limits->connection_count && answer.held_count > limits->connection_count) {
        what = "Connection concurrency";
    } else if (limits->connection_rate && answer.count > limits->connection_rate) {
        what = "Connection rate";
        count = answer.count;
    }
    if (!what)
        return true;
    maillog_limit_exceeded(service->log, what, count, &session->peer, settings->service_name);
    session_reply(session, 421, 7, 0, "%.*s Error: too many connections from %.*s",
                  SPAN_PRINTF(settings->server_name), SPAN_PRINTF(session->peer.address));
    session->end = SESSION_HAS_QUIT;
    return false;
}

void session_client_left(struct smtpsession *session)
{
    if (session->service->limits)
        limit_hold_end(session->service->limits, &session->connection);
}

/* What the client hears, and the log says, in Postfix's words. */
struct event_words {
    const char *what;
    uint16_t code;
    uint16_t subject;
    uint16_t detail;
    const char *complaint;
};

static const struct event_words event_words[LIMIT_KIND_COUNT] = {
    [LIMIT_KIND_MESSAGE] = {"Message delivery request rate", 450, 7, 1, "too much mail"},
    [LIMIT_KIND_RECIPIENT] = {"Recipient address rate", 450, 7, 1, "too many recipients"},
    [LIMIT_KIND_AUTH] = {"AUTH command rate", 450, 7, 1, "too many AUTH commands"},
};

static uint32_t event_limit(const struct smtpsession_limits *limits, enum limit_kind kind)
{
    switch (kind) {
    case LIMIT_KIND_MESSAGE:
        return limits->message_rate;
    case LIMIT_KIND_RECIPIENT:
        return limits->recipient_rate;
    case LIMIT_KIND_NEW_TLS:
        return limits->new_tls_rate;
    case LIMIT_KIND_AUTH:
        return limits->auth_rate;
    case LIMIT_KIND_SENDER_MESSAGE:
        return limits->sender_message_rate;
    case LIMIT_KIND_SENDER_RECIPIENT:
        return limits->sender_recipient_rate;
    case LIMIT_KIND_NONE:
    case LIMIT_KIND_CONNECTION:
    case LIMIT_KIND_GREETING:
    case LIMIT_KIND_AUTH_ADDRESS:
    case LIMIT_KIND_AUTH_USER:
    case LIMIT_KIND_AUTH_PAIR:
    case LIMIT_KIND_AUTH_KNOWN:
    case LIMIT_KIND_USER_MESSAGE:
    case LIMIT_KIND_USER_RECIPIENT:
    case LIMIT_KIND_COUNT:
        break;
    }
    return 0;
}

bool session_client_may(struct smtpsession *session, enum limit_kind kind)
{
    const struct smtpsession_service *service = session->service;
    const struct smtpsession_settings *settings = &service->settings;
    const uint32_t limit = event_limit(&settings->limits, kind);
    const struct event_words *words = &event_words[kind];
    struct limit_answer answer;
    if (limit == 0 || !session->is_limited)
        return true;
    limit_count(service->limits, kind, session->network, 1, 0, &answer);
    if (!answer.is_known || answer.count <= limit)
        return true;
    maillog_limit_exceeded(service->log, words->what, answer.count, &session->peer,
                           settings->service_name);
    session_reply(session, words->code, words->subject, words->detail, "Error: %s from %.*s",
                  words->complaint, SPAN_PRINTF(session->peer.address));
    return false;
}

bool session_client_may_begin_tls(struct smtpsession *session, bool has_made)
{
    const struct smtpsession_service *service = session->service;
    const struct smtpsession_settings *settings = &service->settings;
    const uint32_t limit = settings->limits.new_tls_rate;
    struct limit_answer answer;
    if (limit == 0 || !session->is_limited)
        return true;
    limit_count(service->limits, LIMIT_KIND_NEW_TLS, session->network, has_made ? 1 : 0, 0,
                &answer);
    if (!answer.is_known || answer.count <= limit)
        return true;
    if (has_made) {
        maillog_limit_exceeded(service->log, "New TLS session rate", answer.count, &session->peer,
                               settings->service_name);
        return false;
    }
    struct buffer *line = maillog_begin(service->log, LOG_LEVEL_WARNING, span_empty());
    buffer_append_string(line, "Refusing STARTTLS request from ");
    maillog_put_peer(line, &session->peer);
    buffer_append_format(line, " for service %.*s", SPAN_PRINTF(settings->service_name));
    maillog_end(service->log);
    session_reply(session, 454, 7, 0, "Error: too many new TLS sessions from %.*s",
                  SPAN_PRINTF(session->peer.address));
    return false;
}

bool session_sender_may(struct smtpsession *session, enum limit_kind kind,
                        const struct mailbox *recipient)
{
    const struct smtpsession_service *service = session->service;
    const struct smtpsession_limits *limits = &service->settings.limits;
    const struct mailbox *sender = &session->transaction.reverse_path;
    const uint32_t limit = event_limit(limits, kind);
    struct limit_answer answer;
    if (limit == 0 || !service->limits || mailbox_is_null(sender))
        return true; /* reports of others have one sender, and are many */
    const struct span key = address_fold(sender, true, &session->transaction_arena);
    if (!key.bytes)
        return true;
    limit_count(service->limits, kind, key, 1, limits->sender_window_s, &answer);
    if (!answer.is_known || answer.count <= limit)
        return true;
    struct outcome refusal = outcome_temporary(
        450, 7, 1, kind == LIMIT_KIND_SENDER_MESSAGE ? "too much mail" : "too many recipients");
    const struct span reason =
        arena_format(&session->transaction_arena, "<%.*s>: Sender address rejected: %.*s",
                     SPAN_PRINTF(sender->text), SPAN_PRINTF(refusal.reason));
    if (reason.bytes)
        refusal.reason = reason;
    session_refuse(session, recipient ? "RCPT" : "MAIL", &refusal, recipient);
    return false;
}
