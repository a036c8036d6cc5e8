/* smtp/delivery - one order of qmgr's: some recipients of one message to one next hop.
 * A task of its own tries hosts in turn until every recipient has a result, or none is left to try;
 * what became of each is logged and reported to smtp/agent, which keeps it until qmgr has it.
 * Callers: smtp/agent (starts it), smtp/transaction (tells results). */
#ifndef SMTP_DELIVERY_H
#define SMTP_DELIVERY_H

#include "agent.h"
#include "queuefile/envelope.h"
#include "queuefile/preamble.h"
#include "connection.h"

enum { DELIVERY_ARENA_BYTES = 8 << 20 };

struct delivery_recipient {
    uint32_t index; /* in the message's envelope */
    struct span address;
    struct span original; /* empty when the same */
    struct span orcpt;
    uint32_t notify;
    bool is_done;                /* its result is given */
    bool will_report;            /* the server took NOTIFY= over: RFC 3461 section 5.2.1 */
    bool is_answered;            /* by the server, in the transaction under way */
    bool is_accepted;            /* and well */
    bool is_settled;             /* this server need not be asked about it again */
    struct span outward_address; /* what strangers call it: smtp_generic_maps */
    struct span wire_address;
    /* Why it is not delivered yet, and by whose word; reason empty: not tried. */
    struct failure failure;
    bool may_succeed_later; /* at one of the hosts, as far as anybody could find out */
    struct span remote;     /* host name; empty: none was reached */
    struct span relay;      /* for the log */
    unsigned connection_use;
};

struct delivery {
    struct list_link link; /* of the agent */
    struct agent *agent;
    struct arena arena;
    struct span queue_id;
    uint64_t number; /* qmgr's name for it */
    int content;     /* descriptor; open until the last result is acknowledged */
    struct queue_extent extents[QUEUE_EXTENT_MAX];
    size_t extent_count;
    struct queue_envelope envelope;
    struct span nexthop;
    struct span reverse_path; /* likewise what strangers see */
    struct span header;       /* takes the place of the content's; empty: it leaves as it is */
    struct delivery_recipient *recipients;
    size_t recipient_count;
    bool is_former;    /* a qmgr before the present one ordered it */
    bool is_corrupt;   /* the content is not what intake wrote */
    bool was_reached;  /* some server took our commands: the site is not dead */
    bool is_continued; /* a further transaction with the same server */
    /* For delays=. */
    uint64_t active_us;
    uint64_t started_us;
    uint64_t connected_us;
    struct span last_noted; /* the failure that was last logged on the way */
    struct agent_reports reports;
};

/* Reads the order, whose content descriptor it takes; starts the task. False, with nothing taken,
 * when memory is out or the order makes no sense. */
MUST_USE bool delivery_start(struct agent *agent, struct ipc_deliver *order);
/* When the last report is acknowledged. */
void delivery_destroy(struct delivery **delivery);

/* The message is to go over TLS that is verified, to servers that promise as much, or nowhere
 * (RFC 8689). Reports go on all the same (section 5). */
MUST_USE bool delivery_requires_tls(const struct delivery *delivery);
/* Recipients without a result. */
MUST_USE size_t delivery_open_count(const struct delivery *delivery);
/* Final: delivered. text is the server's reply. */
void delivery_succeed(struct delivery *delivery, struct delivery_recipient *recipient,
                      const struct connection *connection, struct span text);
/* A permanent failure is final; after a temporary one another host may be tried. connection may be
 * NULL. */
void delivery_fail(struct delivery *delivery, struct delivery_recipient *recipient,
                   const struct connection *connection, const struct failure *failure);
/* The same for every recipient without a result. */
void delivery_fail_all(struct delivery *delivery, const struct connection *connection,
                       const struct failure *failure);

#endif
