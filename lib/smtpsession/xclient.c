/* smtpsession/xclient - XCLIENT and XFORWARD: a proxy that is trusted speaks for the client behind
 * it. After XCLIENT the session is that client's; XFORWARD is for the log, and for whom the message
 * goes to. See session_private.h. */
#include "smtpsession/attributes.h"
#include "smtpsession/session_private.h"
#include "tls/server.h"

/* What both commands want, in the order in which Postfix looks. */
static bool may_say(struct smtpsession *session, const char *command, struct span argument,
                    bool is_allowed)
{
    if (session->transaction.is_open)
        session_reply(session, 503, 5, 1, "Error: MAIL transaction in progress");
    else if (argument.length == 0)
        session_reply(session, 501, 5, 4, "Syntax: %s attribute=value...", command);
    else if (!is_allowed)
        session_reply(session, 550, 7, 0, "Error: insufficient authorization");
    else
        return true;
    return false;
}

static bool parse(struct smtpsession *session, struct span argument, unsigned allowed,
                  struct session_attributes *attributes)
{
    struct outcome refusal;
    if (session_attributes_parse(argument, allowed, &session->transaction_arena, attributes,
                                 &refusal) == PARSE_OK)
        return true;
    session_reply_outcome(session, &refusal);
    return false;
}

/* The session's own arena starts over, so that no number of XCLIENTs fills it. */
static bool become(struct smtpsession *session, const struct session_attributes *given)
{
    const bool has_helo =
        session_attributes_has(given, SESSION_ATTRIBUTE_HELO) && given->helo.length > 0;
    /* What stays is saved from the arena that goes. */
    const struct span name =
        session_attributes_has(given, SESSION_ATTRIBUTE_NAME)
            ? given->name
            : arena_copy(&session->transaction_arena,
                         session->has_name ? session->peer.name : span_empty());
    /* A login is of whoever was there before: the proxy, or another of its clients. */
    const struct span login =
        session_attributes_has(given, SESSION_ATTRIBUTE_LOGIN) ? given->login : span_empty();
    if (!name.bytes)
        return false;
    arena_reset(&session->arena);
    if (session->tls) /* what the proxy's certificate permits it permits the proxy */
        tls_session_forget_certificate(session->tls);
    session->helo = span_empty();
    session->helo_bytes = NULL;
    session->sasl = (struct log_sasl){.username = arena_copy(&session->arena, login)};
    if (login.length)
        session->sasl.method = SPAN("XCLIENT");
    session->has_name = name.length > 0;
    session->peer.name = session->has_name ? arena_copy(&session->arena, name) : SPAN("unknown");
    if (session_attributes_has(given, SESSION_ATTRIBUTE_ADDR))
        session->address = given->address;
    if (session_attributes_has(given, SESSION_ATTRIBUTE_PORT))
        session->port = given->port;
    session->protocol = SESSION_PROTOCOL_NONE;
    if (session_attributes_has(given, SESSION_ATTRIBUTE_PROTO))
        session->protocol = span_equals_ascii_nocase(given->protocol, SPAN("ESMTP"))
                                ? SESSION_PROTOCOL_ESMTP
                                : SESSION_PROTOCOL_SMTP;
    session_judge_client(session);
    return session->peer.name.bytes && session->sasl.username.bytes &&
           (!has_helo || session_take_helo(session, given->helo));
}

bool session_xclient(struct smtpsession *session, struct span argument)
{
    struct session_attributes given;
    if (!may_say(session, "XCLIENT", argument, session->may_xclient) ||
        !parse(session, argument, SESSION_XCLIENT_ATTRIBUTES, &given))
        return false;
    const bool is_done = become(session, &given);
    session_reset_transaction(session);
    if (!is_done) {
        /* Half somebody else: nothing may be done in either's name. */
        session_reply(session, 421, 3, 1, "Insufficient system resources");
        session->end = SESSION_HAS_QUIT;
        return false;
    }
    if (!session_client_arrived(session))
        return false;
    session_welcome(session);
    return !session->is_denied;
}

bool session_xforward(struct smtpsession *session, struct span argument)
{
    struct session_forwarded *forwarded = &session->transaction.forwarded;
    struct session_attributes given;
    if (!may_say(session, "XFORWARD", argument, session->may_xforward) ||
        !parse(session, argument, SESSION_XFORWARD_ATTRIBUTES, &given))
        return false;
    const unsigned ident = 1U << SESSION_ATTRIBUTE_IDENT;
    if (session_attributes_has(&given, SESSION_ATTRIBUTE_IDENT))
        forwarded->ident = given.ident;
    if (given.given & ~ident)
        forwarded->has_client = true;
    if (session_attributes_has(&given, SESSION_ATTRIBUTE_NAME))
        forwarded->name = given.name;
    if (session_attributes_has(&given, SESSION_ATTRIBUTE_ADDR))
        forwarded->address = given.address;
    if (session_attributes_has(&given, SESSION_ATTRIBUTE_PORT))
        forwarded->port = given.port;
    if (session_attributes_has(&given, SESSION_ATTRIBUTE_PROTO))
        forwarded->protocol = given.protocol;
    if (session_attributes_has(&given, SESSION_ATTRIBUTE_HELO))
        forwarded->helo = given.helo;
    if (session_attributes_has(&given, SESSION_ATTRIBUTE_SOURCE)) {
        forwarded->has_source = true;
        forwarded->is_source_local = given.is_source_local;
    }
    session_reply(session, 250, 0, 0, "Ok");
    return true;
}
