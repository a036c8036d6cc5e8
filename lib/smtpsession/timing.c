/* smtpsession/timing - when a user's message is to go, by when it is to arrive, and before which
 * others: FUTURERELEASE (RFC 4865), DELIVERBY (RFC 2852) and MT-PRIORITY (RFC 6710).
 * See session_private.h. */
#include "base/ascii.h"
#include "smtp/date.h"
#include "smtpsession/session_private.h"

enum { MICROSECONDS_PER_SECOND = 1000000, OFFER_MAX_BYTES = 128 };

static int64_t now_s(void)
{
    return (int64_t)(clock_realtime_us() / MICROSECONDS_PER_SECOND);
}

void session_offer_timing(const struct smtpsession *session, struct buffer *reply)
{
    const struct smtpsession_submission *rules = &session->service->settings.submission;
    if (rules->hold_max_s > 0 && session_offers(session, SPAN("FUTURERELEASE"))) {
        buffer_append_format(reply, "\nFUTURERELEASE %lld ", (long long)rules->hold_max_s);
        smtp_timestamp_append(reply, now_s() + rules->hold_max_s);
    }
    if (rules->has_deliver_by && session_offers(session, SPAN("DELIVERBY"))) {
        buffer_append_string(reply, "\nDELIVERBY");
        if (rules->deliver_by_min_s > 0)
            buffer_append_format(reply, " %lld", (long long)rules->deliver_by_min_s);
    }
    if (rules->has_priority && session_offers(session, SPAN("MT-PRIORITY")))
        buffer_append_string(reply, "\nMT-PRIORITY");
}

/* What was not offered; NULL: nothing of that kind. */
static const char *find_missing(const struct smtpsession *session,
                                const struct smtp_parameters *parameters)
{
    const struct smtpsession_submission *rules = &session->service->settings.submission;
    if (parameters->hold != SMTP_HOLD_NONE &&
        (rules->hold_max_s == 0 || !session_offers(session, SPAN("FUTURERELEASE"))))
        return "FUTURERELEASE";
    if (parameters->by_mode != SMTP_BY_NONE &&
        (!rules->has_deliver_by || !session_offers(session, SPAN("DELIVERBY"))))
        return "DELIVERBY";
    if (parameters->has_priority &&
        (!rules->has_priority || !session_offers(session, SPAN("MT-PRIORITY"))))
        return "MT-PRIORITY";
    if (parameters->has_auth && !session_offers_auth(session))
        return "AUTH";
    return NULL;
}

static bool refuse(struct smtpsession *session, const char *text)
{
    session_reply(session, 501, 5, 4, "%s", text);
    return false;
}

/* When it may go: *release_s is 0 for at once. */
static bool take_hold(struct smtpsession *session, const struct smtp_parameters *parameters,
                      int64_t *release_s)
{
    const int64_t limit_s = session->service->settings.submission.hold_max_s;
    const int64_t present_s = now_s();
    *release_s = 0;
    if (parameters->hold == SMTP_HOLD_FOR)
        *release_s = present_s + parameters->hold_time_s;
    else if (parameters->hold == SMTP_HOLD_UNTIL)
        *release_s = parameters->hold_time_s;
    return *release_s <= present_s + limit_s ||
           refuse(session, "Error: held for longer than FUTURERELEASE says");
}

static bool take_deliver_by(struct smtpsession *session, const struct smtp_parameters *parameters,
                            int64_t release_s)
{
    const struct smtpsession_submission *rules = &session->service->settings.submission;
    if (parameters->by_mode == SMTP_BY_NONE)
        return true;
    /* RFC 4865 section 5.2.2. */
    if (release_s > now_s() + parameters->by_time_s)
        return refuse(session, "Error: released only after it is to be delivered");
    if (parameters->by_mode == SMTP_BY_RETURN && parameters->by_time_s < rules->deliver_by_min_s)
        return refuse(session, "Error: sooner than DELIVERBY says");
    return true;
}

