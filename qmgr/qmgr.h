/* qmgr/qmgr - what the modules of the queue manager share.
 * The event loop decides, threads of the pool touch the disk. One struct qmgr per process.
 * Design: ARCHITECTURE.md, "A message's life". */
#ifndef QMGR_QMGR_H
#define QMGR_QMGR_H

#include "base/map.h"
#include "conf/qmgr.h"
#include "queuefile/digest.h"
#include "service/service.h"
#include "steady.h"
#include "system/file.h"
#include "system/pool.h"

struct intake_peer;
struct agent;
struct transport;

struct qmgr {
    struct service *service;
    struct loop *loop;
    const struct conf_qmgr *settings;
    struct pool *pool;

    /* The disk. */
    int queue_directory;
    int new_directory, tmp_directory, deferred_directory;
    int lock_descriptor;
    bool has_lock; /* before that nothing in the queue is touched */
    uint8_t key_bytes[QUEUE_KEY_BYTES];
    uint8_t id_mark[4]; /* how the random bits of ids begin that this process gives out */
    char mark[9];       /* the same as text: in deferrals of which it saw every attempt end */
    int probe_content;  /* what agents get with a probe */

    /* Messages in memory. */
    struct map messages; /* by queue id */
    size_t recipient_count;
    uint64_t next_delivery;          /* number of the next delivery */
    size_t ready_count, ready_limit; /* messages that are open for their first delivery */

    /* Who brings mail. */
    struct list intake_peers;
    struct outcome intake_state;
    uint64_t available_bytes;
    struct space *space;
    struct loop_timer drain_timer;
    struct loop_hook leave_hook;
    int64_t drain_deadline_ms;
    bool is_space_known; /* peers have been told */

    bool is_flushing; /* one site, because a client asked for it */

    /* Messages on disk that may not go yet: origin.h. */
    struct map origins_awaited;    /* struct awaited by the original's id */
    struct list origins_settled;   /* messages whose wait is over */
    struct list origins_in_commit; /* messages made of others, while they are being committed */
    struct loop_hook origin_hook;
    bool is_origin_retry_set;

    /* Messages that lay in new/ when we came: recovered.h. */
    struct map recovered;         /* struct recovered by queue id */
    struct list recovered_eldest; /* the same, in the order of their time */
    struct loop_timer recovered_timer;
    int64_t recovery_ends_ms;

    /* Dropped files of messages that are in the queue. */
    struct map sources; /* struct source by queue id */
    bool are_sources_settled;

    /* Who routes and delivers. */
    struct ipc_channel *addrd;
    struct list unrouted; /* messages that wait for addrd */
    bool is_route_retry_set;
    struct map transports;
    struct list agents;
    int64_t agents_expected_until_ms; /* after a start they are coming */
    struct map in_flight;             /* struct entry by number of its delivery */
    struct list orphans;              /* results of deliveries that an earlier qmgr began */
    struct loop_hook dispatch_hook;

    struct list losses;   /* who had what when it died: poison.c */
    struct list poisoned; /* messages to be set aside unread */

    /* Who reports. */
    struct list bouncers;           /* struct bouncer */
    struct list unreported;         /* messages that wait for a bouncer */
    int64_t unreported_deadline_ms; /* when they have waited enough */

    struct steady steady; /* whether the clock may be trusted */

    /* Reading the queue. */
    struct scan *scan;
    struct list tools;  /* struct tool_peer: commands that are connected */
    size_t showq_count; /* readers of public/showq */
};

/* A message needs room in the active set. */
bool qmgr_has_room(const struct qmgr *qmgr);

#endif
