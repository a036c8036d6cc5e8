/* keyd/serve - the channels: certificates are told, handshakes signed, ticket keys given out.
 * Interface: key_server_init(), key_server_add_peer(). Callers: keyd/main, the tests. */
#ifndef KEYD_SERVE_H
#define KEYD_SERVE_H

#include "service/service.h"
#include "ticket_keys.h"
#include "vault.h"

struct key_server {
    struct loop *loop;
    struct maillog *log;
    struct vault *vault;
    int64_t ticket_lifetime_ms; /* 0: there are no tickets */
    struct ticket_keys tickets;
    struct loop_timer ticket_timer;
    struct list peers;
};

void key_server_init(struct key_server *server, struct loop *loop, struct maillog *log,
                     struct vault *vault, int64_t ticket_lifetime_ms);
/* Closes all channels. */
void key_server_end(struct key_server *server);
/* Takes the descriptor, one end of a channel, over. */
void key_server_add_peer(struct key_server *server, const struct service_peer *who, int descriptor);
/* New keys for tickets, to everybody. */
void key_server_change_tickets(struct key_server *server);

#endif
