/* connectd/serve - answer CONNECT: look whether the path is permitted, connect, hand over.
 * Nothing waits: a Unix server takes a connection at once, or is too busy, which the asker is told.
 * So is an asker that has many answers to read, so that no peer holds all sockets that can be in
 * flight.
 * Callers: connectd/main. */
#ifndef CONNECTD_SERVE_H
#define CONNECTD_SERVE_H

#include "conf/connectd.h"
#include "ipc/channel.h"

struct connector {
    struct loop *loop;
    const struct conf_connectd *settings;
};

/* Takes the channel end over. */
void connector_add_peer(struct connector *connector, enum ipc_role role, int descriptor);

#endif
