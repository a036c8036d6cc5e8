/* dns/client - ask dnsd, from a task.
 * Interface: dns_client_attach(), dns_lookup(), dns_lookup_many(). What comes back is an
 * answer, always: where dnsd is gone or silent, a temporary one.
 * Callers: smtpd, smtp; dns/hosts for what they usually want. */
#ifndef DNS_CLIENT_H
#define DNS_CLIENT_H

#include "dnswire/answer.h"
#include "ipc/channel.h"

enum {
    DNS_LOOKUPS_AT_ONCE_MAX = 32,
    /* How long a question waits for a new dnsd when the old one went away. */
    DNS_CLIENT_PATIENCE_MS = 5000
};

struct dns_client {
    struct ipc_channel *channel; /* NULL while there is none */
};

/* Takes over the descriptor of a channel to dnsd, in place of the one before. */
void dns_client_attach(struct dns_client *client, struct loop *loop, int descriptor);

struct dns_request {
    struct span name; /* text */
    uint16_t type;
};

/* A name that cannot be written in DNS is one that does not exist (DNS_NO_SUCH_NAME). Records and
 * texts of the answer are the arena's. */
void dns_lookup(struct dns_client *client, struct span name, uint16_t type, int64_t deadline_ms,
                struct arena *arena, struct dns_answer *answer);
/* All at once, at most DNS_LOOKUPS_AT_ONCE_MAX: returns when every answer is there. */
void dns_lookup_many(struct dns_client *client, const struct dns_request *requests, size_t count,
                     int64_t deadline_ms, struct arena *arena, struct dns_answer *answers);

#endif
