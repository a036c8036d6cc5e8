/* qmgr/tool_peer - see tool_peer.h.
 * Listing and flushing harm nobody: who may connect is decided by the socket's directory. Altering
 * messages is for the superuser, and for the user as whom the queue manager itself runs, who owns
 * the queue. */
#include "tool_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flush.h"
#include "listing.h"
#include "load.h"
#include "scan.h"
#include "schedule.h"
#include "system/task.h"

enum { TOOLS_MAX = 64, TEXT_MAX_BYTES = 1024, ACCEPT_PAUSE_MS = 1000 };

struct listener {
    struct event event;
    struct loop_timer pause_timer;
    struct qmgr *qmgr;
};

struct tool_peer {
    struct qmgr *qmgr;
    struct ipc_channel *channel; /* NULL when it is gone */
    struct listing *listing;
    bool is_superuser;
    uint32_t request_id; /* of what is being done, 0: nothing */
    struct buffer text;  /* the queue id or site of a flush under way */
};

static void free_if_over(struct tool_peer *peer)
{
    if (peer->channel || peer->request_id)
        return;
    listing_destroy(&peer->listing);
    peer->qmgr->tool_count--;
    free(peer);
}

static void end_request(struct tool_peer *peer)
{
    peer->request_id = 0;
    buffer_release(&peer->text);
    free_if_over(peer);
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
    buffer_release(&records);
    end_request(peer);
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

static void reply_flush(struct tool_peer *peer, uint32_t id, const struct outcome *outcome)
{
    const struct ipc_queue_flush_reply reply = {.outcome = *outcome};
    if (peer->channel)
        (void)ipc_channel_reply(peer->channel, id, IPC_QUEUE_FLUSH_REPLY, &reply);
}

static void flush_message_body(void *argument)
{
    struct tool_peer *peer = argument;
    struct outcome outcome = outcome_ok();
    if (!flush_message(peer->qmgr, buffer_span(&peer->text)))
        outcome = outcome_temporary(451, 3, 0, "no such message in the queue");
    reply_flush(peer, peer->request_id, &outcome);
    end_request(peer);
}

/* The queue may be long: the command has its answer before it is read. */
static void flush_site_body(void *argument)
{
    struct tool_peer *peer = argument;
    flush_site(peer->qmgr, buffer_span(&peer->text));
    end_request(peer);
}

static void on_flush(struct tool_peer *peer, uint32_t id, const struct ipc_queue_flush *flush)
{
    struct outcome outcome = outcome_ok();
    const bool is_one = flush->queue_id.length > 0;
    if (!id || peer->request_id)
        return;
    if (is_one || flush->site.length > 0) {
        buffer_append_span(&peer->text, is_one ? flush->queue_id : flush->site);
        if (buffer_ok(&peer->text) &&
            task_start(peer->qmgr->loop, "flush", is_one ? flush_message_body : flush_site_body,
                       peer)) {
            peer->request_id = id;
            if (is_one)
                return;
        } else {
            buffer_release(&peer->text);
            outcome = outcome_temporary(451, 3, 0, "queue manager is out of memory");
        }
    }
    if (!is_one)
        schedule_forget_suspensions(peer->qmgr, flush->site);
    if (!is_one && flush->site.length == 0)
        scan_flush(peer->qmgr);
    reply_flush(peer, id, &outcome);
}

struct tool_alteration {
    struct alteration alteration;
    struct tool_peer *peer;
};

static void on_altered(struct alteration *alteration)
{
    struct tool_alteration *asked = CONTAINER_OF(alteration, struct tool_alteration, alteration);
    struct tool_peer *peer = asked->peer;
    const struct ipc_queue_alter_reply reply = {
        .result = (uint32_t)alteration->result,
        .reason = alteration->result == STORE_ALTER_FAILED
                      ? span_from_string(strerror(alteration->error))
                      : span_empty()};
    if (peer->channel)
        (void)ipc_channel_reply(peer->channel, peer->request_id, IPC_QUEUE_ALTER_REPLY, &reply);
    free(asked);
    end_request(peer);
}

static const char *why_not(const struct tool_peer *peer, const struct ipc_queue_alter *alter)
{
    if (!peer->is_superuser)
        return "permission denied";
    if (alter->action < STORE_ALTER_DELETE || alter->action > STORE_ALTER_REQUEUE)
        return "unknown action";
    if (!queue_id_is_valid(alter->queue_id))
        return "not a queue id";
    return peer->qmgr->has_lock ? NULL : "another queue manager still has the queue";
}

static void on_alter(struct tool_peer *peer, uint32_t id, const struct ipc_queue_alter *alter)
{
    const char *reason = why_not(peer, alter);
    if (!id || peer->request_id)
        return;
    struct tool_alteration *asked = reason ? NULL : calloc(1, sizeof(*asked));
    if (!asked) {
        const struct ipc_queue_alter_reply reply = {
            .result = STORE_ALTER_FAILED,
            .reason = span_from_string(reason ? reason : "queue manager is out of memory")};
        (void)ipc_channel_reply(peer->channel, id, IPC_QUEUE_ALTER_REPLY, &reply);
        return;
    }
    asked->peer = peer;
    asked->alteration.action = (enum store_alter_action)alter->action;
    asked->alteration.done = on_altered;
    memcpy(asked->alteration.place.queue_id, alter->queue_id.bytes, alter->queue_id.length);
    peer->request_id = id;
    scan_alter(peer->qmgr, &asked->alteration);
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
    else if (delivery->type == IPC_QUEUE_ALTER)
        on_alter(peer, delivery->id, delivery->message);
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
    {IPC_QUEUE_ALTER, IPC_ROLE_BIT(IPC_ROLE_TOOL)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

static bool is_superuser(int connection)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void on_connection(evutil_socket_t descriptor, short what, void *context)
{
    struct listener *listener = context;
    struct qmgr *qmgr = listener->qmgr;
    const int connection = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)what;
    if (connection < 0) {
        /* Without descriptors the connection would be offered again at once and for ever. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            (void)event_del(&listener->event);
            loop_timer_set(&listener->pause_timer, clock_deadline_after(ACCEPT_PAUSE_MS));
        }
        return;
    }
    struct tool_peer *peer = qmgr->tool_count < TOOLS_MAX ? calloc(1, sizeof(*peer)) : NULL;
    if (!peer) {
        file_close(connection);
        return;
    }
    peer->qmgr = qmgr;
    peer->is_superuser = is_superuser(connection);
    buffer_init(&peer->text, NULL, TEXT_MAX_BYTES);
    peer->channel = ipc_channel_create(qmgr->loop, connection, IPC_ROLE_TOOL, &handlers, peer);
    if (!peer->channel) {
        free(peer);
        return;
    }
    qmgr->tool_count++;
}

static void listen_again(void *context)
{
    (void)event_add(&((struct listener *)context)->event, NULL);
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
    loop_timer_init(&listener->pause_timer, qmgr->loop, listen_again, listener);
    (void)event_add(&listener->event, NULL); /* lives as long as the process */
}
