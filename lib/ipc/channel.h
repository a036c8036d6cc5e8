/* ipc/channel - one end of a connection between two processes.
 * Requests carry an id, many are in flight; replies may come in any order. Nobody blocks: output
 * waits in a bounded queue that leaves once per loop turn, several records and descriptors in a
 * packet. A malformed packet, a record that this peer may not send, or a schema that differs closes
 * the channel, and nothing else. When a channel closes, its calls fail as temporary.
 *
 * Descriptors: sending takes ownership of those in the message, whatever the result (they are
 * closed after they left). Receiving: the handler takes one by setting the field to -1; what it
 * leaves is closed after it returned. */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "base/arena.h"
#include "ipc/codec.h"
#include "ipc/role.h"
#include "system/loop.h"

struct ipc_channel;

/* What a record is, for a handler. message is struct ipc_NAME of that type; its spans and it
 * itself last until the handler returns. */
struct ipc_delivery {
    enum ipc_type type;
    uint32_t id; /* to be given to ipc_channel_reply(); 0 for a one-way message */
    void *message;
};

/* Which messages a peer of which role may send. The list ends with type 0. */
struct ipc_permission {
    enum ipc_type type;
    uint32_t roles; /* IPC_ROLE_BIT of each */
};

struct ipc_channel_handlers {
    /* A request (delivery->id != 0: answer it once, now or later, with ipc_channel_reply) or a
     * one-way message. May be NULL where only replies are expected. May destroy the channel. */
    void (*on_message)(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context);
    /* Once, after every call failed; reason is a literal for the log. Usually destroys it. */
    void (*on_closed)(struct ipc_channel *channel, const char *reason, void *context);
    const struct ipc_permission *permissions; /* of incoming messages; replies are checked by id */
};

/* Takes the descriptor (a SOCK_SEQPACKET socket) over. NULL when memory is out (and closed). */
MUST_USE struct ipc_channel *ipc_channel_create(struct loop *loop, int descriptor,
                                                enum ipc_role peer,
                                                const struct ipc_channel_handlers *handlers,
                                                void *context);
/* The same for a descriptor on which both ends have sent their opening already: a channel that
 * another program made before this one took its place in the process. Nothing may be on its way. */
MUST_USE struct ipc_channel *ipc_channel_adopt(struct loop *loop, int descriptor,
                                               enum ipc_role peer,
                                               const struct ipc_channel_handlers *handlers,
                                               void *context);
/* -1 when it is closed. Stays the channel's. */
int ipc_channel_descriptor(const struct ipc_channel *channel);
/* Secrets travel over it: what was sent and what was received is overwritten as soon as it has been
 * dealt with. To be called before the first message. */
void ipc_channel_set_secret(struct ipc_channel *channel);
/* Calls in flight fail first; on_closed is not called. Safe within handlers. */
void ipc_channel_destroy(struct ipc_channel **channel);
bool ipc_channel_is_open(const struct ipc_channel *channel);
enum ipc_role ipc_channel_peer(const struct ipc_channel *channel);

/* A one-way message. False when the queue is full, a field too long, or the channel closed. */
bool ipc_channel_send(struct ipc_channel *channel, enum ipc_type type, const void *message);
/* The answer to a request. False as above, and then the channel closes: a queue that overflows with
 * replies has a peer that does not read, and a question without an answer would stay open for ever.
 * So does an answer to a one-way message, which is a peer's mistake where a handler answers
 * unasked. */
bool ipc_channel_reply(struct ipc_channel *channel, uint32_t id, enum ipc_type type,
                       const void *message);
/* The same, but an answer that no message can carry (a field too long) changes nothing: another has
 * to be given. */
MUST_USE bool ipc_channel_try_reply(struct ipc_channel *channel, uint32_t id, enum ipc_type type,
                                    const void *message);
/* Bytes waiting to leave. */
size_t ipc_channel_queued_bytes(const struct ipc_channel *channel);
/* Sends what it can at once instead of at the end of the turn (before exiting). */
void ipc_channel_flush(struct ipc_channel *channel);

enum ipc_call_result {
    IPC_CALL_OK,
    IPC_CALL_TIMED_OUT,
    IPC_CALL_CLOSED,   /* the channel closed, or was closed or full */
    IPC_CALL_CANCELLED /* the calling task is to end */
};

/* From a task: sends a request and parks until its reply, of exactly reply_type, is in *reply with
 * its spans copied into the arena. */
MUST_USE enum ipc_call_result ipc_channel_call(struct ipc_channel *channel, enum ipc_type type,
                                               const void *message, enum ipc_type reply_type,
                                               void *reply, struct arena *arena,
                                               int64_t deadline_ms);

/* From anywhere: the callback gets the reply (NULL unless IPC_CALL_OK; to be used before it
 * returns) exactly once, never before this function has returned. False: nothing was sent and the
 * callback is never called. */
typedef void ipc_call_done(enum ipc_call_result result, void *reply, void *context);
MUST_USE bool ipc_channel_call_async(struct ipc_channel *channel, enum ipc_type type,
                                     const void *message, enum ipc_type reply_type,
                                     int64_t deadline_ms, ipc_call_done *done, void *context);

/* Called once for each channel that ends, before its descriptor is closed; is_lost: not by its own
 * process's wish. One hook for the process (NULL: none). */
typedef void ipc_end_hook(int descriptor, bool is_lost);
void ipc_channel_set_end_hook(ipc_end_hook *hook);

/* Called with every message sent and received, for people who watch the traffic (NULL: nobody). */
typedef void ipc_trace(const struct ipc_channel *channel, bool is_sent, enum ipc_type type,
                       uint32_t id, const void *message);
void ipc_channel_set_trace(ipc_trace *trace);

#endif
