/* stsd/server - questions of smtp, answered from the cache, which DNS and HTTPS fill.
 * Callers: stsd/main. */
#ifndef STSD_SERVER_H
#define STSD_SERVER_H

#include "cache.h"
#include "conf/stsd.h"
#include "dns/client.h"
#include "fetch/client.h"
#include "service/service.h"
#include "system/journal.h"

struct server {
    struct service *service;
    const struct conf_stsd *conf;
    struct cache cache;
    struct journal journal;
    struct dns_client dns;
    struct fetch_client fetch;
    size_t look_count; /* under way */
    struct loop_timer refresh_timer;
    int64_t expire_ms; /* when the cache is looked through next */
    bool has_complained;
};

/* After the sandbox; the journal is open. */
void server_init(struct server *server, struct service *service);
/* All three take the descriptor over: who asks, who knows DNS, who speaks HTTPS. */
void server_add_client(struct server *server, enum ipc_role role, int descriptor);
void server_set_dnsd(struct server *server, int descriptor);
void server_set_fetchd(struct server *server, int descriptor);

#endif
