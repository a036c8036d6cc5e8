/* pickup/pickup - what the modules of pickup share. One struct pickup per process.
 * Design: man/pickup.8. */
#ifndef PICKUP_PICKUP_H
#define PICKUP_PICKUP_H

#include "addr/client.h"
#include "base/map.h"
#include "conf/pickup.h"
#include "intake/header.h"
#include "intake/intake.h"
#include "service/service.h"

enum { PICKUP_POISONED_MAX = 64 };

struct pickup {
    struct service *service;
    const struct conf_pickup *settings;
    struct intake_header_rules rules;
    struct intake intake;
    struct addr_client addr;
    int maildrop;     /* the directory */
    int notice;       /* of inotify, or -1 */
    bool is_trusting; /* not root's instance: everything is one user's */

    /* spool: what lies there and has not been taken. */
    struct map dropped;        /* struct dropped by queue id */
    struct list owners;        /* struct owner that have some, the next one's turn first */
    size_t taking_count;       /* tasks that take one in */
    uint32_t asked_generation; /* of the queue manager's channel whose answer is known */
    bool is_asking;            /* it is being asked what it has */
    bool is_scan_wanted;
    struct event notice_event;
    struct loop_timer scan_timer;
    int64_t last_complaint_ms;

    /* take: files whose work has killed pickup; the next one takes the place of the eldest. */
    char poisoned[PICKUP_POISONED_MAX][QUEUE_ID_MAX_BYTES + 1];
    size_t poisoned_count;
};

#endif
