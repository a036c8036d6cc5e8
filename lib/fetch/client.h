/* fetch/client - have fetchd do a request over HTTPS, from a task.
 * Interface: fetch_client_init(), fetch_client_attach(), fetch(). What comes back is an answer,
 * always: where fetchd is gone, FETCH_UNAVAILABLE.
 * Callers: stsd, reportd, authd; fetchd for the numbers. */
#ifndef FETCH_CLIENT_H
#define FETCH_CLIENT_H

#include "base/buffer.h"
#include "ipc/channel.h"

enum fetch_kind {
    FETCH_STS_POLICY,    /* stsd: the target is a domain, whose MTA-STS policy is read (RFC 8461) */
    FETCH_TLS_REPORT,    /* reportd: the target is an https URI, to which the body is POSTed */
    FETCH_INTROSPECTION, /* authd: the body is POSTed to auth_oauth2_introspection_url (RFC 7662) */
    FETCH_KIND_COUNT
};

enum fetch_result {
    FETCH_ANSWERED, /* http_status and, but for reports, content_type and body are the server's */
    FETCH_UNREACHABLE, /* no address, no connection, no answer in time, or one that is none */
    FETCH_UNTRUSTED,   /* the server's certificate does not say that it is the one */
    FETCH_TOO_LARGE,   /* the body is; http_status is known */
    FETCH_REFUSED,     /* this may not be asked */
    FETCH_UNAVAILABLE, /* fetchd is not there, has no room or nobody to trust: ask again later */
    FETCH_RESULT_COUNT
};

enum {
    FETCH_BODY_MAX_BYTES = 65536, /* of an answer */
    FETCH_POST_MAX_BYTES = 49152
};

struct fetch_client {
    struct loop *loop;
    struct ipc_channel *channel; /* NULL while there is none */
    struct list waiting;
    uint32_t serial;
};

struct fetch_request {
    enum fetch_kind kind;
    struct span target;
    struct span content_type;  /* of the body */
    struct span authorization; /* value of that header field; empty: none */
    struct span body;
    uint32_t timeout_ms; /* of the whole request; fetchd has an upper limit of its own */
};

/* The texts are the arena's. */
struct fetch_answer {
    enum fetch_result result;
    uint32_t http_status;
    struct span content_type;
    struct span body;
    struct span reason; /* for the log, where there is no answer */
};

void fetch_client_init(struct fetch_client *client, struct loop *loop);
/* Takes over a channel end to fetchd in place of the one before. */
void fetch_client_attach(struct fetch_client *client, int descriptor);
/* From a task; the arena holds the answer, up to FETCH_BODY_MAX_BYTES and some. */
void fetch(struct fetch_client *client, const struct fetch_request *request, struct arena *arena,
           struct fetch_answer *answer);

#endif
