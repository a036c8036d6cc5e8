/* limit/kind - what is counted, and how: the kinds of counters that limitd keeps. Pure data.
 * A kind's number travels in messages and lies in limitd's state file: numbers are never reused.
 * Callers: lib/limit's client, limitd. */
#ifndef LIMIT_KIND_H
#define LIMIT_KIND_H

#include "ipc/role.h"

enum limit_kind {
    LIMIT_KIND_NONE,
    LIMIT_KIND_CONNECTION,       /* open connections, and new ones per time unit */
    LIMIT_KIND_MESSAGE,          /* MAIL commands */
    LIMIT_KIND_RECIPIENT,        /* RCPT commands */
    LIMIT_KIND_NEW_TLS,          /* TLS sessions without a ticket */
    LIMIT_KIND_AUTH,             /* AUTH commands */
    LIMIT_KIND_SENDER_MESSAGE,   /* messages by reverse-path */
    LIMIT_KIND_SENDER_RECIPIENT, /* recipients by reverse-path */
    LIMIT_KIND_GREETING,     /* clients that waited for the greeting: a fact with a time to live */
    LIMIT_KIND_AUTH_ADDRESS, /* failed logins from a network where the user was never seen */
    LIMIT_KIND_AUTH_USER,    /* the same, by user */
    LIMIT_KIND_AUTH_PAIR,    /* failed logins of a user from a network that is known for it */
    LIMIT_KIND_AUTH_KNOWN,   /* networks from which a user has logged in: a fact */
    LIMIT_KIND_USER_MESSAGE, /* messages by login */
    LIMIT_KIND_USER_RECIPIENT, /* recipients by login */
    LIMIT_KIND_COUNT
};

struct limit_kind_facts {
    const char *name;    /* in Postfix's statistics lines; NULL: has none */
    uint32_t roles;      /* IPC_ROLE_BIT of who may count it */
    bool is_per_service; /* each service of master.cf has counters of its own */
    bool is_persistent;  /* survives the death of limitd */
};

/* NULL for a number that is no kind. */
MUST_USE const struct limit_kind_facts *limit_kind_facts(uint32_t kind);

#endif
