/* bounce/clients - requests from qmgr: so many at a time, the others wait in line. */
#ifndef BOUNCE_CLIENTS_H
#define BOUNCE_CLIENTS_H

#include "service/service.h"
#include "writer.h"

struct bounce_clients {
    struct service *service;
    const struct bounce_writer *writer;
    struct list waiting; /* requests without a task */
    size_t running_count;
    size_t running_limit;
    int64_t notice_window_ms; /* since then so many notices, and so many that were dropped */
    unsigned notice_count;
    unsigned dropped_notice_count;
};

void bounce_clients_init(struct bounce_clients *clients, struct service *service,
                         const struct bounce_writer *writer, size_t running_limit);
/* Takes the descriptor of a channel over on which qmgr asks. */
void bounce_clients_add(struct bounce_clients *clients, const struct service_peer *peer,
                        int descriptor);
/* No request runs or waits. */
MUST_USE bool bounce_clients_are_idle(const struct bounce_clients *clients);

#endif