bool session_takes_timing(struct smtpsession *session, const struct smtp_parameters *parameters)
{
    int64_t release_s;
    const char *missing = find_missing(session, parameters);
    if (missing) {
        session_reply(session, 555, 5, 4, "Unsupported option: %s is not offered", missing);
        return false;
    }
    return take_hold(session, parameters, &release_s) &&
           take_deliver_by(session, parameters, release_s);
}

/* xtext (RFC 3461 section 4), which was checked. */
static struct span decode_xtext(struct arena *arena, struct span text)
{
    uint8_t *decoded = arena_alloc(arena, text.length);
    size_t length = 0;
    if (!decoded)
        return span_empty();
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] == '+' && i + 2 < text.length) {
            decoded[length++] = (uint8_t)(ascii_hex_value(text.bytes[i + 1]) << 4 |
                                          ascii_hex_value(text.bytes[i + 2]));
            i += 2;
        } else {
            decoded[length++] = text.bytes[i];
        }
    return span_of(decoded, length);
}

static struct span or_empty(struct span text)
{
    return text.bytes ? text : span_empty();
}

int session_take_timing(struct smtpsession *session)
{
    struct session_transaction *transaction = &session->transaction;
    const struct smtp_parameters *parameters = &transaction->parameters;
    struct session_timing *timing = &transaction->timing;
    struct arena *arena = &session->transaction_arena;
    const uint64_t now_us = clock_realtime_us();
    const int limit = session->service->settings.submission.priority_max;
    if (parameters->hold == SMTP_HOLD_FOR)
        timing->release_us = now_us + (uint64_t)parameters->hold_time_s * MICROSECONDS_PER_SECOND;
    else if (parameters->hold == SMTP_HOLD_UNTIL)
        timing->release_us = (uint64_t)parameters->hold_time_s * MICROSECONDS_PER_SECOND;
    timing->release_request =
        parameters->hold == SMTP_HOLD_NONE
            ? span_empty()
            : or_empty(arena_format(arena, "%s;%.*s",
                                    parameters->hold == SMTP_HOLD_FOR ? "for" : "until",
                                    SPAN_PRINTF(parameters->hold_value)));
    if (parameters->by_mode != SMTP_BY_NONE)
        timing->deliver_by_us =
            now_us + (uint64_t)(parameters->by_time_s * MICROSECONDS_PER_SECOND);
    timing->priority = parameters->priority < limit ? parameters->priority : limit;
    /* RFC 4954 section 5: what somebody says who is not trusted to say it counts as "<>". */
    timing->sasl_sender = parameters->has_auth && session->sasl.method.length &&
                                  !span_equals(parameters->auth, SPAN("<>"))
                              ? decode_xtext(arena, parameters->auth)
                              : span_empty();
    session->sasl.sender = timing->sasl_sender;
    return timing->priority;
}

void session_fill_timing(const struct smtpsession *session, struct queue_envelope *envelope)
{
    const struct session_transaction *transaction = &session->transaction;
    const struct smtp_parameters *parameters = &transaction->parameters;
    const struct session_timing *timing = &transaction->timing;
    envelope->release_us = timing->release_us;
    envelope->release_request = timing->release_request;
    envelope->deliver_by_us = timing->deliver_by_us;
    envelope->deliver_by = parameters->by_mode == SMTP_BY_RETURN   ? QUEUE_DELIVER_BY_RETURN
                           : parameters->by_mode == SMTP_BY_NOTIFY ? QUEUE_DELIVER_BY_NOTIFY
                                                                   : QUEUE_DELIVER_BY_NONE;
    envelope->traces_deliver_by = parameters->has_by_trace;
    if (parameters->has_priority)
        envelope->priority = (uint8_t)(QUEUE_PRIORITY_NORMAL + timing->priority);
    envelope->sasl_method = or_empty(session->sasl.method);
    envelope->sasl_username = or_empty(session->sasl.username);
    envelope->sasl_sender = or_empty(timing->sasl_sender);
}
