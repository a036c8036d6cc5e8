/* authd/patience - see patience.h. */
#include "patience.h"

enum { STEP_MS = 1000 }; /* far beyond the difference between two hashes */

int64_t patience_answer_ms(int64_t asked_ms, int64_t now_ms, int64_t delay_ms)
{
    const int64_t first_ms = asked_ms + delay_ms;
    if (delay_ms == 0 || now_ms < asked_ms)
        return now_ms + delay_ms;
    if (now_ms <= first_ms)
        return first_ms;
    return first_ms + (now_ms - first_ms + STEP_MS - 1) / STEP_MS * STEP_MS;
}
