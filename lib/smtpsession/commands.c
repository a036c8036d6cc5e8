/* smtpsession/commands - the commands that make no mail: HELO, EHLO, RSET, NOOP, HELP, QUIT, and
 * those that are not offered. See session_private.h. */
#include "smtpsession/session_private.h"

#include <stdio.h>

#include "base/ascii.h"

enum { EHLO_REPLY_BYTES = 1024 };

bool session_is_junk_verb(enum smtp_verb verb)
{
    switch (verb) {
    case SMTP_VERB_HELO:
    case SMTP_VERB_EHLO:
    case SMTP_VERB_LHLO:
    case SMTP_VERB_RSET:
    case SMTP_VERB_NOOP:
    case SMTP_VERB_VRFY:
    case SMTP_VERB_EXPN:
    case SMTP_VERB_HELP:
    case SMTP_VERB_ETRN:
        return true;
    default:
        return false;
    }
}

bool session_is_last_in_group(const struct smtpsession *session, enum smtp_verb verb)
{
    if (session->protocol != SESSION_PROTOCOL_ESMTP && session->protocol != SESSION_PROTOCOL_LMTP)
        return verb != SMTP_VERB_BDAT && verb != SMTP_VERB_QUIT; /* it was not offered yet */
    switch (verb) {
    case SMTP_VERB_EHLO:
    case SMTP_VERB_LHLO:
    case SMTP_VERB_HELO:
    case SMTP_VERB_DATA:
    case SMTP_VERB_VRFY:
    case SMTP_VERB_EXPN:
    case SMTP_VERB_NOOP:
    case SMTP_VERB_STARTTLS:
    case SMTP_VERB_AUTH:
        return true;
    default:
        return false;
    }
}

/* The name is for the log, Received and the envelope: what could break those becomes "?". */
bool session_take_helo(struct smtpsession *session, struct span argument)
{
    if (argument.length > SESSION_HELO_MAX_BYTES)
        return false;
    /* A second name gets room for any, so that no sequence of HELOs fills memory. */
    uint8_t *bytes = session->helo_bytes;
    if (!bytes || session->helo_room_bytes < argument.length) {
        const size_t room_bytes = bytes ? SESSION_HELO_MAX_BYTES : argument.length;
        bytes = arena_alloc(&session->arena, room_bytes);
        if (!bytes)
            return false;
        session->helo_room_bytes = room_bytes;
    }
    for (size_t i = 0; i < argument.length; i++)
        bytes[i] = ascii_is_print(argument.bytes[i]) ? argument.bytes[i] : '?';
    session->helo_bytes = bytes;
    session->helo = span_of(bytes, argument.length);
    return true;
}

/* A name that was refused is none: RFC 5321 section 4.1.4 has no other consequence. */
static bool forget_helo(struct smtpsession *session)
{
    session->helo = span_empty();
    session->protocol = SESSION_PROTOCOL_NONE;
    return false;
}

static bool run_helo(struct smtpsession *session, struct span argument)
{
    if (argument.length == 0) {
        session_reply_plain(session, 501, SPAN("Syntax: HELO hostname"));
        return false;
    }
    session_reset_transaction(session);
    if (!session_take_helo(session, argument)) {
        session_reply_plain(session, 501, SPAN("Syntax: HELO hostname"));
        return false;
    }
    session->protocol = SESSION_PROTOCOL_NONE; /* until it is accepted, for the log */
    if (!session_permits(session, "HELO", 1U << SMTPSESSION_LIST_HELO))
        return forget_helo(session);
    session->protocol = SESSION_PROTOCOL_SMTP;
    session_reply_plain(session, 250, session->service->settings.server_name);
    return true;
}

bool session_offers(const struct smtpsession *session, struct span keyword)
{
    return !span_list_has(session->discarded_keywords, keyword);
}

static void offer(struct buffer *reply, const struct smtpsession *session, const char *keyword,
                  const char *argument)
{
    if (!session_offers(session, span_from_string(keyword)))
        return;
    buffer_append_byte(reply, '\n');
    buffer_append_string(reply, keyword);
    buffer_append_string(reply, argument);
}

