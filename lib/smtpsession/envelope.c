/* smtpsession/envelope - MAIL, RCPT and VRFY: who sends to whom, and whether that may be.
 * See session_private.h. */
#include "smtpsession/session_private.h"

#include <limits.h>
#include <stdio.h>

#include "address/idn.h"
#include "address/verp.h"
#include "base/ascii.h"
#include "intake/recipients.h"

/* How long a client waits for qmgr to be replaced before it is asked to come back. */
enum { QUEUE_PATIENCE_MS = 5000, REPLY_BAD_SYNTAX = 501 };

enum {
    LIST_MAX_BYTES = 16 << 20, /* of all that one recipient stands for */
    AHEAD_BYTES_EACH = 4096,   /* of an address that is asked about ahead */
    RECIPIENTS_BEFORE_YIELD = 32
};

static unsigned address_rules(const struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    unsigned rules = ADDRESS_LENIENT;
    /* What strict_rfc821_envelopes takes away in Postfix, and no more. */
    if (settings->has_strict_envelopes)
        rules &= ~(unsigned)ADDRESS_ALLOW_NO_BRACKETS;
    if (settings->has_smtputf8)
        rules |= ADDRESS_ALLOW_UTF8;
    return rules;
}

static bool refuse_for_memory(struct smtpsession *session)
{
    session_reply(session, 452, 3, 1, "Insufficient system resources");
    return false;
}

static void refuse_parameter(struct smtpsession *session, const struct outcome *refusal,
                             struct span word)
{
    session_reply(session, refusal->reply_code, refusal->status.subject, refusal->status.detail,
                  "%.*s%.*s", SPAN_PRINTF(refusal->reason), SPAN_PRINTF(word));
}

/* An address with more than ASCII in it: was SMTPUTF8 asked for, where that matters (RFC 6531
 * section 3.4), and has its domain an equivalent in DNS (section 3.2)? */
static bool takes_utf8_address(struct smtpsession *session, const struct mailbox *mailbox,
                               bool has_smtputf8, bool is_reverse)
{
    struct span ascii;
    if (!mailbox->needs_smtputf8)
        return true;
    if (session->service->settings.has_strict_smtputf8 && !has_smtputf8) {
        session_reply(session, 553, 6, 7, "Must declare SMTPUTF8 to send unicode address");
        return false;
    }
    if (address_domain_to_ascii(mailbox->domain, &session->transaction_arena, &ascii) != PARSE_OK) {
        session_reply(session, 501, 1, is_reverse ? 7 : 3, "Bad %s address syntax",
                      is_reverse ? "sender" : "recipient");
        return false;
    }
    session->transaction.has_utf8_address = true;
    return true;
}

/* "FROM:" or "TO:" and a path. The argument is copied first: what is accepted must outlive the
 * line. False when a refusal was answered. */
static bool take_path(struct smtpsession *session, struct span argument, enum path_kind kind,
                      struct mailbox *mailbox, struct span *parameters)
{
    const bool is_reverse = kind == PATH_REVERSE;
    const struct span keyword = is_reverse ? SPAN("FROM:") : SPAN("TO:");
    if (!span_starts_with_ascii_nocase(argument, keyword) || argument.length == keyword.length) {
        session_reply(session, 501, 5, 4, "Syntax: %s:<address>",
                      is_reverse ? "MAIL FROM" : "RCPT TO");
        return false;
    }
    const struct span copy =
        arena_copy(&session->transaction_arena, span_after(argument, keyword.length));
    if (!copy.bytes)
        return refuse_for_memory(session);
    if (path_parse(copy, kind, address_rules(session), &session->transaction_arena, mailbox,
                   parameters) != PARSE_OK) {
        maillog_illegal_address(session->service->log, &session->peer, is_reverse ? "MAIL" : "RCPT",
                                span_trim_spaces(copy));
        session_reply(session, 501, 1, is_reverse ? 7 : 3, "Bad %s address syntax",
                      is_reverse ? "sender" : "recipient");
        return false;
    }
    return true;
}

