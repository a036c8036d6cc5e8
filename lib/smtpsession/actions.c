/* smtpsession/actions - what tables in lists of restrictions want done with a message that they let
 * pass: HOLD, DISCARD, FILTER, REDIRECT, BCC and PREPEND (access(5) of Postfix). It is noted when a
 * list is asked, logged, and carried out when the message is committed. See judge.h. */
#include <string.h>

#include "base/ascii.h"
#include "intake/recipients.h"
#include "smtp/header.h"
#include "smtpsession/judge.h"
#include "smtpsession/reception.h"

enum { SHOWN_BYTES = 100 };

struct action {
    struct judge *judge;
    const struct restriction *item;
    const struct judge_subject *about;
    struct span word;
    struct span text;
};

static void complain(const struct action *action, const char *what)
{
    maillog_text(action->judge->session->service->log, LOG_LEVEL_WARNING, span_empty(),
                 "access table %.*s: entry \"%.*s %.*s\" %s",
                 SPAN_PRINTF(action->item->table.names), SPAN_PRINTF(action->word),
                 SPAN_PRINTF(span_first(action->text, SHOWN_BYTES)), what);
}

/* The line that tells what has been decided: "<name>: class triggers WORD action". */
static void log_action(const struct action *action, const char *name, struct span what)
{
    struct judge *judge = action->judge;
    const struct span line =
        arena_format(&judge->session->transaction_arena, "<%.*s>: %s %.*s",
                     SPAN_PRINTF(action->about->name), action->about->class, SPAN_PRINTF(what));
    if (line.bytes)
        judge_log(judge, name, line);
}

static void log_text_or(const struct action *action, const char *name, const char *otherwise)
{
    log_action(action, name,
               span_is_empty(action->text) ? span_from_string(otherwise) : action->text);
}

static void log_value(const struct action *action, const char *name, const char *word)
{
    const struct span what = arena_format(&action->judge->session->transaction_arena,
                                          "triggers %s %.*s", word, SPAN_PRINTF(action->text));
    if (what.bytes)
        log_action(action, name, what);
}

static enum judge_ruling refuse_for_memory(struct judge *judge)
{
    judge->only_warns = false;
    return judge_refuse_as(judge, outcome_temporary(452, 3, 1, "Insufficient system resources"));
}

/* A value that asks for something and does not say what: mail is not to pass as if it had not. */
static enum judge_ruling refuse_value(const struct action *action, const char *what)
{
    complain(action, what);
    return judge_fail_configuration(action->judge);
}

/* What was said before for another recipient is not said twice. */
static enum judge_ruling keep_text(struct judge *judge, struct session_text **list,
                                   struct span text)
{
    struct arena *arena = &judge->session->transaction_arena;
    for (; *list; list = &(*list)->next)
        if (span_equals((*list)->text, text))
            return JUDGE_GOES_ON;
    struct session_text *kept = arena_alloc(arena, sizeof(*kept));
    if (!kept)
        return refuse_for_memory(judge);
    *kept = (struct session_text){.next = NULL, .text = arena_copy(arena, text)};
    if (!kept->text.bytes)
        return refuse_for_memory(judge);
    *list = kept;
    return JUDGE_GOES_ON;
}

/* user@domain, with a domain that is complete. */
static bool take_address(const struct action *action, struct span *address)
{
    struct smtpsession *session = action->judge->session;
    struct arena *arena = &session->transaction_arena;
    struct mailbox mailbox;
    if (mailbox_parse(action->text, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &mailbox) !=
            PARSE_OK ||
        span_is_empty(mailbox.domain) ||
        !address_complete(&session->service->settings.completion, &mailbox, arena, &mailbox))
        return false;
    session->transaction.has_utf8_address |= mailbox.needs_smtputf8;
    *address = mailbox.text;
    return true;
}

/* ---- the actions ---- */

static enum judge_ruling hold(const struct action *action)
{
    log_text_or(action, "hold", "triggers HOLD action");
    action->judge->session->transaction.actions.holds = true;
    return JUDGE_GOES_ON;
}

static enum judge_ruling discard(const struct action *action)
{
    log_text_or(action, "discard", "triggers DISCARD action");
    action->judge->session->transaction.actions.discards = true;
    return JUDGE_PERMITS;
}

static enum judge_ruling filter(const struct action *action)
{
    struct judge *judge = action->judge;
    struct session_actions *actions = &judge->session->transaction.actions;
    const size_t colon = span_find_byte(action->text, ':');
    if (colon == 0 || colon >= action->text.length || action->text.length > QUEUE_TEXT_MAX_BYTES)
        return refuse_value(action, "requires transport:destination");
    log_value(action, "filter", "FILTER");
    if (span_equals(actions->filter, action->text))
        return JUDGE_GOES_ON;
    actions->filter = arena_copy(&judge->session->transaction_arena, action->text);
    return actions->filter.bytes ? JUDGE_GOES_ON : refuse_for_memory(judge);
}

static enum judge_ruling redirect(const struct action *action)
{
    struct span address;
    if (!take_address(action, &address))
        return refuse_value(action, "requires user@domain target");
    log_value(action, "redirect", "REDIRECT");
    action->judge->session->transaction.actions.redirect = address;
    return JUDGE_GOES_ON;
}

static enum judge_ruling copy(const struct action *action)
{
    struct span address;
    if (!take_address(action, &address))
        return refuse_value(action, "requires user@domain target");
    log_value(action, "bcc", "BCC");
    return keep_text(action->judge, &action->judge->session->transaction.actions.copies, address);
}

