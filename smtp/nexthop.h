/* smtp/nexthop - the forms in which a next hop is written, as in Postfix's transport(5):
 *   domain          the hosts that its MX records name
 *   domain:port     the same, on another port
 *   [host]          that host
 *   [host]:port
 *   [192.0.2.1], [ipv6:2001:db8::1], [2001:db8::1], with :port or without
 * Several, separated by commas or white space, are tried in that order.
 * Interface: nexthop_parse(). Pure. Callers: smtp/delivery. */
#ifndef SMTP_NEXTHOP_H
#define SMTP_NEXTHOP_H

#include "address/ip.h"
#include "base/arena.h"
#include "base/parse.h"

enum { NEXTHOP_LIST_MAX = 10 };

struct nexthop {
    struct span host;          /* without brackets */
    struct ip_address address; /* IP_FAMILY_NONE unless the host is written as one */
    uint16_t port;
    bool is_host;     /* in brackets: no MX records */
    struct span path; /* of a Unix socket, and nothing else then; else empty */
};

/* One next hop, without white space around it. For LMTP there are no MX records, and two more
 * forms: unix:path       a Unix socket inet:...        a host, as above */
MUST_USE enum parse_result nexthop_parse(struct span text, uint16_t default_port, bool is_lmtp,
                                         struct nexthop *nexthop);
/* The same next hop with A-labels in place of U-labels in its name. */
MUST_USE enum parse_result nexthop_to_ascii(struct span text, struct arena *arena,
                                            struct span *ascii);
/* A number from 1 to 65535, or the name of a mail service ("smtp", "submission", "lmtp" ...). */
MUST_USE bool nexthop_parse_port(struct span text, uint16_t *port);

#endif