/* What EHLO did not offer is not taken either. */
static bool takes_parameters(struct smtpsession *session, const struct smtp_parameters *parameters)
{
    const char *missing = NULL;
    if (parameters->has_dsn && !session_offers(session, SPAN("DSN")))
        missing = "DSN";
    else if (parameters->has_smtputf8 && !(session->service->settings.has_smtputf8 &&
                                           session_offers(session, SPAN("SMTPUTF8"))))
        missing = "SMTPUTF8";
    else if (parameters->has_requiretls &&
             !(session->tls && session_offers(session, SPAN("REQUIRETLS"))))
        missing = "REQUIRETLS";
    if (missing)
        session_reply(session, 555, 5, 4, "Unsupported option: %s is not offered", missing);
    return !missing;
}

/* XVERP: that there is no such parameter is said to clients that may not ask for it, whatever they
 * say. Who may need not have been offered it. */
static bool takes_verp(struct smtpsession *session, const struct smtp_parameters *parameters)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct session_transaction *transaction = &session->transaction;
    struct span keyword, delimiters = settings->verp_delimiters;
    if (parameters->verp.length == 0)
        return true;
    if (!session->may_verp) {
        session_reply(session, 555, 5, 4, "Unsupported option: %.*s",
                      SPAN_PRINTF(parameters->verp));
        return false;
    }
    if (span_find_byte(parameters->verp, '=') < parameters->verp.length)
        (void)span_split_once(parameters->verp, '=', &keyword, &delimiters);
    if (!verp_delimiters_are_valid(delimiters, settings->verp_delimiter_filter)) {
        session_reply(session, 501, 5, 4, "Error: XVERP needs two characters from %.*s",
                      SPAN_PRINTF(settings->verp_delimiter_filter));
        return false;
    }
    transaction->verp_delimiters = delimiters;
    return true;
}

static unsigned notify_flags(unsigned notify)
{
    return (notify & SMTP_NOTIFY_NEVER ? (unsigned)QUEUE_NOTIFY_NEVER : 0) |
           (notify & SMTP_NOTIFY_SUCCESS ? (unsigned)QUEUE_NOTIFY_SUCCESS : 0) |
           (notify & SMTP_NOTIFY_FAILURE ? (unsigned)QUEUE_NOTIFY_FAILURE : 0) |
           (notify & SMTP_NOTIFY_DELAY ? (unsigned)QUEUE_NOTIFY_DELAY : 0);
}

static bool take_sender(struct smtpsession *session, struct span argument,
                        struct smtp_parameters *parameters)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct span parameter_text;
    struct outcome refusal;
    struct span word;
    struct mailbox *reverse_path = &session->transaction.reverse_path;
    if (!take_path(session, argument, PATH_REVERSE, reverse_path, &parameter_text))
        return false;
    if (smtp_parameters_parse(parameter_text, SMTP_PARAMETER_MAIL, parameters, &refusal, &word) !=
        PARSE_OK) {
        refuse_parameter(session, &refusal, word);
        return false;
    }
    if (!takes_parameters(session, parameters) || !takes_verp(session, parameters) ||
        !session_takes_timing(session, parameters) ||
        !takes_utf8_address(session, reverse_path, parameters->has_smtputf8, true))
        return false;
    session->transaction.given_domain = reverse_path->domain;
    if (!address_complete(&settings->completion, reverse_path, &session->transaction_arena,
                          reverse_path)) {
        session_reply(session, 501, 1, 7, "Bad sender address syntax");
        return false;
    }
    session->transaction.has_sender = true;
    /* RFC 1870 section 6.1. */
    if (settings->message_size_limit && parameters->size_bytes > settings->message_size_limit) {
        refusal = outcome_permanent(552, 3, 4, "Message size exceeds fixed limit");
        session_refuse(session, "MAIL", &refusal, NULL);
        return false;
    }
    if (!span_is_empty(session->transaction.verp_delimiters) && mailbox_is_null(reverse_path)) {
        session_reply(session, 503, 5, 4, "Error: XVERP requires non-null sender");
        return false;
    }
    /* Room now is no promise, but no room now is an answer. */
    const int64_t patience_ms = settings->queue_timeout_ms < QUEUE_PATIENCE_MS
                                    ? settings->queue_timeout_ms
                                    : QUEUE_PATIENCE_MS;
    refusal = intake_wait_for_state(session->service->intake, clock_deadline_after(patience_ms));
    if (outcome_is_ok(&refusal) &&
        parameters->size_bytes > session->service->intake->available_bytes)
        refusal = outcome_temporary(452, 3, 1, "Insufficient system storage");
    if (!outcome_is_ok(&refusal)) {
        session_refuse(session, "MAIL", &refusal, NULL);
        return false;
    }
    return true;
}

