/* smtpd/listeners - accept connections from the sockets that master bound, as long as there is
 * room for them.
 * Callers: smtpd/server. */
#ifndef SMTPD_LISTENERS_H
#define SMTPD_LISTENERS_H

#include <sys/socket.h>

#include "system/loop.h"

enum { LISTENERS_PATIENCE_MS = 5000 };

struct listeners {
    struct loop *loop;
    struct list list;
    struct loop_timer pause;   /* after descriptors or memory ran out */
    struct loop_timer surplus; /* while there is no room */
    bool is_accepting;
    /* Takes the descriptor over. */
    void (*on_connection)(void *context, int descriptor, const struct sockaddr_storage *peer);
    /* False: no more for now, until listeners_set_accepting(). */
    bool (*has_room)(void *context);
    /* Those who have waited too long for room, in turn, to be told; takes the descriptor over.
     * NULL: they go on waiting. */
    void (*on_surplus)(void *context, int descriptor, const struct sockaddr_storage *peer);
    void *context;
};

void listeners_init(struct listeners *listeners, struct loop *loop,
                    void (*on_connection)(void *context, int descriptor,
                                          const struct sockaddr_storage *peer),
                    bool (*has_room)(void *context), void *context);
/* Takes the listening socket over. 0, or -1 when there is no memory (and it is closed). */
MUST_USE int listeners_add(struct listeners *listeners, int descriptor);
/* Connections that are not accepted wait in the kernel, for another process or a better time; where
 * there has been no room for LISTENERS_PATIENCE_MS, they are handed to on_surplus, some each
 * second. */
void listeners_set_accepting(struct listeners *listeners, bool is_accepting);
void listeners_close_all(struct listeners *listeners);

#endif
