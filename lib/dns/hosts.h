/* dns/hosts - what mail asks of DNS: the hosts of a domain, the addresses of hosts, the name of a
 * client. All to be called from a task; results are the arena's.
 * Callers: smtp, smtpd. */
#ifndef DNS_HOSTS_H
#define DNS_HOSTS_H

#include "address/ip.h"
#include "dns/client.h"

enum {
    DNS_WANT_IPV4 = 1,
    DNS_WANT_IPV6 = 2,
    DNS_HOST_ADDRESSES_MAX = 64, /* of one name; of a family half, where both are asked for */
    DNS_MX_HOSTS_MAX = 64,
    DNS_PTR_NAMES_MAX = 4 /* names of one client that are looked at */
};

struct dns_addresses {
    enum dns_status status; /* found when either family has one; else the gravest of both */
    const char *reason;     /* dns_answer_reason() of it */
    enum dns_failure failure;
    uint16_t type; /* the question that reason is about */
    struct ip_address *list;
    size_t count;
    bool is_authenticated;      /* every answer with addresses is, by a resolver that we trust */
    struct span canonical_name; /* where the aliases of the name end; empty: none was found */
};

/* IPv6 and IPv4 addresses of names, all looked up at once; count results. No status is worse than
 * temporary, and none absent unless every family asked for is. */
void dns_lookup_addresses(struct dns_client *client, const struct span *names, size_t count,
                          unsigned wanted, int64_t deadline_ms, struct arena *arena,
                          struct dns_addresses *results);

struct dns_mx_host {
    struct span name;
    uint16_t preference;
};

struct dns_mx {
    struct dns_answer answer;
    bool is_null; /* the domain takes no mail (RFC 7505) */
    /* By preference, names that cannot be a mail host's left out. Some domains have an IPv4 address
     * for a name. */
    struct dns_mx_host *hosts;
    size_t host_count;
};

void dns_lookup_mx(struct dns_client *client, struct span domain, int64_t deadline_ms,
                   struct arena *arena, struct dns_mx *mx);

/* What DNS says of a client's address. */
struct dns_client_name {
    struct span name;         /* whose addresses include this one; "unknown" when there is none */
    struct span reverse_name; /* what the PTR record says, confirmed or not; or "unknown" */
    enum dns_status status; /* of name: found, no such name (absent or not confirmed), temporary */
    enum dns_status reverse_status;
};

void dns_lookup_client_name(struct dns_client *client, const struct ip_address *address,
                            int64_t deadline_ms, struct arena *arena,
                            struct dns_client_name *result);

#endif
