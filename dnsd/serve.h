/* dnsd/serve - the channels: who may ask what, and the way back for each answer.
 * Interface: dns_server_init(), dns_server_add_peer(). Callers: dnsd/main. */
#ifndef DNSD_SERVE_H
#define DNSD_SERVE_H

#include "ipc/role.h"
#include "lookup.h"
#include "resolver.h"

/* A peer that asks more at once is told to come again. */
enum { DNS_PEER_QUESTIONS_MAX = 4000 };

struct dns_server_state {
    struct loop *loop;
    struct resolver *resolver;
    struct lookups lookups;
};

/* The resolver was created before the sandbox. */
void dns_server_init(struct dns_server_state *server, struct loop *loop, struct resolver *resolver,
                     struct dns_cache_limits limits);
/* Takes the descriptor, one end of a channel, over. */
void dns_server_add_peer(struct dns_server_state *server, enum ipc_role role, int descriptor);

#endif
