/* sasl/client - the client's side of an exchange.
 *
 * sasl_client_start() gives what goes with the name of the mechanism, if anything does;
 * sasl_client_step() the answer to each challenge; when the server says that it is satisfied,
 * sasl_client_finish() says whether it has shown that it knows the password, where the mechanism
 * has that. Nothing is kept outside the arena, which the caller makes with ARENA_WIPE
 * (SASL_ARENA_BYTES) and gives up when the exchange ends.
 *
 * Pure. SCRAM takes as long as the server's iterations ask for, SCRAM_ITERATIONS_MAX at most.
 * Programs that use it link SASL_LIBS. Callers: authd (relaying), tests. */
#ifndef SASL_CLIENT_H
#define SASL_CLIENT_H

#include "base/arena.h"
#include "sasl/mechanism.h"
#include "sasl/scram.h"

enum sasl_client_failure {
    SASL_CLIENT_MALFORMED,   /* a challenge that the mechanism does not have */
    SASL_CLIENT_UNPROVEN,    /* the server does not know the password */
    SASL_CLIENT_ITERATIONS,  /* it asks for so few that guessing is easy, or for too many */
    SASL_CLIENT_REFUSED,     /* server_text says why */
    SASL_CLIENT_CREDENTIALS, /* a name or password that this mechanism cannot send */
    SASL_CLIENT_BINDING,     /* -PLUS, and the connection has no binding */
    SASL_CLIENT_TEMPORARY    /* memory, libcrypto */
};

struct sasl_client_event {
    bool has_failed;
    enum sasl_client_failure failure;
    bool has_message;        /* after start: there is an initial response */
    struct span message;     /* before base64; may be empty */
    struct span server_text; /* a reason that the server gave; to be cleaned before it is shown */
};

struct sasl_client_config {
    enum sasl_mechanism mechanism;
    struct span user, authzid; /* authzid empty: for the user; ANONYMOUS: user is the trace */
    struct span secret;        /* password, or token */
    struct span nonce;         /* SCRAM: of sasl_nonce_print(), new for each exchange */
    struct sasl_bindings bindings;
    /* SCRAM: the server offers this mechanism's -PLUS form. */
    bool server_offers_plus;
    struct span host; /* OAUTHBEARER: the server, as it was looked for */
    unsigned port;
};

/* NULL when the arena is full. The configuration is copied. */
MUST_USE struct sasl_client *sasl_client_create(const struct sasl_client_config *config,
                                                struct arena *arena);
void sasl_client_start(struct sasl_client *client, struct sasl_client_event *event);
void sasl_client_step(struct sasl_client *client, struct span challenge,
                      struct sasl_client_event *event);
/* The server said yes; with bytes, where the protocol has that (else data is NULL). False: it is
 * not the server that it should be, or has left out a step. */
MUST_USE bool sasl_client_finish(struct sasl_client *client, const struct span *data);

/* For logs. */
const char *sasl_client_failure_text(enum sasl_client_failure failure);

#endif
