/* qmgr/agent - the processes that deliver: their channels, what they have in flight, results.
 * Files: agent.c (channels), deliver.c (handing out), result.c (results and acknowledgements). */
#ifndef QMGR_AGENT_H
#define QMGR_AGENT_H

#include "message.h"
#include "schedule.h"

struct agent {
    struct list_link link;           /* in qmgr->agents */
    struct list_link transport_link; /* in transport->agents */
    struct qmgr *qmgr;
    struct transport *transport;
    struct ipc_channel *channel;
    enum ipc_role role;
    uint32_t process_number;
    size_t capacity;         /* deliveries at once: as it said, within bounds */
    struct list in_flight;   /* struct entry */
    size_t unheard_count;    /* deliveries that are over, but the agent has yet to be told */
    size_t opening_count;    /* deliveries whose file is being opened, before it is told of them */
    size_t unanswered_count; /* deliveries that it was given since it last said a word */
};

/* A new delivery process. */
void agent_attach(struct qmgr *qmgr, const struct service_peer *peer, int descriptor);
/* Whether any process delivers for a transport of that name now. */
MUST_USE bool agent_serves(struct qmgr *qmgr, struct span transport);
/* It reads what it is given: otherwise deliveries would wait for it, each with a descriptor, while
 * others of the transport have room. When it has, its results say so. */
MUST_USE bool agent_reads(const struct agent *agent);
/* And it may be given more at once. */
MUST_USE bool agent_keeps_up(const struct agent *agent);
/* Whether with the transport's agents mail is at its end (local, virtual, error, discard): there is
 * no site that could be slow. */
bool agent_is_final(const struct transport *transport);

/* deliver.c: hands the entry to the agent; on trouble the recipients are put off. */
void agent_deliver(struct agent *agent, struct entry *entry);

/* result.c */
void agent_take_result(struct agent *agent, const struct ipc_deliver_result *result);
/* To whatever process it is, if it still lives. */
void agent_acknowledge(struct qmgr *qmgr, struct span queue_id,
                       const struct acknowledgement *acknowledgement);
/* Results that came from deliveries that an earlier qmgr began; asked when the message is read.
 * Applies and forgets those of this message. */
void result_apply_orphans(struct qmgr *qmgr, struct message *message);
/* Has those messages read that are not in memory. */
void result_want_orphans(struct qmgr *qmgr);
bool result_is_awaited(struct qmgr *qmgr, struct span queue_id);
/* The message is not in the queue any more. */
void result_forget_orphans(struct qmgr *qmgr, struct span queue_id);

#endif
