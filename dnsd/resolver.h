/* dnsd/resolver - send questions to the configured resolvers through c-ares, many at a time.
 * Interface: resolver_create(), resolver_ask(). c-ares sends, repeats, changes servers and goes to
 * TCP for a truncated answer; queries are built and answers parsed by lib/dnswire.
 * Callers: dnsd/lookup. */
#ifndef DNSD_RESOLVER_H
#define DNSD_RESOLVER_H

#include "dnswire/answer.h"
#include "servers.h"
#include "system/loop.h"

enum {
    /* Most of these wait for name servers that are dead; the live must not wait for them. */
    RESOLVER_IN_FLIGHT_MAX = 2000,
    RESOLVER_WAITING_MAX = 5000
};

struct resolver;

/* Opens no socket yet; must be called before the sandbox, since c-ares reads files here. NULL
 * when memory is out. */
struct resolver *resolver_create(struct loop *loop, const struct dns_servers *servers);
/* Questions that wait are forgotten without a call of done. */
void resolver_destroy(struct resolver **resolver);

/* done gets the answer, which lives until it returns, in a later turn of the loop. False, and no
 * call of done, when too many wait. */
MUST_USE bool resolver_ask(struct resolver *resolver, const struct dns_question *question,
                           void (*done)(void *context, const struct dns_answer *answer),
                           void *context);

#endif
