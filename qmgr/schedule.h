/* qmgr/schedule - which delivery is next: queues per destination, agents per transport.
 * A destination is a transport and a next hop. Each has a window of deliveries at once; ready
 * destinations take turns, so that one with a long queue does not go before one with a short one.
 * Until a destination has taken mail once it is unproven: unproven ones hold at most three quarters
 * of a transport's capacity, and beyond half of it one delivery each, so that dead sites leave room
 * for live ones. A site that failed is left alone for a while: its mail is put off untried.
 * For local and virtual the mailbox is the destination that could be slow, and their workers serve
 * many: only capacity bounds them. */
#ifndef QMGR_SCHEDULE_H
#define QMGR_SCHEDULE_H

#include "message.h"

struct destination;

/* Some recipients of one message for one destination: what an agent gets at once. */
struct entry {
    struct list_link link; /* waiting: in the destination; in flight: with the agent */
    struct message *message;
    struct destination *destination;
    uint32_t *indexes; /* recipients */
    size_t count, capacity;
    size_t size_bytes;    /* of its recipients in a DELIVER */
    uint64_t number;      /* of the delivery when in flight */
    struct map_node node; /* in qmgr->in_flight by number */
    struct agent *agent;
    unsigned return_count; /* agents that went away with it */
};

struct destination {
    struct map_node node; /* in transport->destinations */
    struct transport *transport;
    struct list_link ready_link, idle_link;
    struct list entries;
    struct entry *filling; /* the last one, while its message adds recipients */
    size_t in_flight_count;
    bool is_proven;
    int64_t idle_since_ms;
    int64_t suspended_until_ms; /* 0: not suspended */
    char *suspension;           /* why */
    struct outcome suspension_outcome;
    uint32_t warm_process; /* the agent process that holds a connection */
    char nexthop[];
};

struct transport {
    struct map_node node; /* in qmgr->transports */
    struct qmgr *qmgr;
    struct map destinations;
    struct list agents, ready, idle;
    size_t in_flight_count, unproven_count;
    int64_t agents_expected_until_ms; /* after one died, a new one is coming */
    size_t recipient_limit, concurrency_limit, initial_concurrency;
    char name[];
};

MUST_USE bool schedule_init(struct qmgr *qmgr);
/* The recipient waits for an agent. False when memory is out. */
MUST_USE bool schedule_recipient(struct message *message, uint32_t index, struct span transport,
                                 struct span nexthop);
/* No further recipient of it joins the open entries; and if it is on disk they may go. */
void schedule_message(struct message *message);
/* NULL when memory is out. */
struct transport *schedule_transport(struct qmgr *qmgr, struct span name);
/* Agents or capacity have changed. */
void schedule_wake(struct qmgr *qmgr);
/* The delivery is over; the entry is freed. site: OK, or why the next hop is bad, or
 * NULL when it was not asked. */
void schedule_finished(struct entry *entry, const struct outcome *site);
/* The agent is gone: recipients without a result go back to the queue. */
void schedule_returned(struct entry *entry);
/* Every suspension ends now (flush); or of one next hop. */
void schedule_forget_suspensions(struct qmgr *qmgr, struct span site);
/* Called each second: destinations that have been idle for a while go, and transports without
 * agents are looked at again. */
void schedule_sweep(struct qmgr *qmgr);

#endif
