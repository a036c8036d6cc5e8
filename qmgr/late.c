/* qmgr/late - see late.h. */
#include "late.h"

bool late_result_counts(const struct recipient *recipient, enum outcome_kind kind, bool is_its_own)
{
    if (!recipient->has_stray_delivery && !is_its_own)
        return false;
    return recipient->stage == STAGE_UNROUTED || recipient->stage == STAGE_QUEUED ||
           (recipient->stage == STAGE_IN_FLIGHT && kind == OUTCOME_OK);
}
