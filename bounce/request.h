/* bounce/request - one BOUNCE message from qmgr, taken apart.
 * Pure. Callers: bounce/clients, bounce/writer. */
#ifndef BOUNCE_REQUEST_H
#define BOUNCE_REQUEST_H

#include "dsn/report.h"
#include "ipc/message.h"
#include "queuefile/envelope.h"

struct bounce_request {
    struct span queue_id;
    enum dsn_kind kind;
    struct span sender;             /* who is told; empty: the envelope's reverse-path */
    int64_t retry_until_s;          /* when qmgr will give up; 0: not said */
    struct queue_envelope envelope; /* of the original; without recipients */
    struct dsn_recipient *recipients;
    size_t recipient_count;
    struct span indexes; /* of these in the original: queuefile/ranges */
};

/* The results live in the arena and in the message's texts. PARSE_TOO_LONG: the arena is at its
 * cap. */
MUST_USE enum parse_result bounce_request_decode(const struct ipc_bounce *message,
                                                 struct arena *arena,
                                                 struct bounce_request *request);

#endif
