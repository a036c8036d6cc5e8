/* qmgr/steady - has the clock been set while we ran?
 * Ages of messages are differences of a clock that somebody may set: by hand, or by a time service
 * after a start with an empty battery. After such a jump nothing expires for a while: the jump may
 * be the mistake, and somebody may set the clock right. Pure. Callers: qmgr/space. */
#ifndef QMGR_STEADY_H
#define QMGR_STEADY_H

#include <stdbool.h>
#include <stdint.h>

enum { STEADY_JUMP_MS = 60 * 1000, STEADY_WAIT_MS = 3600 * 1000 };

struct steady {
    uint64_t realtime_us; /* at the last look; 0: none yet */
    int64_t boottime_ms;
    int64_t unsteady_until_ms; /* by the clock that nobody sets */
};

/* By how many milliseconds the clock was set since the last look; 0 when it only went on, or was
 * slewed a little. */
int64_t steady_look(struct steady *steady, uint64_t realtime_us, int64_t boottime_ms);
/* May an age be believed? */
bool steady_is_trusted(const struct steady *steady, int64_t boottime_ms);

#endif
