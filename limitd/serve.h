/* limitd/serve - the channels: who counts what, what a process holds, and what goes with it.
 * Interface: limit_server_init(), limit_server_add_peer(). Callers: limitd/main. */
#ifndef LIMITD_SERVE_H
#define LIMITD_SERVE_H

#include "counters.h"
#include "maillog/log.h"
#include "peaks.h"
#include "service/service.h"
#include "services.h"

struct limit_server {
    struct loop *loop;
    struct maillog *log;
    int64_t time_unit_ms;
    struct counters counters;
    struct services services;
    struct peaks peaks;
    bool has_news; /* something persistent has changed; whoever saves it sets it back */
};

void limit_server_init(struct limit_server *server, struct loop *loop, struct maillog *log,
                       int64_t time_unit_ms, size_t capacity_bytes);
/* Takes the descriptor, one end of a channel, over. */
void limit_server_add_peer(struct limit_server *server, const struct service_peer *who,
                           int descriptor);
/* Logs the peaks and starts over. */
void limit_server_report(struct limit_server *server);

#endif
