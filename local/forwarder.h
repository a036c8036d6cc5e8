/* local/forwarder - mail for other addresses made of a message that is being delivered: the content
 * as it is, with Received and Delivered-To in front.
 * Callers: local/stages. For tasks of the dispatcher, which opens nothing and holds the
 * descriptors. */
#ifndef LOCAL_FORWARDER_H
#define LOCAL_FORWARDER_H

#include "addr/client.h"
#include "agent/agent.h"
#include "conf/local.h"
#include "intake/intake.h"

struct forwarder {
    const struct conf_local *settings;
    struct intake intake;
    struct addr_client addr;
    struct maillog *log;
};

struct forward_request {
    struct agent_recipient *recipient; /* of the message that goes on */
    struct span addresses;             /* RECORDS of ADDR_RECIPIENT */
    struct span list_owner;            /* the new sender; empty: it stays */
    bool is_all;                       /* with the commit the recipient is delivered */
    bool has_delivered_to;
};

/* Asks addrd and qmgr. OK: the message is in the queue, under the id in queue_id. The outcome's
 * reason lives in the arena. */
MUST_USE struct outcome forwarder_send(struct forwarder *forwarder,
                                       const struct forward_request *request, struct arena *arena,
                                       char queue_id[QUEUE_ID_MAX_BYTES + 1]);

#endif
