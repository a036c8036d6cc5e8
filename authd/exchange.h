/* authd/exchange - one client authenticates: the mechanism's steps, the databases, the verdict.
 * Each exchange is a task. Who started it (a channel, the Dovecot protocol) is told each answer and
 * that it is over; after exchange_abandon() he is told nothing more.
 * Callers: authd/clients, authd/dovecot_server. */
#ifndef AUTHD_EXCHANGE_H
#define AUTHD_EXCHANGE_H

#include "auth/client.h"
#include "authd.h"

struct exchange;

struct exchange_owner {
    uint32_t asker; /* the number of the process whose client it is; 0: of auth_socket's */
    /* The answer's texts last for the call. */
    void (*on_answer)(void *context, const struct auth_answer *answer);
    /* It is gone: after the last answer, or because the client took too long for one. */
    void (*on_end)(void *context);
    void *context;
};

/* What the start names is copied. NULL: memory is out, or there are too many: no asker has more
 * than half of what the others leave, with those that it has abandoned and that have not ended. */
MUST_USE struct exchange *exchange_start(struct authd *authd, const struct auth_start *start,
                                         const struct exchange_owner *owner);
/* The client's response; false when none is waited for. */
MUST_USE bool exchange_continue(struct exchange *exchange, struct span response);
/* Nobody is interested any more; the memory goes when what has begun has ended. */
void exchange_abandon(struct exchange *exchange);

#endif
