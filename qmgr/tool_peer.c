/* qmgr/tool_peer - see tool_peer.h.
 * Listing and flushing harm nobody: who may connect is decided by the socket's directory. Altering
 * messages is for the superuser, and for the user as whom the queue manager itself runs, who owns
 * the queue. */
#include "tool_peer.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flush.h"
#include "listing.h"
#include "load.h"
#include "scan.h"
#include "schedule.h"
#include "system/task.h"

/* Of all ordinary users, of one of them, and of the superuser: whoever leaves commands hanging
 * keeps nobody else from the queue, and nobody keeps the superuser from it. */
enum {
    TOOLS_MAX = 128,
    TOOLS_OF_USER_MAX = 16,
    TOOLS_OF_SUPERUSER_MAX = 128,
    TEXT_MAX_BYTES = 1024
};

struct tool_peer {
    struct list_link link; /* in qmgr->tools */
    struct qmgr *qmgr;
    uid_t uid;
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
    list_remove(&peer->qmgr->tools, &peer->link);
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
    const struct outcome outcome = flush_message(peer->qmgr, buffer_span(&peer->text));
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

/* One or many, one after the other. */
struct tool_alteration {
    struct alteration alteration;
    struct tool_peer *peer;
    bool is_batch;
    enum store_alter_action action;
    struct buffer queue_ids; /* of a batch */
    struct span rest;
    struct buffer results;
    int error; /* of the last that failed */
};

static void reply_altered(struct tool_alteration *asked)
{
    struct tool_peer *peer = asked->peer;
    const struct alteration *alteration = &asked->alteration;
    const struct span reason =
        asked->error ? span_from_string(strerror(asked->error)) : span_empty();
    const struct ipc_queue_alter_reply one = {.result = (uint32_t)alteration->result,
                                              .reason = reason};
    const struct ipc_queue_alter_batch_reply many = {.results = buffer_span(&asked->results),
                                                     .reason = reason};
    if (peer->channel && asked->is_batch)
        (void)ipc_channel_reply(peer->channel, peer->request_id, IPC_QUEUE_ALTER_BATCH_REPLY,
                                &many);
    else if (peer->channel)
        (void)ipc_channel_reply(peer->channel, peer->request_id, IPC_QUEUE_ALTER_REPLY, &one);
    buffer_release(&asked->queue_ids);
    buffer_release(&asked->results);
    free(asked);
    end_request(peer);
}

static void on_altered(struct alteration *alteration);

/* False at the end of the batch. */
static bool alter_next(struct tool_alteration *asked)
{
    struct span queue_id;
    while (span_next_word(&asked->rest, " ", &queue_id)) {
        if (!queue_id_is_valid(queue_id)) {
            buffer_append_byte(&asked->results, STORE_NOT_ALTERED);
            continue;
        }
        asked->alteration = (struct alteration){.action = asked->action, .done = on_altered};
        memcpy(asked->alteration.place.queue_id, queue_id.bytes, queue_id.length);
        scan_alter(asked->peer->qmgr, &asked->alteration);
        return true;
    }
    return false;
}

static void on_altered(struct alteration *alteration)
{
    struct tool_alteration *asked = CONTAINER_OF(alteration, struct tool_alteration, alteration);
    if (alteration->result == STORE_ALTER_FAILED)
        asked->error = alteration->error;
    buffer_append_byte(&asked->results, (uint8_t)alteration->result);
    if (!asked->peer->channel || !alter_next(asked))
        reply_altered(asked);
}

static const char *why_not(const struct tool_peer *peer, uint32_t action)
{
    if (!peer->is_superuser)
        return "permission denied";
    if (action < STORE_ALTER_DELETE || action > STORE_ALTER_EXPIRE_RELEASE)
        return "unknown action";
    return peer->qmgr->has_lock ? NULL : "another queue manager still has the queue";
}

static void refuse_alteration(struct tool_peer *peer, uint32_t id, bool is_batch,
                              const char *reason)
{
    const struct ipc_queue_alter_reply one = {.result = STORE_ALTER_FAILED,
                                              .reason = span_from_string(reason)};
    const struct ipc_queue_alter_batch_reply many = {.reason = span_from_string(reason)};
    if (is_batch)
        (void)ipc_channel_reply(peer->channel, id, IPC_QUEUE_ALTER_BATCH_REPLY, &many);
    else
        (void)ipc_channel_reply(peer->channel, id, IPC_QUEUE_ALTER_REPLY, &one);
}

static void on_alter(struct tool_peer *peer, uint32_t id, uint32_t action, struct span queue_ids,
                     bool is_batch)
{
    const char *reason = why_not(peer, action);
    if (!id || peer->request_id)
        return;
    if (!reason && !is_batch && !queue_id_is_valid(queue_ids))
        reason = "not a queue id";
    struct tool_alteration *asked = reason ? NULL : calloc(1, sizeof(*asked));
    if (!asked) {
        refuse_alteration(peer, id, is_batch, reason ? reason : "queue manager is out of memory");
        return;
    }
    asked->peer = peer;
    asked->is_batch = is_batch;
    asked->action = (enum store_alter_action)action;
    buffer_init(&asked->queue_ids, NULL, IPC_RECORDS_MAX);
    buffer_init(&asked->results, NULL, IPC_RECORDS_MAX);
    buffer_append_span(&asked->queue_ids, queue_ids);
    asked->rest = buffer_span(&asked->queue_ids);
    peer->request_id = id;
    if (!alter_next(asked))
        reply_altered(asked);
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
    else if (delivery->type == IPC_QUEUE_ALTER) {
        const struct ipc_queue_alter *alter = delivery->message;
        on_alter(peer, delivery->id, alter->action, alter->queue_id, false);
    } else if (delivery->type == IPC_QUEUE_ALTER_BATCH) {
        const struct ipc_queue_alter_batch *batch = delivery->message;
        on_alter(peer, delivery->id, batch->action, batch->queue_ids, true);
    }
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
    {IPC_QUEUE_ALTER_BATCH, IPC_ROLE_BIT(IPC_ROLE_TOOL)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

static bool has_room(struct qmgr *qmgr, const struct tool_peer *peer)
{
    size_t of_superuser = 0, of_users = 0, of_user = 0;
    LIST_FOR_EACH (&qmgr->tools, link) {
        const struct tool_peer *other = LIST_ITEM(link, struct tool_peer, link);
        of_superuser += other->is_superuser;
        of_users += !other->is_superuser;
        of_user += other->uid == peer->uid;
    }
    return peer->is_superuser ? of_superuser < TOOLS_OF_SUPERUSER_MAX
                              : of_users < TOOLS_MAX && of_user < TOOLS_OF_USER_MAX;
}

void tool_peer_take(struct qmgr *qmgr, int connection)
{
    struct tool_peer *peer = calloc(1, sizeof(*peer));
    struct ucred caller;
    socklen_t length = sizeof(caller);
    if (!peer || getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &caller, &length) != 0) {
        free(peer);
        file_close(connection);
        return;
    }
    peer->qmgr = qmgr;
    peer->uid = caller.uid;
    peer->is_superuser = caller.uid == 0 || caller.uid == geteuid();
    if (!has_room(qmgr, peer)) {
        free(peer);
        file_close(connection);
        return;
    }
    buffer_init(&peer->text, NULL, TEXT_MAX_BYTES);
    peer->channel = ipc_channel_create(qmgr->loop, connection, IPC_ROLE_TOOL, &handlers, peer);
    if (!peer->channel) {
        free(peer);
        return;
    }
    list_append(&qmgr->tools, &peer->link);
}