static void log_client(struct smtpsession *session)
{
    const struct session_forwarded *forwarded = &session->transaction.forwarded;
    char address_text[IP_ADDRESS_TEXT_MAX_BYTES];
    const struct log_peer peer = {
        .name = forwarded->name,
        .address = ip_address_format(&forwarded->address, address_text),
        .port = session->service->settings.logs_client_port ? forwarded->port : 0,
    };
    const struct log_origin origin = {forwarded->ident, forwarded->has_client ? &peer : NULL};
    maillog_client(session->service->log, session_queue_id(session), &session->peer,
                   session->sasl.method.length ? &session->sasl : NULL, &origin);
}

/* The first accepted recipient takes a queue id, so that the log can name the message. */
static bool begin_message(struct smtpsession *session, const char *stage,
                          const struct mailbox *recipient)
{
    const struct smtpsession_service *service = session->service;
    struct session_transaction *transaction = &session->transaction;
    struct outcome outcome;
    if (transaction->message.is_open)
        return true;
    if (!intake_begin(service->intake, &transaction->message,
                      clock_deadline_after(service->settings.queue_timeout_ms), &outcome)) {
        session_refuse(session, stage, &outcome, recipient);
        return false;
    }
    transaction->message.needs_originals = !span_is_empty(transaction->verp_delimiters);
    log_client(session);
    return true;
}

bool session_mail(struct smtpsession *session, struct span argument)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    if ((settings->is_helo_required || settings->speaks_lmtp) && session->helo.length == 0) {
        session_reply(session, 503, 5, 1, "Error: send %s first",
                      settings->speaks_lmtp ? "LHLO" : "HELO/EHLO");
        return false;
    }
    if (!session_may_submit(session))
        return false;
    if (session->transaction.is_open) {
        session_reply(session, 503, 5, 1, "Error: nested MAIL command");
        return false;
    }
    if (!session_client_may(session, LIMIT_KIND_MESSAGE))
        return false;
    struct smtp_parameters parameters;
    if (!take_sender(session, argument, &parameters) ||
        !session_is_qualified(session, "MAIL", &session->transaction.reverse_path) ||
        !session_permits(session, "MAIL", 1U << SMTPSESSION_LIST_SENDER) ||
        !session_knows_sender(session) || !session_owns_sender(session) ||
        !session_sender_may(session, LIMIT_KIND_SENDER_MESSAGE, NULL) ||
        !session_user_may(session, LIMIT_KIND_USER_MESSAGE, NULL)) {
        session_reset_transaction(session);
        return false;
    }
    session->transaction.parameters = parameters;
    const int priority = session_take_timing(session);
    session->transaction.is_open = true;
    if (settings->opens_at_mail && !begin_message(session, "MAIL", NULL)) {
        session_reset_transaction(session);
        return false;
    }
    /* RFC 6710 section 4.1: who gets less is told. */
    if (parameters.has_priority && priority != parameters.priority)
        session_reply(session, 250, 3, 6, "%d is the highest priority here", priority);
    else
        session_reply(session, 250, 1, 0, "Ok");
    return true;
}

/* "<address>: " and the reason, as Postfix words it. */
static void refuse_recipient(struct smtpsession *session, const char *stage,
                             const struct mailbox *recipient, struct span address,
                             struct outcome outcome)
{
    outcome.reason = arena_format(&session->transaction_arena, "<%.*s>: %.*s", SPAN_PRINTF(address),
                                  SPAN_PRINTF(outcome.reason));
    if (!outcome.reason.bytes)
        outcome = outcome_temporary(452, 3, 1, "Insufficient system resources");
    session_refuse(session, stage, &outcome, recipient);
}

