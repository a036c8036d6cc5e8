/* smtpsession/verify - reject_unverified_sender and reject_unverified_recipient: is mail for this
 * address taken by whoever is to get it? Asked only where the lists of restrictions have them, and
 * only of clients that nothing before them lets pass. See session_private.h. */
#include "smtpsession/session_private.h"

enum list_end { LIST_GOES_ON, LIST_PERMITS, LIST_REFUSES };

/* True where it is, or where the setting lets it pass although nobody knows. */
static bool is_verified(struct smtpsession *session, struct span address,
                        const struct smtpsession_unverified *settings, const char *what,
                        uint16_t detail, struct outcome *refusal)
{
    const struct smtpsession_service *service = session->service;
    struct outcome found;
    service->backend.verify_address(service->backend.context, address, &session->transaction_arena,
                                    &found);
    if (outcome_is_ok(&found))
        return true;
    const uint16_t code =
        found.kind == OUTCOME_PERMANENT ? settings->reject_code : settings->defer_code;
    if (code < 400) /* 250: let it pass */
        return true;
    struct span reason = settings->reject_reason;
    if (span_is_empty(reason))
        reason = arena_format(&session->transaction_arena, "unverified address: %.*s",
                              SPAN_PRINTF(span_first(found.reason, 250)));
    reason = arena_format(&session->transaction_arena, "%s address rejected: %.*s", what,
                          SPAN_PRINTF(reason));
    *refusal = reason.bytes ? outcome_make(code < 500 ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT, code,
                                           1, detail, reason)
                            : outcome_temporary(452, 3, 1, "Insufficient system resources");
    return false;
}

static enum list_end check_word(struct smtpsession *session, struct span word,
                                const struct mailbox *recipient, const struct mailbox **about,
                                struct outcome *refusal)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const struct mailbox *sender = &session->transaction.reverse_path;
    if (span_equals_ascii_nocase(word, SPAN("permit")) ||
        (span_equals_ascii_nocase(word, SPAN("permit_mynetworks")) && session->is_trusted))
        return LIST_PERMITS;
    if (recipient && span_equals_ascii_nocase(word, SPAN("reject_unverified_recipient"))) {
        *about = recipient;
        /* RFC 3463: X.1.1, X.1.7. */
        return is_verified(session, recipient->text, &settings->unverified_recipient, "Recipient",
                           1, refusal)
                   ? LIST_GOES_ON
                   : LIST_REFUSES;
    }
    if (span_equals_ascii_nocase(word, SPAN("reject_unverified_sender")) &&
        !span_is_empty(sender->text)) {
        *about = sender;
        return is_verified(session, sender->text, &settings->unverified_sender, "Sender", 7,
                           refusal)
                   ? LIST_GOES_ON
                   : LIST_REFUSES;
    }
    return LIST_GOES_ON;
}

/* Lists stand one after the other, with a semicolon between them; a permission ends its own. */
bool session_verifies(struct smtpsession *session, const struct mailbox *recipient,
                      const struct mailbox **about, struct outcome *refusal)
{
    struct span lists = session->service->settings.verify_restrictions, list, word;
    while (span_next_word(&lists, ";", &list))
        while (span_next_word(&list, ", \t\r\n", &word)) {
            const enum list_end end = check_word(session, word, recipient, about, refusal);
            if (end == LIST_REFUSES)
                return false;
            if (end == LIST_PERMITS)
                break;
        }
    return true;
}
