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
    struct loop_timer turn_timer; /* set while questions wait */
    struct list peers;
    bool holds_answers; /* that there is no certificate: there may be one in a moment */
    bool has_relatives; /* another has these keys, or others: it is asked as well */
};

void key_server_init(struct key_server *server, struct loop *loop, struct maillog *log,
                     struct vault *vault, int64_t ticket_lifetime_ms);
/* Closes all channels. */
void key_server_end(struct key_server *server);
/* Takes the descriptor, one end of a channel, over. */
void key_server_add_peer(struct key_server *server, const struct service_peer *who, int descriptor);
/* Nobody hears that a service has no key that can be used, until that is certain. */
void key_server_hold(struct key_server *server);
void key_server_stop_holding(struct key_server *server);
/* Certificates are others now: everybody asks again. */
void key_server_tell_changed(struct key_server *server, bool also_names);
/* New keys for tickets, to everybody. */
void key_server_change_tickets(struct key_server *server);

#endif
