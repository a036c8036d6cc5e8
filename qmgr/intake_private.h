/* qmgr/intake_private - a process that makes messages, as intake_peer.c and intake_commit.c share
 * it. */
#ifndef QMGR_INTAKE_PRIVATE_H
#define QMGR_INTAKE_PRIVATE_H

#include "ipc/channel.h"
#include "qmgr.h"
#include "queuefile/id.h"

enum { ENVELOPE_MAX_BYTES = 32 << 20 };

/* Who brings mail from outside. */
#define SERVERS (IPC_ROLE_BIT(IPC_ROLE_SMTPD) | IPC_ROLE_BIT(IPC_ROLE_SUBMITD))
/* Who can wait when there is no room: TLS reports, too. */
#define THROTTLED (SERVERS | IPC_ROLE_BIT(IPC_ROLE_REPORTD))

struct grant {
    struct map_node node; /* in peer->grants */
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    int descriptor;
    struct buffer recipients; /* batches that came ahead of the commit */
};

/* More answers than can be on their way to a client. */
enum { ANSWERED_KEPT = 1024 };

struct intake_peer {
    struct list_link link;
    struct qmgr *qmgr;
    struct ipc_channel *channel; /* NULL when the process is gone */
    enum ipc_role role;
    struct map grants;
    size_t batched_bytes; /* recipients of all grants that came ahead of their commits */
    uint32_t wanted_count;
    uint32_t making_count; /* files being created */
    bool is_retry_set;     /* files could not be created; it is tried again in a while */
    unsigned user_count;   /* jobs and commits under way */
    struct loop_hook refill_hook;
    /* Those whose commit was answered last; the next one takes the place of the eldest. */
    char answered[ANSWERED_KEPT][QUEUE_ID_MAX_BYTES + 1];
    uint32_t answered_count;
};

/* A job or commit of the peer is over; frees a peer that is gone and has no more of them. */
void intake_peer_unuse(struct intake_peer *peer);
/* Ids in place of those that are used up, at the end of this turn. */
void intake_peer_refill(struct intake_peer *peer);
/* NULL: no such id was given to it. */
struct grant *intake_find_grant(struct intake_peer *peer, struct span queue_id);
/* Frees it; its descriptor is somebody else's now. */
void intake_forget_grant(struct intake_peer *peer, struct grant *grant);
/* Frees it and has its file removed. */
void intake_abandon_grant(struct intake_peer *peer, struct grant *grant);

/* Answers request_id, now or when the message is on disk. */
void intake_on_commit(struct intake_peer *peer, uint32_t request_id,
                      const struct ipc_queue_commit *request);

#endif