static const unsigned lists_before_recipients =
    1U << SMTPSESSION_LIST_CLIENT | 1U << SMTPSESSION_LIST_HELO | 1U << SMTPSESSION_LIST_SENDER;

/* The lists that are asked about a recipient. */
static unsigned recipient_lists(const struct smtpsession *session)
{
    const unsigned lists = 1U << SMTPSESSION_LIST_RELAY | 1U << SMTPSESSION_LIST_RECIPIENT;
    return session->service->settings.restrictions.delays_reject ? lists | lists_before_recipients
                                                                 : lists;
}

/* RFC 5321 section 4.5.1: everybody may write to <Postmaster>. */
static bool is_postmaster_alone(const struct mailbox *recipient)
{
    return span_is_empty(recipient->domain) &&
           span_equals_ascii_nocase(recipient->local_part, SPAN("postmaster"));
}

/* May this client send to this recipient? *verdict is filled in any case; when not, the refusal was
 * answered. That an address is none is said whoever asks; that nobody is there, or that its mail
 * goes nowhere, only to those whom the lists let pass; that the sender is nobody, to those whom the
 * lists before those about recipients let pass. */
static bool check_recipient(struct smtpsession *session, const char *stage,
                            const struct mailbox *recipient, struct arena *arena,
                            struct smtpsession_verdict *verdict)
{
    const struct smtpsession_service *service = session->service;
    struct outcome refusal;
    service->backend.check_recipient(service->backend.context, &session->ahead,
                                     session->transaction.reverse_path.text, recipient,
                                     session->transaction.recipient_count == 0, arena, verdict);
    const bool is_known = outcome_is_ok(&verdict->outcome) || verdict->is_refused ||
                          verdict->is_about_sender ||
                          (verdict->outcome.kind == OUTCOME_PERMANENT &&
                           verdict->outcome.reply_code != REPLY_BAD_SYNTAX);
    const unsigned lists =
        recipient_lists(session) & (verdict->is_about_sender ? lists_before_recipients : UINT_MAX);
    if (is_known && !is_postmaster_alone(recipient) &&
        !session_judge(session, stage, lists, recipient, verdict, &refusal)) {
        session_refuse(session, stage, &refusal, recipient);
        return false;
    }
    /* That nobody is there is no matter where nobody gets it. */
    if (outcome_is_ok(&verdict->outcome) ||
        ((verdict->outcome.kind == OUTCOME_PERMANENT || verdict->is_refused) &&
         session->transaction.actions.discards))
        return true;
    refuse_recipient(session, stage, recipient,
                     verdict->is_about_sender ? session->transaction.reverse_path.text
                                              : recipient->text,
                     verdict->outcome);
    return false;
}

/* Asks about the recipient and those whose commands have come behind it, when all that was asked
 * before has been used. Not before one was accepted: with the first the question is another.
 * Nothing is decided here, and what is odd is left to its own command. */
static void ask_ahead(struct smtpsession *session, const struct mailbox *current)
{
    const struct smtpsession_service *service = session->service;
    const struct smtpsession_settings *settings = &service->settings;
    const struct session_transaction *transaction = &session->transaction;
    const struct span keyword = SPAN("TO:");
    struct span rest = span_after(stream_input(&session->stream), session->command_bytes);
    struct span parameters;
    struct smtp_command command;
    struct mailbox recipient;
    struct arena scratch;
    size_t consumed;

    if (!service->backend.check_ahead || !table_reference_is_empty(&settings->command_filter) ||
        transaction->recipient_count == 0 || !addr_ahead_is_empty(&session->ahead))
        return;
    arena_init(&scratch, ADDR_AHEAD_MAX * AHEAD_BYTES_EACH, 0);
    for (uint32_t i = 1;
         i <= ADDR_AHEAD_MAX && transaction->recipient_count + i < settings->recipient_limit; i++) {
        if (smtp_command_parse(rest, settings->line_length_limit, session->takes_bare_lf, &command,
                               &consumed) != PARSE_OK ||
            command.verb != SMTP_VERB_RCPT)
            break;
        if (i == 1)
            service->backend.check_ahead(service->backend.context, &session->ahead,
                                         transaction->reverse_path.text, current, &scratch);
        rest = span_after(rest, consumed);
        if (span_starts_with_ascii_nocase(command.argument, keyword) &&
            path_parse(span_after(command.argument, keyword.length), PATH_FORWARD,
                       address_rules(session), &scratch, &recipient, &parameters) == PARSE_OK)
            service->backend.check_ahead(service->backend.context, &session->ahead,
                                         transaction->reverse_path.text, &recipient, &scratch);
    }
    arena_destroy(&scratch);
}

