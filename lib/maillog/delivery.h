/* maillog/delivery - the line of delivery agents, one for each recipient and attempt.
 * The shape is Postfix's; log analysers depend on the order of its fields. */
#ifndef MAILLOG_DELIVERY_H
#define MAILLOG_DELIVERY_H

#include "base/outcome.h"
#include "maillog/log.h"

enum log_delivery_status {
    LOG_DELIVERY_SENT,
    LOG_DELIVERY_DEFERRED,
    LOG_DELIVERY_BOUNCED,
    LOG_DELIVERY_SOFT_BOUNCED /* would have bounced, but soft_bounce is set */
};

struct log_delivery {
    struct span recipient;
    struct span original_recipient; /* shown when it differs from the recipient */
    struct span relay;              /* "mx.example.net[198.51.100.4]:25", "local"; empty: "none" */
    unsigned connection_use;        /* messages over this connection, this one included; 0: none */
    /* Where the time went; their sum is the delay. */
    uint64_t before_queue_us; /* from the client's first byte until qmgr took it up */
    uint64_t in_queue_us;     /* until the agent got it */
    uint64_t connection_us;   /* until the connection stood, its greeting and TLS included */
    uint64_t transmission_us;
    struct enhanced_status dsn;
    enum log_delivery_status status;
    bool is_verification; /* nothing was delivered: status=deliverable or undeliverable */
    struct span text;     /* "250 2.0.0 Ok: queued as ...", "delivered to maildir" */
};

/* QID: to=<R>, orig_to=<O>, relay=..., conn_use=N, delay=D, delays=A/B/C/D, dsn=X.Y.Z, status=sent
 * (TEXT) */
void maillog_delivery(struct maillog *log, struct span queue_id,
                      const struct log_delivery *delivery);

/* Seconds with two significant digits, at most so many behind the point (0 to 6), trailing zeros
 * left out: 0.09 1.2 15 301. */
void maillog_put_delay(struct buffer *line, uint64_t delay_us, unsigned digits);

#endif
