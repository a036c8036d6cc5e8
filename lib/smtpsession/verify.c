/* smtpsession/verify - reject_unverified_sender and reject_unverified_recipient: is mail for this
 * address taken by whoever is to get it? See session_private.h. */
#include "smtpsession/session_private.h"

bool session_is_verified(struct smtpsession *session, struct span address,
                         const struct smtpsession_unverified *settings, const char *what,
                         uint16_t detail, struct outcome *refusal, bool *is_undecided)
{
    const struct smtpsession_service *service = session->service;
    struct outcome found;
    service->backend.verify_address(service->backend.context, address, &session->transaction_arena,
                                    &found);
    if (outcome_is_ok(&found))
        return true;
    *is_undecided = found.kind != OUTCOME_PERMANENT;
    const uint16_t code =
        found.kind == OUTCOME_PERMANENT ? settings->reject_code : settings->defer_code;
    if (code < 400) /* 250: let it pass */
        return true;
    struct span reason = settings->reject_reason;
    if (span_is_empty(reason))
        reason = arena_format(&session->transaction_arena, "unverified address: %.*s",
                              SPAN_PRINTF(span_first(found.reason, 250)));
    reason = arena_format(&session->transaction_arena, "<%.*s>: %s address rejected: %.*s",
                          SPAN_PRINTF(address), what, SPAN_PRINTF(reason));
    *refusal = reason.bytes ? outcome_make(code < 500 ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT, code,
                                           1, detail, reason)
                            : outcome_temporary(452, 3, 1, "Insufficient system resources");
    return false;
}
