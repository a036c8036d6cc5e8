/* qmgr/schedule - which delivery is next: queues per destination, agents per transport.
 * A destination is a transport and a next hop. Each has a window of deliveries at once (window.h)
 * and perhaps a rest between them; ready destinations take turns, so that one with a long queue
 * does not go before one with a short one, and the messages of one destination take turns, too.
 * While small messages wait, a large one gets one delivery in a few. Until a destination has taken
 * mail once it is unproven: unproven ones hold at most three quarters of a transport's capacity,
 * and beyond half of it one delivery each, so that dead sites leave room for live ones. A site that
 * failed is left alone for a while: its mail is put off untried. For local and virtual the mailbox
 * is the destination that could be slow, and their workers serve many: only capacity bounds them.
 * Where a delivery is for one recipient (TRANSPORT_destination_recipient_limit), the destination is
 * the recipient, and so are window, rest and back-off.
 * Files: schedule.c (queues, and what follows a delivery), destination.c (how transports and
 * destinations come and go), dispatch.c (choosing). */
#ifndef QMGR_SCHEDULE_H
#define QMGR_SCHEDULE_H

#include "message.h"
#include "system/clock.h"
#include "window.h"

struct destination;

/* Some recipients of one message for one destination: what an agent gets at once. */
struct entry {
    struct list_link link;         /* waiting: in the destination; in flight: with the agent */
    struct list_link message_link; /* waiting: in the message */
    struct entry *next;            /* of the same message: takes this one's place when it goes */
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

/* Of messages, by how many deliveries they make: the small ones go before the large ones. */
enum entry_class { CLASS_SMALL, CLASS_LARGE, CLASS_COUNT };

struct destination {
    struct map_node node; /* in transport->destinations */
    struct transport *transport;
    struct list waiting[CLASS_COUNT];         /* struct entry: the first of each message */
    struct list_link ready_link[CLASS_COUNT]; /* on one of the transport's lists ... */
    struct list *ready_on[CLASS_COUNT];       /* ... this one; NULL: nothing to do now */
    struct list_link idle_link;
    struct entry *filling; /* the last one, while its message adds recipients */
    size_t waiting_count;  /* recipients */
    size_t in_flight_count;
    int64_t busy_since_ms; /* and how many recipients have had their turn since: share.h */
    size_t done_count;
    struct window window;
    bool is_proven;
    int64_t idle_since_ms;
    int64_t rests_until_ms;     /* 0, or the time between its deliveries is not over */
    int64_t suspended_until_ms; /* 0: not suspended */
    int64_t suspended_since_ms;
    char *suspension; /* why */
    struct outcome suspension_outcome;
    uint32_t warm_process; /* the agent process that holds a connection */
    struct span nexthop;   /* the end of the name */
    char name[];
};

struct transport {
    struct map_node node; /* in qmgr->transports */
    struct qmgr *qmgr;
    struct map destinations;
    struct list agents, idle;
    /* Destinations with mail for which a delivery may begin, unproven and proven ones; those whose
     * mail is put off; and those that rest. */
    struct list ready[CLASS_COUNT][2];
    struct list suspended[CLASS_COUNT];
    struct list resting[CLASS_COUNT];
    size_t waiting_count; /* recipients */
    size_t in_flight_count, unproven_count;
    int64_t agents_expected_until_ms; /* after one died, a new one is coming */
    struct loop_timer rest_timer;
    /* Settings. */
    struct window_rules window_rules;
    size_t recipient_limit;
    bool is_by_recipient; /* the limit is one: each recipient is a destination */
    size_t large_count;   /* a message with more recipients is large */
    int64_t slot_cost;
    int64_t destination_rest_ms, rest_ms;
    bool is_deferred; /* defer_transports */
    /* Turns. */
    int64_t small_run; /* small deliveries since the last large one */
    bool is_proven_turn;
    int64_t rests_until_ms;
    int64_t clog_warned_ms;
    uint32_t warm_process; /* of any destination, where these are recipients */
    char name[];
};

MUST_USE bool schedule_init(struct qmgr *qmgr);
/* The recipient waits for an agent. False when memory is out. */
MUST_USE bool schedule_recipient(struct message *message, uint32_t index, struct span transport,
                                 struct span nexthop);
/* No further recipient of it joins the open entries; and if it is on disk they may go. */
void schedule_message(struct message *message);
/* Those of its entries go of whose recipients none waits any more, without waiting for the site. */
void schedule_drop(struct message *message);
/* NULL when memory is out. */
struct transport *schedule_transport(struct qmgr *qmgr, struct span name);
/* Agents or capacity have changed. */
void schedule_wake(struct qmgr *qmgr);
/* The delivery is over; the entry is freed. site: OK, or why the next hop is bad, or
 * NULL when it was not asked. */
void schedule_finished(struct entry *entry, const struct outcome *site);
/* The agent is gone, or was not given the delivery: recipients without a result go back to the
 * queue. */
void schedule_returned(struct entry *entry, bool was_handed_over);
/* Every suspension ends now (flush); or of one next hop. */
void schedule_forget_suspensions(struct qmgr *qmgr, struct span site);
/* Called each second: destinations that have been idle for a while go, and transports without
 * agents are looked at again. */
void schedule_sweep(struct qmgr *qmgr);

/* ---- between schedule.c, destination.c and dispatch.c ---- */

/* The one for which the recipient waits. NULL when memory is out. */
struct destination *schedule_destination(struct transport *transport, const struct message *message,
                                         uint32_t index, struct span nexthop);
void schedule_on_rest_over(void *transport);

/* After any change of the destination: puts it on the list where it belongs. */
void schedule_place(struct destination *destination);
/* To the end of its list: it has had its turn. */
void schedule_take_turn(struct destination *destination, enum entry_class class);
/* The transport delivers nothing before that time. */
void schedule_rest(struct transport *transport, int64_t until_ms);
static inline struct destination *schedule_of_link(struct list_link *link, enum entry_class class)
{
    return CONTAINER_OF(link - class, struct destination, ready_link[0]);
}
static inline bool schedule_is_suspended(const struct destination *destination)
{
    return destination->suspended_until_ms > clock_monotonic_ms();
}
/* The deliveries that the transport's agents take at once. */
size_t schedule_capacity(const struct transport *transport);
/* No longer waiting; the next one of its message comes forward. */
void schedule_take_off(struct entry *entry);
void schedule_free_entry(struct entry *entry);
/* Puts off untried what of the entry still waits, and frees it. */
void schedule_put_off(struct entry *entry, const struct outcome *outcome);
/* Runs in the loop after schedule_wake(). */
void dispatch(struct loop_hook *hook);

#endif
