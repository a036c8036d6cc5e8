/* smtpsession/submission - what is asked of users and not of other servers (RFC 6409): a login, an
 * address that belongs to it, a bounded amount of mail. See session_private.h. */
#include "smtp/address_field.h"
#include "smtp/header.h"
#include "smtpsession/judge.h"
#include "system/task.h"

enum { ADDRESS_ARENA_BYTES = 16384, LOOKUPS_BETWEEN_YIELDS = 16 };

bool session_may_submit(struct smtpsession *session)
{
    if (!session->service->settings.submission.is_on || session->sasl.method.length)
        return true;
    /* RFC 4954 section 6. */
    session_reply(session, 530, 7, 0, "Authentication required");
    return false;
}

/* Nobody else could answer it (RFC 6409 section 4.2). */
static struct outcome refuse_unqualified(struct smtpsession *session, const char *what,
                                         uint16_t detail, struct span text)
{
    struct outcome refusal = outcome_permanent(554, 1, detail, "need fully-qualified address");
    const struct span reason =
        arena_format(&session->transaction_arena, "<%.*s>: %s rejected: %.*s", SPAN_PRINTF(text),
                     what, SPAN_PRINTF(refusal.reason));
    if (reason.bytes)
        refusal.reason = reason;
    return refusal;
}

bool session_is_qualified(struct smtpsession *session, const char *command,
                          const struct mailbox *address)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const bool is_sender = address == &session->transaction.reverse_path;
    struct mailbox complete;
    if (!settings->submission.is_on || mailbox_is_null(address) ||
        !address_complete(&settings->completion, address, &session->transaction_arena,
                          &complete) || /* which others say better */
        judge_is_qualified(complete.domain))
        return true;
    /* RFC 3463: X.1.8, X.1.2. */
    const struct outcome refusal =
        refuse_unqualified(session, is_sender ? "Sender address" : "Recipient address",
                           is_sender ? 8 : 2, address->text);
    session_refuse(session, command, &refusal, is_sender ? NULL : address);
    return false;
}

static bool has_qualified(struct smtpsession *session, struct span value, struct outcome *refusal)
{
    struct smtp_field_address address;
    struct mailbox mailbox;
    struct arena scratch; /* for one address at a time: there may be many */
    size_t at = 0;
    bool is_qualified = true;
    arena_init(&scratch, ADDRESS_ARENA_BYTES, 0);
    while (is_qualified && smtp_address_field_next(value, &at, &scratch, &address)) {
        is_qualified = mailbox_parse(address.text, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, &scratch,
                                     &mailbox) != PARSE_OK ||
                       mailbox_is_null(&mailbox) || judge_is_qualified(mailbox.domain);
        if (!is_qualified)
            *refusal = refuse_unqualified(session, "Header address", 0, mailbox.text);
        arena_reset(&scratch);
    }
    arena_destroy(&scratch);
    return is_qualified;
}

bool session_header_is_qualified(struct smtpsession *session, struct span header,
                                 struct outcome *refusal)
{
    struct smtp_header_field field;
    if (!session->service->settings.submission.is_on)
        return true;
    while (smtp_header_next(&header, &field))
        if (smtp_address_field_kind(field.name) != SMTP_ADDRESS_FIELD_NONE &&
            !has_qualified(session, field.value, refusal))
            return false;
    return true;
}

bool session_owns_sender(struct smtpsession *session)
{
    struct outcome refusal;
    if (!session->service->settings.submission.is_on ||
        judge_login(session, "MAIL", &session->transaction.reverse_path, &refusal))
        return true;
    session_refuse(session, "MAIL", &refusal, NULL);
    return false;
}

bool session_user_may(struct smtpsession *session, enum limit_kind kind,
                      const struct mailbox *recipient)
{
    const struct smtpsession_service *service = session->service;
    const struct smtpsession_submission *rules = &service->settings.submission;
    const bool is_message = kind == LIMIT_KIND_USER_MESSAGE;
    const uint32_t limit = is_message ? rules->user_message_rate : rules->user_recipient_rate;
    struct limit_answer answer;
    if (limit == 0 || !service->limits || span_is_empty(session->sasl.username))
        return true;
    limit_count(service->limits, kind, session->sasl.username, 1, rules->user_window_s, &answer);
    if (!answer.is_known || answer.count <= limit)
        return true;
    struct outcome refusal =
        outcome_temporary(450, 7, 1, is_message ? "too much mail" : "too many recipients");
    const struct span reason =
        arena_format(&session->transaction_arena, "<%.*s>: User rejected: %.*s",
                     SPAN_PRINTF(session->sasl.username), SPAN_PRINTF(refusal.reason));
    if (reason.bytes)
        refusal.reason = reason;
    session_refuse(session, recipient ? "RCPT" : "MAIL", &refusal, recipient);
    return false;
}

/* All of them: one stranger beside one's own name would make it look like a stranger's mail. So
 * would what is no address by the rules, and is one to programs that show it. */
static bool owns_all(struct smtpsession *session, struct span value, struct outcome *refusal)
{
    struct smtp_address_list list;
    struct smtp_address_entry entry;
    struct mailbox author;
    struct arena scratch; /* for one address at a time: there may be many */
    bool is_owned = true;
    size_t count = 0;
    smtp_address_list_init(&list, value);
    list.takes_odd_names = true;
    arena_init(&scratch, ADDRESS_ARENA_BYTES, 0);
    while (is_owned && smtp_address_list_next(&list, &scratch, &entry)) {
        /* Tables that this process holds answer without a wait: others have theirs here. */
        if (++count % LOOKUPS_BETWEEN_YIELDS == 0)
            task_yield();
        const bool is_read =
            entry.is_address &&
            mailbox_parse(entry.text, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, &scratch, &author) ==
                PARSE_OK &&
            address_complete(&session->service->settings.completion, &author, &scratch, &author);
        if (!is_read)
            *refusal = outcome_permanent(550, 7, 1, "Error: a From address cannot be read");
        is_owned = is_read && judge_login(session, "END-OF-MESSAGE", &author, refusal);
        arena_reset(&scratch);
    }
    arena_destroy(&scratch);
    return is_owned;
}

bool session_owns_from(struct smtpsession *session, struct span header, struct outcome *refusal)
{
    struct smtp_header_field field;
    const struct smtpsession_submission *rules = &session->service->settings.submission;
    if (!rules->is_on || !rules->checks_from)
        return true;
    while (smtp_header_next(&header, &field))
        if (span_equals_ascii_nocase(field.name, SPAN("From")) &&
            !owns_all(session, field.value, refusal))
            return false;
    return true;
}