/* EHLO, and LHLO of LMTP, which differs in its name only. */
static bool run_ehlo(struct smtpsession *session, struct span argument)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    if (argument.length)
        session_reset_transaction(session);
    if (argument.length == 0 || !session_take_helo(session, argument)) {
        session_reply_plain(session, 501,
                            settings->speaks_lmtp ? SPAN("Syntax: LHLO hostname")
                                                  : SPAN("Syntax: EHLO hostname"));
        return false;
    }
    session->protocol = SESSION_PROTOCOL_NONE; /* until it is accepted, for the log */
    if (!session_permits(session, settings->speaks_lmtp ? "LHLO" : "EHLO",
                         1U << SMTPSESSION_LIST_HELO))
        return forget_helo(session);
    session->protocol = settings->speaks_lmtp ? SESSION_PROTOCOL_LMTP : SESSION_PROTOCOL_ESMTP;

    struct buffer reply;
    char size[32] = "", limits[32];
    if (settings->message_size_limit)
        (void)snprintf(size, sizeof(size), " %llu",
                       (unsigned long long)settings->message_size_limit);
    buffer_init(&reply, NULL, EHLO_REPLY_BYTES);
    buffer_append_span(&reply, settings->server_name);
    offer(&reply, session, "PIPELINING", "");
    offer(&reply, session, "SIZE", size);
    if (!settings->is_vrfy_disabled)
        offer(&reply, session, "VRFY", "");
    if (!settings->speaks_lmtp && !settings->submission.is_on)
        offer(&reply, session, "ETRN", "");
    if (session_offers_tls(session))
        offer(&reply, session, "STARTTLS", "");
    session_offer_auth(session, &reply);
    if (session->may_verp)
        offer(&reply, session, "XVERP", "");
    if (session->may_xclient)
        offer(&reply, session, "XCLIENT",
              " NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT");
    if (session->may_xforward)
        offer(&reply, session, "XFORWARD", " NAME ADDR PROTO HELO SOURCE PORT IDENT");
    offer(&reply, session, "ENHANCEDSTATUSCODES", "");
    offer(&reply, session, "8BITMIME", "");
    offer(&reply, session, "DSN", "");
    if (settings->has_smtputf8)
        offer(&reply, session, "SMTPUTF8", "");
    if (session->tls) /* RFC 8689 section 2: what came in clear can be promised nothing */
        offer(&reply, session, "REQUIRETLS", "");
    offer(&reply, session, "CHUNKING", "");
    session_offer_timing(session, &reply);
    /* RFC 9422: only what holds for this client. */
    (void)snprintf(limits, sizeof(limits), " RCPTMAX=%u", settings->recipient_limit);
    offer(&reply, session, "LIMITS", limits);
    const bool is_made = buffer_ok(&reply);
    session_reply_plain(session, 250, is_made ? buffer_span(&reply) : settings->server_name);
    buffer_release(&reply);
    return true;
}

static bool run_rset(struct smtpsession *session, struct span argument)
{
    if (argument.length) {
        session_reply(session, 501, 5, 4, "Syntax: RSET");
        return false;
    }
    session_reset_transaction(session);
    session_reply(session, 250, 0, 0, "Ok");
    return true;
}

static bool run_help(struct smtpsession *session)
{
    session_reply(session, 214, 0, 0,
                  "HELO EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT; see RFC 5321");
    return true;
}

static bool run_quit(struct smtpsession *session)
{
    session_reply(session, 221, 0, 0, "Bye");
    session->end = SESSION_HAS_QUIT;
    return true;
}

/* The greeting of the other protocol: RFC 2033 section 4.1. */
static bool refuse_greeting(struct smtpsession *session)
{
    if (session->service->settings.speaks_lmtp)
        session_reply(session, 503, 5, 1, "Error: this is LMTP, say LHLO");
    else
        session_reply(session, 500, 5, 2, "Error: command not recognized");
    return false;
}

bool session_run_command(struct smtpsession *session, const struct smtp_command *command)
{
    const bool speaks_lmtp = session->service->settings.speaks_lmtp;
    if (session->is_denied && command->verb != SMTP_VERB_QUIT) {
        session_reply(session, 503, 7, 0, "Error: access denied for %.*s[%.*s]",
                      SPAN_PRINTF(session->peer.name), SPAN_PRINTF(session->peer.address));
        return false;
    }
    if (!session_may_before_tls(session, command->verb))
        return false;
    switch (command->verb) {
    case SMTP_VERB_HELO:
        return speaks_lmtp ? refuse_greeting(session) : run_helo(session, command->argument);
    case SMTP_VERB_EHLO:
    case SMTP_VERB_LHLO:
        return speaks_lmtp == (command->verb == SMTP_VERB_LHLO)
                   ? run_ehlo(session, command->argument)
                   : refuse_greeting(session);
    case SMTP_VERB_MAIL:
        return session_mail(session, command->argument);
    case SMTP_VERB_RCPT:
        return session_rcpt(session, command->argument);
    case SMTP_VERB_DATA:
        return session_data(session, command->argument);
    case SMTP_VERB_RSET:
        return run_rset(session, command->argument);
    case SMTP_VERB_NOOP:
        session_reply(session, 250, 0, 0, "Ok");
        return true;
    case SMTP_VERB_VRFY:
        return session_vrfy(session, command->argument);
    case SMTP_VERB_HELP:
        return run_help(session);
    case SMTP_VERB_QUIT:
        return run_quit(session);
    case SMTP_VERB_AUTH:
        return session_auth(session, command->argument);
    case SMTP_VERB_BDAT:
        return session_bdat(session, command->argument);
    case SMTP_VERB_XCLIENT:
        return session_xclient(session, command->argument);
    case SMTP_VERB_XFORWARD:
        return session_xforward(session, command->argument);
    case SMTP_VERB_ETRN:
        if (!speaks_lmtp && !session->service->settings.submission.is_on &&
            session_offers(session, SPAN("ETRN")))
            return session_etrn(session, command->argument);
        session_reply(session, 502, 5, 1, "Error: command not implemented");
        return false;
    case SMTP_VERB_STARTTLS:
        return session_starttls(session, command->argument);
    case SMTP_VERB_EXPN:
        session_reply(session, 502, 5, 1, "Error: command not implemented");
        return false;
    case SMTP_VERB_UNKNOWN:
    case SMTP_VERB_COUNT:
        break;
    }
    session_reply(session, 500, 5, 2,
                  command->name.length ? "Error: command not recognized" : "Error: bad syntax");
    return false;
}
