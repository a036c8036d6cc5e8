/* keyd/succession - a keyd and the one before it, when files have changed or a reload starts
 * another. The new one asks the elder for its keys: handshakes that have begun with a certificate
 * from before can be signed, and where the new files are of no use those keys go on to be used.
 * Interface: succession_*(). Caller: keyd/main, the tests. */
#ifndef KEYD_SUCCESSION_H
#define KEYD_SUCCESSION_H

#include "serve.h"

struct succession {
    struct loop *loop;
    struct vault *vault;
    struct key_server *server;
    struct list relatives; /* elders, whom we have asked, and heirs, who ask us */
    size_t pending_count;  /* questions to elders */
    struct loop_timer timer;
    bool is_settled;             /* what can be had is had */
    void (*done)(void *context); /* NULL: nobody has said that we are to leave */
    void *context;
};

/* Until it is known that there is nobody to ask, peers whose service has no key wait for an
 * answer. */
void succession_init(struct succession *succession, struct loop *loop, struct vault *vault,
                     struct key_server *server);
/* Takes the descriptor over: an elder, or with is_server somebody who comes after us. */
void succession_add_peer(struct succession *succession, const struct service_peer *who,
                         int descriptor);
/* Calls done when all heirs have asked and been answered, and in any case soon; at once where there
 * are none. */
void succession_finish(struct succession *succession, void (*done)(void *context), void *context);

#endif
