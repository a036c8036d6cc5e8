/* limit/load - see load.h. */
#include "limit/load.h"

enum {
    TENTHS = 10,
    STRESS_BEGINS_TENTHS = 9,
    STRESS_ENDS_TENTHS = 7,
    REPORTS_FROM_TENTHS = 5,
    STEPS = 20 /* of the capacity */
};

bool limit_load_is_stressed(bool was_stressed, uint64_t session_count, uint64_t capacity)
{
    const uint64_t tenths = was_stressed ? STRESS_ENDS_TENTHS : STRESS_BEGINS_TENTHS;
    return capacity > 0 && session_count * TENTHS >= capacity * tenths;
}

bool limit_load_is_news(uint64_t reported, uint64_t session_count, uint64_t capacity)
{
    const uint64_t step = capacity / STEPS > 0 ? capacity / STEPS : 1;
    const uint64_t difference =
        session_count > reported ? session_count - reported : reported - session_count;
    if (difference == 0)
        return false;
    if (session_count * TENTHS < capacity * REPORTS_FROM_TENTHS)
        return reported * TENTHS >= capacity * REPORTS_FROM_TENTHS;
    return difference >= step || session_count >= capacity || reported >= capacity;
}