/* What is said once for all recipients. */
static bool keep_message_facts(struct session_transaction *transaction,
                               const struct queue_recipient *first, const struct mailbox *recipient,
                               const struct smtpsession_verdict *verdict, struct arena *arena)
{
    struct queue_recipient *kept = &transaction->first;
    const bool is_expanded = !span_is_empty(verdict->expansion.records);
    transaction->sole_recipient = *recipient; /* of that arena already */
    transaction->sole_verdict = (struct smtpsession_verdict){
        .outcome = outcome_ok(),
        .listed = verdict->listed,
        .is_ours = verdict->is_ours,
        .expansion = {.records = is_expanded ? recipient->text : span_empty()},
    };
    transaction->sole_verdict.listed.reason = arena_copy(arena, verdict->listed.reason);
    *kept = *first;
    kept->forward_path = arena_copy(arena, first->forward_path);
    kept->original_recipient = arena_copy(arena, first->original_recipient);
    kept->orcpt = arena_copy(arena, first->orcpt);
    transaction->new_reverse_path = arena_copy(
        arena, verdict->expansion.sender.bytes ? verdict->expansion.sender : span_empty());
    transaction->rewrites_headers = verdict->expansion.rewrites_headers;
    return kept->forward_path.bytes && kept->original_recipient.bytes && kept->orcpt.bytes &&
           transaction->new_reverse_path.bytes && transaction->sole_verdict.listed.reason.bytes;
}

static bool accept_recipient(struct smtpsession *session, const struct mailbox *recipient,
                             const struct smtp_parameters *parameters, struct arena *scratch)
{
    struct session_transaction *transaction = &session->transaction;
    struct smtpsession_verdict verdict;

    ask_ahead(session, recipient);
    if (!check_recipient(session, "RCPT", recipient, scratch, &verdict) ||
        !begin_message(session, "RCPT", recipient))
        return false;
    const struct queue_recipient accepted = {
        .forward_path = verdict.recipient,
        .original_recipient =
            span_equals(verdict.recipient, recipient->text) ? span_empty() : recipient->text,
        .orcpt = parameters->orcpt,
        .notify = (uint8_t)notify_flags(parameters->notify),
    };
    if (transaction->recipient_count == 0 &&
        !keep_message_facts(transaction, &accepted, recipient, &verdict,
                            &session->transaction_arena))
        return refuse_for_memory(session);
    if (!intake_add_expansion(&transaction->message, &accepted, &verdict.expansion)) {
        /* A part of a list may be there already: all of the message comes again. */
        transaction->has_broken_list = !span_is_empty(verdict.expansion.records);
        return refuse_for_memory(session);
    }
    transaction->recipient_count++;
    session_reply(session, 250, 1, 5, "Ok");
    /* What is known from a moment ago is answered without waiting for anybody. */
    if (transaction->recipient_count % RECIPIENTS_BEFORE_YIELD == 0)
        task_yield();
    return true;
}

/* Whoever hears of the recipient later may know ASCII alone. */
static bool take_orcpt(struct smtpsession *session, struct smtp_parameters *parameters)
{
    struct buffer ascii;
    if (ascii_is_all_ascii(parameters->orcpt))
        return true;
    buffer_init(&ascii, &session->transaction_arena, SMTP_ORCPT_MAX_BYTES);
    smtp_orcpt_append_ascii(parameters->orcpt, &ascii);
    if (!session->service->settings.has_smtputf8 || !buffer_ok(&ascii)) {
        session_reply(session, 501, 5, 4, "Error: Bad ORCPT parameter syntax");
        return false;
    }
    parameters->orcpt = buffer_span(&ascii);
    return true;
}

