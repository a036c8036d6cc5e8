/* smtpserver/listeners - accept connections from the sockets that master bound, as long as there is
 * room for them.
 * Callers: smtpserver/server. */
#ifndef SMTPSERVER_LISTENERS_H
#define SMTPSERVER_LISTENERS_H

#include <sys/socket.h>

#include "system/loop.h"

struct listeners {
    struct loop *loop;
    struct list list;
    struct loop_timer pause;   /* after descriptors or memory ran out */
    struct loop_timer surplus; /* while there is none here */
    bool is_accepting;
    /* Takes the descriptor over. */
    void (*on_connection)(void *context, int descriptor, const struct sockaddr_storage *peer);
    /* False: no more for now, until listeners_set_accepting(). */
    bool (*has_room)(void *context);
    /* Asked each second while there is no room here: is there none anywhere, and has there been
     * none for long enough? Then those who wait are handed out to be told, some each second;
     * otherwise another process may be about to take them. Both NULL: they go on waiting. */
    bool (*turns_away)(void *context);
    /* Takes the descriptor over. */
    void (*on_surplus)(void *context, int descriptor, const struct sockaddr_storage *peer);
    void *context;
};

void listeners_init(struct listeners *listeners, struct loop *loop,
                    void (*on_connection)(void *context, int descriptor,
                                          const struct sockaddr_storage *peer),
                    bool (*has_room)(void *context), void *context);
/* Takes the listening socket over. 0, or -1 when there is no memory (and it is closed). */
MUST_USE int listeners_add(struct listeners *listeners, int descriptor);
/* Connections that are not accepted wait in the kernel, for another process or a better time. */
void listeners_set_accepting(struct listeners *listeners, bool is_accepting);
void listeners_close_all(struct listeners *listeners);

#endif
