/* qmgr/listener - see listener.h. */
#include "listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { ACCEPT_PAUSE_MS = 1000 };

struct listener {
    struct event event;
    struct loop_timer pause_timer;
    struct qmgr *qmgr;
    void (*take)(struct qmgr *qmgr, int connection);
};

static void on_connection(evutil_socket_t descriptor, short what, void *context)
{
    struct listener *listener = context;
    const int connection = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)what;
    if (connection >= 0) {
        listener->take(listener->qmgr, connection);
        return;
    }
    /* Without descriptors the connection would be offered again at once and for ever. */
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        (void)event_del(&listener->event);
        loop_timer_set(&listener->pause_timer, clock_deadline_after(ACCEPT_PAUSE_MS));
    }
}

static void listen_again(void *context)
{
    (void)event_add(&((struct listener *)context)->event, NULL);
}

void listener_start(struct qmgr *qmgr, int descriptor,
                    void (*take)(struct qmgr *qmgr, int connection))
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener || file_set_nonblocking(descriptor) != 0 ||
        event_assign(&listener->event, loop_event_base(qmgr->loop), descriptor,
                     EV_READ | EV_PERSIST, on_connection, listener) != 0) {
        free(listener);
        file_close(descriptor);
        return;
    }
    listener->qmgr = qmgr;
    listener->take = take;
    loop_timer_init(&listener->pause_timer, qmgr->loop, listen_again, listener);
    (void)event_add(&listener->event, NULL); /* lives as long as the process */
}