/* One line of text behind a name of printable characters: RFC 5322 section 2.2. */
static bool is_header(struct span text)
{
    const size_t colon = span_find_byte(text, ':');
    if (colon == 0 || colon >= text.length)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        const bool is_text = byte == '\t' || byte >= 0x80 || ascii_is_print(byte);
        if (!is_text || (i < colon && (byte >= 0x80 || byte == ' ' || byte == '\t')))
            return false;
    }
    return true;
}

static enum judge_ruling prepend(const struct action *action)
{
    if (!is_header(action->text))
        return refuse_value(action, "requires header: text");
    log_value(action, "prepend", "PREPEND");
    return keep_text(action->judge, &action->judge->session->transaction.actions.prepended,
                     action->text);
}

/* ---- which one ---- */

static const struct {
    struct span word;
    enum judge_ruling (*take)(const struct action *action);
} rows[] = {
    {SPAN_LITERAL("BCC"), copy},        {SPAN_LITERAL("DISCARD"), discard},
    {SPAN_LITERAL("FILTER"), filter},   {SPAN_LITERAL("HOLD"), hold},
    {SPAN_LITERAL("PREPEND"), prepend}, {SPAN_LITERAL("REDIRECT"), redirect},
};

/* Before MAIL there is no message, and VRFY asks about none. */
static bool is_about_message(const struct action *action)
{
    const struct judge *judge = action->judge;
    const struct smtpsession *session = judge->session;
    if (!session->service->settings.restrictions.delays_reject &&
        (judge->list == SMTPSESSION_LIST_CLIENT || judge->list == SMTPSESSION_LIST_HELO)) {
        complain(action, "is skipped in lists about clients and HELO with smtpd_delay_reject = no");
        return false;
    }
    return session->transaction.has_sender && strcmp(judge->stage, "VRFY") != 0;
}

bool judge_action(struct judge *judge, const struct restriction *item,
                  const struct judge_subject *about, struct span word, struct span text,
                  enum judge_ruling *ruling)
{
    const struct action action = {judge, item, about, word, text};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (span_equals_ascii_nocase(word, rows[i].word)) {
            *ruling = is_about_message(&action) ? rows[i].take(&action) : JUDGE_GOES_ON;
            return true;
        }
    return false;
}

/* ---- carried out ---- */

/* On top of everything, Received as well. */
static void prepend_fields(struct reception *reception, const struct session_text *fields)
{
    struct smtp_content_facts seen;
    struct buffer block;
    size_t added = 0;
    for (const struct session_text *field = fields; field; field = field->next)
        added += field->text.length + 2;
    buffer_init(&block, NULL, reception->header.limit + added);
    for (const struct session_text *field = fields; field; field = field->next) {
        buffer_append_span(&block, field->text);
        buffer_append_string(&block, "\r\n");
    }
    smtp_content_facts_init(&seen);
    smtp_content_facts_add(&seen, buffer_span(&block));
    if (seen.longest_line_bytes > reception->facts.longest_line_bytes)
        reception->facts.longest_line_bytes = seen.longest_line_bytes;
    reception->facts.has_8bit_header |= !ascii_is_all_ascii(buffer_span(&block));
    reception->received_bytes += added;
    buffer_append_span(&block, buffer_span(&reception->header));
    buffer_release(&reception->header);
    reception->header = block;
}

/* Nobody is told what became of a copy that nobody asked for. */
static struct outcome add_copy(struct smtpsession *session, struct span address)
{
    const struct smtpsession_service *service = session->service;
    struct addr_client *addr = service->backend.addr;
    struct intake_message *message = &session->transaction.message;
    const struct queue_recipient named = {.forward_path = address,
                                          .original_recipient = span_empty(),
                                          .orcpt = span_empty(),
                                          .notify = QUEUE_NOTIFY_NEVER};
    struct addr_expansion expansion;
    if (addr)
        return intake_expand_recipient(
            message, addr, &named, session->transaction.reverse_path.text,
            service->settings.maps_no_addresses ? (unsigned)ADDR_EXPAND_NOTHING : 0,
            &session->transaction_arena, clock_deadline_after(service->settings.queue_timeout_ms),
            &expansion);
    return intake_add_recipient(message, &named)
               ? outcome_ok()
               : outcome_temporary(452, 3, 1, "Insufficient system resources");
}

static struct outcome redirect_message(struct session_transaction *transaction)
{
    struct queue_recipient recipient = transaction->first;
    const struct span address = transaction->actions.redirect;
    if (!span_is_empty(recipient.original_recipient))
        recipient.forward_path = recipient.original_recipient;
    recipient.original_recipient =
        span_equals(recipient.forward_path, address) ? span_empty() : recipient.forward_path;
    recipient.forward_path = address;
    return intake_replace_recipients(&transaction->message, &recipient)
               ? outcome_ok()
               : outcome_temporary(452, 3, 1, "Insufficient system resources");
}

struct outcome session_carry_out_actions(struct smtpsession *session, struct reception *reception)
{
    struct session_transaction *transaction = &session->transaction;
    const struct session_actions *actions = &transaction->actions;
    struct outcome outcome = outcome_ok();
    if (actions->prepended)
        prepend_fields(reception, actions->prepended);
    if (!buffer_ok(&reception->header))
        return outcome_temporary(452, 3, 1, "Insufficient system resources");
    if (!span_is_empty(actions->redirect))
        return redirect_message(transaction); /* whoever else was to have it */
    for (const struct session_text *copied = actions->copies; copied && outcome_is_ok(&outcome);
         copied = copied->next)
        outcome = add_copy(session, copied->text);
    return outcome;
}
