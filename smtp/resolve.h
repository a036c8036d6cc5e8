/* smtp/resolve - from a next hop to the addresses to try, by DNS.
 * Interface: resolve_nexthop(). For tasks. Callers: smtp/delivery. */
#ifndef SMTP_RESOLVE_H
#define SMTP_RESOLVE_H

#include "conf/smtp.h"
#include "dns/client.h"
#include "nexthop.h"
#include "plan.h"
#include "connection.h"

struct resolve_context {
    struct dns_client *dns;
    const struct conf_smtp *settings;
    const struct ip_address *own; /* addresses at which this machine takes mail */
    size_t own_count;
    struct span hosts_file; /* the text of hosts(5), where it is looked at */
    bool speaks_lmtp;       /* a mail store, which may well be here */
};

/* No MX records are asked for, and names are looked for as the system does. */
MUST_USE bool resolve_is_without_dns(const struct conf_smtp *settings);

/* Fills the plan, ordered, with at least one target. False with *failure: the next hop does not
 * exist or takes no mail (permanent), or cannot be looked up now; texts are the arena's. */
MUST_USE bool resolve_nexthop(const struct resolve_context *context, const struct nexthop *nexthop,
                              struct plan *plan, struct arena *arena, struct failure *failure);

#endif