bool session_rcpt(struct smtpsession *session, struct span argument)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct session_transaction *transaction = &session->transaction;
    struct mailbox recipient;
    struct smtp_parameters parameters;
    struct outcome refusal;
    struct span parameter_text;
    struct span word;
    if (!transaction->is_open) {
        session_reply(session, 503, 5, 1, "Error: need MAIL command");
        return false;
    }
    if (transaction->chunks) {
        session_reply(session, 503, 5, 1, "Error: RCPT after BDAT");
        return false;
    }
    if (!session_client_may(session, LIMIT_KIND_RECIPIENT))
        return false;
    if (!take_path(session, argument, PATH_FORWARD, &recipient, &parameter_text))
        return false;
    if (session->is_unwelcome) {
        refusal = outcome_permanent(550, 5, 1, "Protocol error");
        session_refuse(session, "RCPT", &refusal, &recipient);
        return false;
    }
    if (smtp_parameters_parse(parameter_text, SMTP_PARAMETER_RCPT, &parameters, &refusal, &word) !=
        PARSE_OK) {
        refuse_parameter(session, &refusal, word);
        return false;
    }
    if (!takes_parameters(session, &parameters) || !take_orcpt(session, &parameters) ||
        !takes_utf8_address(session, &recipient, transaction->parameters.has_smtputf8, false) ||
        !session_is_qualified(session, "RCPT", &recipient))
        return false;
    if (transaction->recipient_count >= settings->recipient_limit) {
        /* RFC 5321 section 4.5.3.1.10: the client is to send these in another transaction. */
        session_reply(session, 452, 5, 3, "Error: too many recipients");
        return transaction->refused_overshoot++ < settings->recipient_overshoot_limit;
    }
    if (!session_sender_may(session, LIMIT_KIND_SENDER_RECIPIENT, &recipient) ||
        !session_user_may(session, LIMIT_KIND_USER_RECIPIENT, &recipient))
        return false;
    struct arena scratch; /* a list may be long, and is soon with qmgr */
    arena_init(&scratch, LIST_MAX_BYTES, 0);
    const bool is_accepted = accept_recipient(session, &recipient, &parameters, &scratch);
    arena_destroy(&scratch);
    return is_accepted;
}

bool session_vrfy(struct smtpsession *session, struct span argument)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct mailbox recipient;
    struct smtpsession_verdict verdict;
    struct span rest;
    if (settings->is_vrfy_disabled) {
        session_reply(session, 502, 5, 1, "VRFY command is disabled");
        return false;
    }
    if (!session_may_submit(session))
        return false;
    if (argument.length == 0) {
        session_reply(session, 501, 5, 4, "Syntax: VRFY address%s",
                      settings->has_smtputf8 ? " [SMTPUTF8]" : "");
        return false;
    }
    /* The transaction, should one be open, goes on: its arena may be used, not reset. */
    const struct span copy = arena_copy(&session->transaction_arena, argument);
    if (!copy.bytes)
        return refuse_for_memory(session);
    const bool is_parsed =
        path_parse(copy, PATH_FORWARD, address_rules(session) | (unsigned)ADDRESS_LENIENT,
                   &session->transaction_arena, &recipient, &rest) == PARSE_OK;
    /* RFC 6531 section 3.7.4.2. */
    const bool has_smtputf8 =
        is_parsed && settings->has_smtputf8 && span_equals_ascii_nocase(rest, SPAN("SMTPUTF8"));
    if (!is_parsed || (rest.length && !has_smtputf8)) {
        maillog_illegal_address(session->service->log, &session->peer, "VRFY", argument);
        session_reply(session, 501, 1, 3, "Bad recipient address syntax");
        return false;
    }
    if (!takes_utf8_address(session, &recipient, has_smtputf8, false))
        return false;
    if (!check_recipient(session, "VRFY", &recipient, &session->transaction_arena, &verdict))
        return false;
    const struct span shown =
        has_smtputf8 ? span_first(argument, argument.length - rest.length) : argument;
    session_reply(session, 252, 0, 0, "%.*s", SPAN_PRINTF(span_trim_spaces(shown)));
    return true;
}
