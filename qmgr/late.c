/* qmgr/late - see late.h. */
#include "late.h"

bool late_result_counts(const struct recipient *recipient, enum outcome_kind kind, bool is_its_own)
{
    if (!recipient->is_maybe_repeated && !is_its_own)
        return false;
    return recipient->stage == STAGE_UNROUTED || recipient->stage == STAGE_QUEUED ||
           (recipient->stage == STAGE_IN_FLIGHT && kind == OUTCOME_OK);
}
