/* qmgr/tool_peer - see tool_peer.h.
 * What may be asked here harms nobody: who may connect is decided by the socket's directory. */
#include "tool_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "listing.h"
#include "scan.h"
#include "schedule.h"
#include "system/task.h"

enum { TOOLS_MAX = 64 };

struct listener {
    struct event event;
    struct qmgr *qmgr;
};

struct tool_peer {
    struct qmgr *qmgr;
    struct ipc_channel *channel; /* NULL when it is gone */
    struct listing *listing;
    uint32_t request_id; /* of the page being made, 0: none */
};

static void free_if_over(struct tool_peer *peer)
{
    if (peer->channel || peer->request_id)
        return;
    listing_destroy(&peer->listing);
    peer->qmgr->tool_count--;
    free(peer);
}

static void page_body(void *argument)
{
    struct tool_peer *peer = argument;
    struct buffer records;
    buffer_init(&records, NULL, IPC_RECORDS_MAX);
    const bool is_last = listing_next_page(peer->listing, &records);
    const struct ipc_queue_list_reply reply = {.entries = buffer_span(&records),
                                               .is_last = is_last};
    if (peer->channel)
        (void)ipc_channel_reply(peer->channel, peer->request_id, IPC_QUEUE_LIST_REPLY, &reply);
    peer->request_id = 0;
    buffer_release(&records);
    free_if_over(peer);
}

static void on_list(struct tool_peer *peer, uint32_t id, bool is_first)
{
    const struct ipc_queue_list_reply nothing = {.is_last = true};
    if (!id || peer->request_id)
        return;
    if (is_first)
        listing_destroy(&peer->listing);
    if (!peer->listing)
        peer->listing = listing_create(peer->qmgr);
    peer->request_id = id;
    if (peer->listing && task_start(peer->qmgr->loop, "listing", page_body, peer))
        return;
    peer->request_id = 0;
    (void)ipc_channel_reply(peer->channel, id, IPC_QUEUE_LIST_REPLY, &nothing);
}

static void on_flush(struct tool_peer *peer, uint32_t id, const struct ipc_queue_flush *flush)
{
    const struct ipc_queue_flush_reply reply = {.outcome = outcome_ok()};
    schedule_forget_suspensions(peer->qmgr, flush->site);
    scan_flush(peer->qmgr);
    if (id)
        (void)ipc_channel_reply(peer->channel, id, IPC_QUEUE_FLUSH_REPLY, &reply);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct tool_peer *peer = context;
    (void)channel;
    if (delivery->type == IPC_QUEUE_LIST)
        on_list(peer, delivery->id, ((const struct ipc_queue_list *)delivery->message)->is_first);
    else if (delivery->type == IPC_QUEUE_FLUSH)
        on_flush(peer, delivery->id, delivery->message);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct tool_peer *peer = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&peer->channel);
    free_if_over(peer);
}

static const struct ipc_permission permissions[] = {
    {IPC_QUEUE_LIST, IPC_ROLE_BIT(IPC_ROLE_TOOL)},
    {IPC_QUEUE_FLUSH, IPC_ROLE_BIT(IPC_ROLE_TOOL)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

static void on_connection(evutil_socket_t descriptor, short what, void *context)
{
    struct listener *listener = context;
    struct qmgr *qmgr = listener->qmgr;
    const int connection = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)what;
    if (connection < 0)
        return;
    struct tool_peer *peer = qmgr->tool_count < TOOLS_MAX ? calloc(1, sizeof(*peer)) : NULL;
    if (!peer) {
        file_close(connection);
        return;
    }
    peer->qmgr = qmgr;
    peer->channel = ipc_channel_create(qmgr->loop, connection, IPC_ROLE_TOOL, &handlers, peer);
    if (!peer->channel) {
        free(peer);
        return;
    }
    qmgr->tool_count++;
}

void tool_peer_listen(struct qmgr *qmgr, int descriptor)
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
    (void)event_add(&listener->event, NULL); /* lives as long as the process */
}
