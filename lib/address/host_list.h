/* address/host_list - lists of clients by address, network or name, as smtpd_authorized_xclient_
 * hosts has them. Pure. Callers: smtpd. */
#ifndef ADDRESS_HOST_LIST_H
#define ADDRESS_HOST_LIST_H

#include "address/ip.h"

struct host_pattern {
    bool is_negated;
    bool is_network;
    struct ip_network network;
    struct span name; /* host.example, or .example for what is below it */
};

struct host_list {
    struct host_pattern *patterns; /* in the arena */
    size_t count;
};

/* Words separated by commas or white space: networks as ip_network_list_parse() takes them,
 * anything else is a name; "!" before one excludes it. False when the arena is full. Names are not
 * copied. */
MUST_USE bool host_list_parse(struct span text, struct arena *arena, struct host_list *list);
/* The first pattern that matches decides; none means no. name: confirmed by DNS, or empty. */
MUST_USE bool host_list_has(const struct host_list *list, const struct ip_address *address,
                            struct span name);

#endif
