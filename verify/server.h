/* verify/server - questions of smtpd, answered from the cache, and the probes that fill it.
 * Callers: verify/main. */
#ifndef VERIFY_SERVER_H
#define VERIFY_SERVER_H

#include "cache.h"
#include "conf/verify.h"
#include "service/service.h"
#include "store.h"

struct server {
    struct service *service;
    const struct conf_verify *conf;
    struct cache cache;
    struct store store; /* when has_store */
    bool has_store;
    struct ipc_channel *qmgr;
    size_t probe_count; /* under way */
    struct loop_timer cleanup_timer;
};

/* After the sandbox; the store, where there is one, is open. */
void server_init(struct server *server, struct service *service);
/* Both take the descriptor over: who asks, and who is asked to probe. */
void server_add_client(struct server *server, enum ipc_role role, int descriptor);
void server_set_qmgr(struct server *server, int descriptor);

#endif
