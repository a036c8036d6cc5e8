/* addrd/resolver - what an address is and where mail for it goes: Postfix's address classes.
 * The order: the address is completed ($myorigin, $mydomain), routes in the local part of an
 * address at our own name are followed (user%other@here), then the domain decides the class
 * (mydestination and our address literals, virtual_alias_domains, virtual_mailbox_domains,
 * relay_domains, everybody else), the class the transport and next hop, and transport_maps may
 * replace both.
 * Interface: resolver_check_recipient(), resolver_route(). Straight-line code that asks tables;
 * where one is slow the task parks in the lookup. Callers: addrd/questions, tests. */
#ifndef ADDRD_RESOLVER_H
#define ADDRD_RESOLVER_H

#include "addr/client.h"
#include "tables.h"

enum { RESOLVER_ARENA_BYTES = 4 << 20 }; /* the least that one question's arena should hold */

struct resolver {
    const struct conf_addrd *settings;
    struct addr_tables tables;
    const struct ip_address *own_addresses; /* inet_interfaces and proxy_interfaces */
    size_t own_address_count;
    uint8_t seed[16]; /* of sets of addresses, which strangers choose */
    /* Told why a lookup failed; may be NULL. */
    void (*report)(void *context, struct span reason);
    void *report_context;
};

struct expansion; /* expander.h */

struct addr_route {
    struct outcome outcome; /* not OK: no route, and why */
    struct span transport;
    struct span nexthop;
    struct span recipient; /* as the agent is to use it */
    struct span mailbox;   /* for virtual(8): the mailbox, below virtual_mailbox_base; or empty */
};

/* All texts of the results lie in the arena, in the settings, or are literals. flags: enum
 * addr_expand_flags. *check lacks the expansion, which is *expansion. */
void resolver_check_recipient(struct resolver *resolver, struct span recipient, struct span sender,
                              unsigned flags, struct arena *arena, struct addr_check *check,
                              struct expansion *expansion);
/* The same resolver with what address_verify_... says in place of transports and relayhosts, for
 * probes. *settings is filled and has to last as long; the tables stay the first one's. */
void resolver_for_verification(const struct resolver *resolver, struct conf_addrd *settings,
                               struct resolver *result);
void resolver_route(struct resolver *resolver, struct span recipient, struct span sender,
                    struct arena *arena, struct addr_route *route);

/* What a question is answered with when a table could not be asked. */
struct outcome resolver_lookup_failure(void);

#endif
