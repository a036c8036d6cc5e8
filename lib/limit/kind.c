/* limit/kind - see kind.h. */
#include "limit/kind.h"

#define SERVERS (IPC_ROLE_BIT(IPC_ROLE_SMTPD) | IPC_ROLE_BIT(IPC_ROLE_SUBMITD))
#define AUTHENTICATORS IPC_ROLE_BIT(IPC_ROLE_AUTHD)

static const struct limit_kind_facts kinds[LIMIT_KIND_COUNT] = {
    [LIMIT_KIND_CONNECTION] = {"connection", SERVERS, true, false},
    [LIMIT_KIND_MESSAGE] = {"message", SERVERS, true, false},
    [LIMIT_KIND_RECIPIENT] = {"recipient", SERVERS, true, false},
    [LIMIT_KIND_NEW_TLS] = {"newtls", SERVERS, true, false},
    [LIMIT_KIND_AUTH] = {"auth", SERVERS, true, false},
    [LIMIT_KIND_SENDER_MESSAGE] = {NULL, SERVERS, false, true},
    [LIMIT_KIND_SENDER_RECIPIENT] = {NULL, SERVERS, false, true},
    [LIMIT_KIND_GREETING] = {NULL, SERVERS, false, true},
    [LIMIT_KIND_AUTH_ADDRESS] = {NULL, AUTHENTICATORS, false, true},
    [LIMIT_KIND_AUTH_USER] = {NULL, AUTHENTICATORS, false, true},
    [LIMIT_KIND_AUTH_PAIR] = {NULL, AUTHENTICATORS, false, true},
    [LIMIT_KIND_AUTH_KNOWN] = {NULL, AUTHENTICATORS, false, true},
    [LIMIT_KIND_USER_MESSAGE] = {NULL, SERVERS, false, true},
    [LIMIT_KIND_USER_RECIPIENT] = {NULL, SERVERS, false, true},
};

const struct limit_kind_facts *limit_kind_facts(uint32_t kind)
{
    return kind > LIMIT_KIND_NONE && kind < LIMIT_KIND_COUNT ? &kinds[kind] : NULL;
}
