/* agent/agent - a delivery agent's side of its channel with qmgr: deliveries come in, results go
 * out and are kept until they are acknowledged.
 * A message lives until its last result was acknowledged, and so does its descriptor, whose lock
 * tells a new qmgr that this delivery is not to be begun again. A worker process runs an agent too,
 * with its dispatcher in qmgr's place.
 * Callers: local, virtual, error, discard. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/content.h"
#include "ipc/channel.h"
#include "maillog/log.h"
#include "queuefile/envelope.h"

struct agent;

struct agent_recipient {
    struct agent_message *message;
    uint32_t index; /* in the message's envelope */
    struct span recipient;
    struct span original; /* empty: the same */
    struct span mailbox;  /* below virtual_mailbox_base; empty: none given */
    struct span orcpt;    /* as received; empty: absent */
    uint32_t notify;      /* QUEUE_NOTIFY_ */
    bool is_finished;
    void *context; /* the caller's */
};

struct agent_message {
    struct list_link link;
    struct agent *agent;
    struct arena arena;         /* the caller may use it, too */
    struct ipc_deliver deliver; /* as received; its content is below */
    struct message_content content;
    struct queue_envelope envelope;
    struct agent_recipient *recipients;
    size_t recipient_count;
    size_t pending_count;
    uint64_t started_us;
    bool is_corrupt;

    /* agent's own */
    struct buffer results; /* not sent yet */
    struct list sent;      /* not acknowledged yet */
    uint32_t next_serial;
    bool has_sent_last;
    bool is_former; /* a channel before the present one brought it */
};

struct agent_settings {
    struct span relay;   /* "virtual", for log lines */
    struct maillog *log; /* NULL: somebody else writes the lines */
    bool is_soft_bouncing;
    /* Another code and text for an outcome; a new reason is the arena's. NULL: they stay. */
    void (*change_outcome)(void *context, struct outcome *outcome, struct arena *arena);
    void *change_context;
    uint32_t capacity; /* deliveries at once */
    /* Workers have the descriptor of a message, too. One that hangs has it open for as long as it
     * likes: when all is acknowledged the lock is given up, or no qmgr could read the message
     * again, for its other recipients. */
    bool has_workers;
    /* A worker itself: what a dispatcher that is gone has left on the channel is not begun, since
     * it may have given that to another. */
    bool is_worker;
    /* deliver() knows messages that are only to be verified (agent_is_verification()). Where it
     * does not, their recipients count as deliverable, and it never sees them. */
    bool takes_verification;
    /* Begins all recipients of a message; each ends with one agent_finish(), now or later. */
    void (*deliver)(struct agent_message *message, void *context);
    void *context;
    /* The channel closed; a new one may be attached. May be NULL. */
    void (*on_closed)(struct agent *agent, void *context);
    void *on_closed_context;
    /* Dispatchers may ask their workers: local's ALIAS_ASK, virtual's OWNERS_ASK. NULL: nothing is
     * asked. */
    void (*on_question)(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                        void *context);
};

/* Keeps a copy of the settings. NULL when memory is out. */
MUST_USE struct agent *agent_create(struct loop *loop, const struct agent_settings *settings);

/* Takes over a channel end, in place of the one before, and repeats what is not acknowledged. What
 * the one before brought keeps its places until it is over. */
void agent_attach(struct agent *agent, int descriptor, enum ipc_role peer);
/* sendmail -bv, or an address probe: say what would become of it, and deliver nothing. */
static inline bool agent_is_verification(const struct agent_message *message)
{
    return (message->envelope.flags & QUEUE_FLAG_VERIFY) != 0;
}
/* The outcome's reason is copied. The message may be gone afterwards. */
void agent_finish(struct agent_recipient *recipient, struct outcome outcome);
/* The same with more than an outcome. A result that names a transport is no attempt: the log line
 * will be that transport's. The index is filled in. */
void agent_finish_result(struct agent_recipient *recipient,
                         const struct ipc_recipient_result *result);
/* The channel of now, to ask the peer something; NULL: none. */
struct ipc_channel *agent_channel(const struct agent *agent);
/* Is the peer gone, though its last messages may be on their way? To be asked by whom something has
 * held up for longer than he can know. */
MUST_USE bool agent_is_deserted(const struct agent *agent);

/* Recipients under way, and messages that are under way or wait for an acknowledgement. */
size_t agent_pending_count(const struct agent *agent);
size_t agent_message_count(const struct agent *agent);
/* Takes no further deliveries, and calls once when there are no messages left. */
void agent_drain(struct agent *agent, void (*drained)(void *context), void *context);

#endif
