/* smtpserver/listeners - see listeners.h. */
#include "smtpserver/listeners.h"

#include <errno.h>
#include <stdlib.h>

#include "system/file.h"

/* More in one go would make the sessions that there are wait. */
enum { ACCEPTS_PER_TURN = 16, PAUSE_MS = 1000, SURPLUS_PER_TURN = 64, SURPLUS_MS = 1000 };

struct listener {
    struct list_link link;
    struct listeners *listeners;
    struct event event;
    int descriptor;
};

static void take_surplus(struct listeners *listeners, const struct listener *listener)
{
    for (int i = 0; i < SURPLUS_PER_TURN; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t length = sizeof(peer);
        const int accepted = accept4(listener->descriptor, (struct sockaddr *)&peer, &length,
                                     SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0)
            return;
        listeners->on_surplus(listeners->context, accepted, &peer);
    }
}

/* A bounded number, so that the sessions that there are notice nothing. */
static void look_for_surplus(void *context)
{
    struct listeners *listeners = context;
    if (listeners->is_accepting || !listeners->turns_away)
        return;
    if (!listeners->has_room(listeners->context) && listeners->turns_away(listeners->context))
        LIST_FOR_EACH (&listeners->list, link)
            take_surplus(listeners, LIST_ITEM(link, struct listener, link));
    loop_timer_set(&listeners->surplus, clock_deadline_after(SURPLUS_MS));
}

static void end_pause(void *context)
{
    struct listeners *listeners = context;
    /* Without room, whoever makes room says so. */
    if (listeners->has_room(listeners->context))
        listeners_set_accepting(listeners, true);
}

void listeners_init(struct listeners *listeners, struct loop *loop,
                    void (*on_connection)(void *context, int descriptor,
                                          const struct sockaddr_storage *peer),
                    bool (*has_room)(void *context), void *context)
{
    *listeners = (struct listeners){.loop = loop,
                                    .is_accepting = true,
                                    .on_connection = on_connection,
                                    .has_room = has_room,
                                    .context = context};
    list_init(&listeners->list);
    loop_timer_init(&listeners->pause, loop, end_pause, listeners);
    loop_timer_init(&listeners->surplus, loop, look_for_surplus, listeners);
}

static void watch_all(struct listeners *listeners, bool is_watching)
{
    LIST_FOR_EACH (&listeners->list, link) {
        struct listener *listener = LIST_ITEM(link, struct listener, link);
        /* Failing to watch leaves it to the other processes, and to the next change. */
        (void)(is_watching ? event_add(&listener->event, NULL) : event_del(&listener->event));
    }
}

static void accept_connections(evutil_socket_t descriptor, short what, void *argument)
{
    struct listener *listener = argument;
    struct listeners *listeners = listener->listeners;
    (void)what;
    for (int i = 0; i < ACCEPTS_PER_TURN && listeners->is_accepting; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t length = sizeof(peer);
        if (!listeners->has_room(listeners->context)) {
            listeners_set_accepting(listeners, false);
            return;
        }
        const int accepted = accept4((int)descriptor, (struct sockaddr *)&peer, &length,
                                     SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0) {
            listeners->on_connection(listeners->context, accepted, &peer);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ||
            errno == EINVAL) {
            /* The connection stays in the queue and would wake us at once again; and so would a
             * socket that somebody has stopped listening with, until master sees that. */
            listeners_set_accepting(listeners, false);
            loop_timer_set(&listeners->pause, clock_deadline_after(PAUSE_MS));
            return;
        }
        /* Others (ECONNABORTED, network errors that accept() reports) are about one connection. */
    }
}

int listeners_add(struct listeners *listeners, int descriptor)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener || file_set_nonblocking(descriptor) != 0) {
        file_close(descriptor);
        free(listener);
        return -1;
    }
    listener->listeners = listeners;
    listener->descriptor = descriptor;
    event_assign(&listener->event, loop_event_base(listeners->loop), descriptor,
                 EV_READ | EV_PERSIST, accept_connections, listener);
    if (listeners->is_accepting && event_add(&listener->event, NULL) != 0) {
        file_close(descriptor);
        free(listener);
        return -1;
    }
    list_append(&listeners->list, &listener->link);
    return 0;
}

void listeners_set_accepting(struct listeners *listeners, bool is_accepting)
{
    if (is_accepting == listeners->is_accepting)
        return;
    listeners->is_accepting = is_accepting;
    loop_timer_set(&listeners->surplus,
                   is_accepting ? CLOCK_NEVER : clock_deadline_after(SURPLUS_MS));
    watch_all(listeners, is_accepting);
}

void listeners_close_all(struct listeners *listeners)
{
    struct list_link *link;
    while ((link = list_pop(&listeners->list)) != NULL) {
        struct listener *listener = LIST_ITEM(link, struct listener, link);
        (void)event_del(&listener->event);
        file_close(listener->descriptor);
        free(listener);
    }
    loop_timer_set(&listeners->pause, CLOCK_NEVER);
    loop_timer_set(&listeners->surplus, CLOCK_NEVER);
}
