/* system/clock - what time it is. Deadlines are on the monotonic clock, in milliseconds. */
#ifndef SYSTEM_CLOCK_H
#define SYSTEM_CLOCK_H

#include <stdint.h>

/* A deadline that never comes. */
#define CLOCK_NEVER INT64_MAX

/* Milliseconds of a clock that only goes forward. */
int64_t clock_monotonic_ms(void);
/* The same, and it goes on while the machine sleeps. */
int64_t clock_boottime_ms(void);
/* Microseconds since 1970; may jump. */
uint64_t clock_realtime_us(void);
/* A deadline timeout_ms from now; CLOCK_NEVER stays CLOCK_NEVER. */
int64_t clock_deadline_after(int64_t timeout_ms);

#endif
