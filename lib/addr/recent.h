/* addr/recent - answers of the last second, for whoever asks the same again.
 * Mail comes in bursts, and often to the same recipients: a second is long enough for them, and
 * short enough that nobody waits for a changed table to count. Only the plain good news is kept: a
 * recipient that exists and stands for itself alone. Who does not exist, lists, and what cannot be
 * told now are asked for each time. Callers: addr/client, addr/ahead, for smtpserver. */
#ifndef ADDR_RECENT_H
#define ADDR_RECENT_H

#include "base/list.h"
#include "base/map.h"
#include "ipc/message.h"

enum { ADDR_RECENT_AGE_MS = 1000, ADDR_RECENT_ENTRIES_MAX = 500 };

struct addr_recent {
    struct map map;
    struct list entries; /* the first answer first */
};

void addr_recent_init(struct addr_recent *recent, const uint8_t seed[16]);
/* As new: who answers now may know better. */
void addr_recent_forget(struct addr_recent *recent);

/* asked_ms: when the answer was asked for. Nothing happens where it is not to be kept. */
void addr_recent_keep(struct addr_recent *recent, const struct ipc_addr_check_recipient *question,
                      const struct ipc_addr_check_recipient_reply *reply, int64_t asked_ms);
/* NULL: nothing is known. The answer stays until the next call of any function here. scratch: for
 * as long as it takes. */
MUST_USE const struct ipc_addr_check_recipient_reply *
addr_recent_find(struct addr_recent *recent, const struct ipc_addr_check_recipient *question,
                 int64_t now_ms, struct arena *scratch);

#endif
