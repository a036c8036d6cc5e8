/* connectd/serve - see serve.h. */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "paths.h"
#include "system/file.h"

/* What a peer may leave unread in its socket before it is given no more. The kernel counts some
 * hundred bytes for each answer, and sockets in flight against one limit for all peers. */
enum { UNREAD_MAX_BYTES = 24576 };

/* A connected socket, or -1 and errno. Relative paths are below the queue directory, where this
 * process stands. */
static int connect_to(struct span path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path.length >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path.bytes, path.length);
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        const int error = errno;
        file_close(descriptor);
        errno = error;
        return -1;
    }
    return descriptor;
}

/* Each sees the sockets that are meant for it. */
static struct ipc_connect_reply answer(const struct connector *connector, enum ipc_role asker,
                                       struct span path)
{
    struct ipc_connect_reply reply = {.outcome = outcome_ok(), .socket = -1};
    if (asker == IPC_ROLE_AUTHD) {
        if (!span_equals(path, connector->settings->smtpd_sasl_path)) {
            reply.outcome = outcome_temporary(0, 3, 5, "the socket is not smtpd_sasl_path");
            return reply;
        }
    } else if (!paths_permit(connector->settings->lmtp_unix_sockets, path)) {
        reply.outcome = outcome_temporary(0, 3, 5, "the socket is not among lmtp_unix_sockets");
        return reply;
    }
    reply.socket = connect_to(path);
    if (reply.socket < 0) {
        reply.is_busy = errno == EAGAIN;
        reply.outcome = outcome_temporary(0, 4, 1, strerror(errno));
    }
    return reply;
}

/* Has it read most of what it was sent? */
static bool does_read(const struct ipc_channel *channel)
{
    int unread_bytes;
    return ipc_channel_queued_bytes(channel) == 0 &&
           ioctl(ipc_channel_descriptor(channel), TIOCOUTQ, &unread_bytes) == 0 &&
           unread_bytes < UNREAD_MAX_BYTES;
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    const struct ipc_connect *question = delivery->message;
    struct ipc_connect_reply reply = {
        .outcome = outcome_temporary(0, 4, 1, "too many at once"), .socket = -1, .is_busy = true};
    if (does_read(channel))
        reply = answer(context, ipc_channel_peer(channel), question->path);
    const bool has_socket = reply.socket >= 0;
    (void)ipc_channel_reply(channel, delivery->id, IPC_CONNECT_REPLY, &reply); /* or it is gone */
    if (has_socket)
        ipc_channel_flush(channel); /* a packet of its own, to be counted by */
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)reason;
    (void)context;
    ipc_channel_destroy(&channel);
}

static const struct ipc_permission permissions[] = {
    {IPC_CONNECT, IPC_ROLE_BIT(IPC_ROLE_LMTP) | IPC_ROLE_BIT(IPC_ROLE_AUTHD)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void connector_add_peer(struct connector *connector, enum ipc_role role, int descriptor)
{
    /* It belongs to itself until its peer goes. */
    (void)!ipc_channel_create(connector->loop, descriptor, role, &handlers, connector);
}
