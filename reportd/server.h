/* reportd/server - sessions of smtp are counted and kept, and when the day is over, reported.
 * Callers: reportd/main. */
#ifndef REPORTD_SERVER_H
#define REPORTD_SERVER_H

#include "counters.h"
#include "deliver.h"
#include "service/service.h"
#include "system/journal.h"

struct server {
    struct service *service;
    const struct conf_reportd *conf;
    struct counters counters;
    struct journal journal;
    struct deliverer deliverer;
    struct loop_timer tick;
    size_t delivery_count; /* under way */
    bool has_complained;   /* of the journal */
    uint64_t dropped_logged_count;
};

/* After the sandbox; the journal is open. */
void server_init(struct server *server, struct service *service);
void server_add_peer(struct server *server, const struct service_peer *peer, int descriptor);
/* Writes down what is counted. */
void server_save(struct server *server);

#endif
