/* stsd/look - find out about one domain: the TXT record by dnsd, the policy by fetchd, the result
 * into the cache and the journal. Callers: stsd/server. */
#ifndef STSD_LOOK_H
#define STSD_LOOK_H

#include "server.h"

/* The entry is busy until ended is called; where no look can begin it is not, and nothing is known
 * of it. */
void look_start(struct server *server, struct cache_entry *entry,
                void (*ended)(struct cache_entry *entry));

#endif
