/* master/control - see control.h. */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/file.h"

enum { CONNECTIONS_MAX = 32 };

struct connection {
    struct list_link link;
    struct control *control;
    struct ipc_channel *channel; /* NULL: it has gone */
    size_t request_count;        /* unanswered */
};

struct control_request {
    struct connection *connection;
    uint32_t id;
};

struct control {
    struct loop *loop;
    struct event event;
    int listener;
    struct list connections;
    control_handler *handler;
    void *context;
};

static void free_if_unused(struct connection *connection)
{
    if (connection->channel || connection->request_count > 0)
        return;
    list_remove(&connection->control->connections, &connection->link);
    free(connection);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct connection *connection = context;
    const struct ipc_master_command *command = delivery->message;
    (void)channel;
    if (delivery->id == 0)
        return;
    struct control_request *request = malloc(sizeof(*request));
    if (!request)
        return; /* its deadline will tell */
    *request = (struct control_request){connection, delivery->id};
    connection->request_count++;
    connection->control->handler(request, command->command, connection->control->context);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct connection *connection = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&connection->channel);
    free_if_unused(connection);
}

static const struct ipc_permission permissions[] = {
    {IPC_MASTER_COMMAND, IPC_ROLE_BIT(IPC_ROLE_TOOL)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

static bool may_command(int descriptor)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);
    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void on_connection(evutil_socket_t listener, short what, void *context)
{
    struct control *control = context;
    (void)what;
    const int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor < 0)
        return;
    struct connection *connection = NULL;
    if (may_command(descriptor) && control->connections.count < CONNECTIONS_MAX)
        connection = calloc(1, sizeof(*connection));
    if (!connection) {
        file_close(descriptor);
        return;
    }
    connection->control = control;
    list_append(&control->connections, &connection->link);
    connection->channel =
        ipc_channel_create(control->loop, descriptor, IPC_ROLE_TOOL, &handlers, connection);
    free_if_unused(connection);
}

struct control *control_create(struct loop *loop, int listener, control_handler *handler,
                               void *context)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control ||
        event_assign(&control->event, loop_event_base(loop), listener, EV_READ | EV_PERSIST,
                     on_connection, control) != 0 ||
        event_add(&control->event, NULL) != 0) {
        free(control);
        file_close(listener);
        return NULL;
    }
    control->loop = loop;
    control->listener = listener;
    control->handler = handler;
    control->context = context;
    list_init(&control->connections);
    return control;
}

void control_destroy(struct control **control)
{
    struct control *dying = *control;
    *control = NULL;
    if (!dying)
        return;
    (void)event_del(&dying->event);
    file_close(dying->listener);
    LIST_FOR_EACH (&dying->connections, link) {
        struct connection *connection = LIST_ITEM(link, struct connection, link);
        ipc_channel_destroy(&connection->channel);
        list_remove(&dying->connections, link);
        free(connection);
    }
    free(dying);
}

void control_answer(struct control_request *request, bool is_done, struct span text)
{
    struct connection *connection = request->connection;
    const struct ipc_master_command_reply reply = {
        .is_done = is_done,
        .text = span_first(text, IPC_RECORDS_MAX),
    };
    if (connection->channel) {
        (void)ipc_channel_reply(connection->channel, request->id, IPC_MASTER_COMMAND_REPLY, &reply);
        ipc_channel_flush(connection->channel);
    }
    connection->request_count--;
    free(request);
    free_if_unused(connection);
}
