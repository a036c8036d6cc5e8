/* system/random - unpredictable bytes. */
#ifndef SYSTEM_RANDOM_H
#define SYSTEM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills the bytes from the kernel through a small pool of this process; ends the process when the
 * kernel has none to give. For one thread (the loop's); what is forked has a pool of its own. */
void random_bytes(void *bytes, size_t length);
/* Uniform enough for jitter and shuffling: 0 <= result < bound; bound > 0. */
uint32_t random_below(uint32_t bound);

#endif
