/* local/biff - comsat(8) hears of new mail in mailbox files: a datagram to this machine's port 512.
 * The dispatcher sends them, which can open nothing, so that no process that reads files or mail
 * holds a socket of the network. Callers: local/local. */
#ifndef LOCAL_BIFF_H
#define LOCAL_BIFF_H

#include <stdint.h>

#include "base/span.h"

/* Before the sandbox closes. A descriptor, or -1: there is nobody to tell then. */
MUST_USE int biff_open(void);
/* Whether anybody listens makes no difference. */
void biff_tell(int descriptor, struct span user, uint64_t offset);

#endif
