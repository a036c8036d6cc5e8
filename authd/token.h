/* authd/token - is a bearer token good, and whose is it? A JWT is judged by the keys that are here;
 * anything else, or a JWT where there are no keys, by the introspection endpoint (RFC 7662), which
 * fetchd asks.
 * Callers: authd/server, authd/exchange. */
#ifndef AUTHD_TOKEN_H
#define AUTHD_TOKEN_H

#include "authd.h"

/* Before the sandbox: reads auth_oauth2_keys and the client's secret. False after service_say(). */
MUST_USE bool token_prepare(struct authd *authd);

struct token_verdict {
    enum credential_result result; /* MATCH, MISMATCH, EXPIRED, ERROR */
    struct span user;              /* as the token has it */
    struct span reason;            /* for the log */
};

/* From a task. */
void token_check(struct authd *authd, struct span token, struct arena *arena,
                 struct token_verdict *verdict);

#endif
