/* qmgr/backoff - when a deferred message is tried again. Pure: the caller supplies the clock.
 * Callers: qmgr/write, qmgr/load. Design: man/qmgr.8, section RETRIES. */
#ifndef QMGR_BACKOFF_H
#define QMGR_BACKOFF_H

#include <stdint.h>

/* The wait doubles with the message's age, as in Postfix: at least minimal, at most maximal, and up
 * to a tenth is added or taken away by jitter (0..UINT32_MAX), so that what failed together does
 * not come back together. */
uint64_t backoff_next_attempt_us(uint64_t now_us, uint64_t arrival_us, int64_t minimal_ms,
                                 int64_t maximal_ms, uint32_t jitter);

/* How long to leave a message alone that another process has locked, after so long a wait for it
 * (0: none yet). One whose agent has just been told lets go of it at once, one of an agent that an
 * earlier qmgr gave it to after a while. */
int64_t backoff_next_look_ms(int64_t waited_ms);

#endif
