/* smtp/plan - in which order the addresses of a next hop are tried (RFC 5321 section 5.1).
 * Interface: plan_add(), plan_order(), plan_cut_at_self(). Pure: chance is handed in.
 * Callers: smtp/resolve. */
#ifndef SMTP_PLAN_H
#define SMTP_PLAN_H

#include "address/ip.h"
#include "base/arena.h"

enum { PLAN_TARGETS_MAX = 100 };

/* One address of one host. */
struct plan_target {
    struct span host;
    struct ip_address address;
    uint16_t preference;
    uint16_t port;
    struct span path;     /* of a Unix socket, which has no address; else empty */
    bool may_not_be_self; /* mail that came back from there would go there again */
    /* What DNSSEC vouches for. */
    bool is_name;           /* the host is one, whose addresses DNS has */
    bool is_address_secure; /* these, and every alias on the way to them */
    bool is_mx;             /* it was named by an MX record */
    bool is_mx_secure;
    struct span canonical_name;        /* where the host's aliases end */
    struct span domain_canonical_name; /* and those of the domain with the MX record */
};

struct plan {
    struct plan_target targets[PLAN_TARGETS_MAX];
    size_t count;
    uint16_t best_preference; /* of all MX records: whose host has no address now is no target */
    bool has_self;            /* this machine is one of the domain's mail exchangers */
};

enum plan_family_preference { PLAN_ANY_FAMILY, PLAN_IPV4_FIRST, PLAN_IPV6_FIRST };

struct plan_rules {
    enum plan_family_preference family_preference; /* smtp_address_preference */
    bool is_random;         /* smtp_randomize_addresses: hosts of one preference share the load */
    bool is_balanced;       /* smtp_balance_inet_protocols */
    uint32_t address_limit; /* smtp_mx_address_limit; 0: none. To balance within it */
    uint32_t (*below)(uint32_t bound); /* 0 <= result < bound, by chance */
};

MUST_USE bool plan_target_equals(const struct plan_target *left, const struct plan_target *right);
/* False, adding nothing, when the plan is full: more addresses than anybody would try. */
bool plan_add(struct plan *plan, const struct plan_target *target);
/* Lower preferences first; among equals the preferred family, then chance. */
void plan_order(struct plan *plan, const struct plan_rules *rules);
/* That one is to be tried before all others. */
void plan_prefer(struct plan *plan, size_t index);

enum plan_self {
    PLAN_SELF_ABSENT,
    PLAN_SELF_IS_BEST,
    PLAN_SELF_IS_BEST_KNOWN, /* nothing is left, but a better host there is: without an address */
    PLAN_SELF_REMOVED
};

/* Where one of our own addresses is among the targets, it and all that are no better go, or mail
 * would travel in a circle (RFC 5321 section 5.1). To be called after plan_order(). */
enum plan_self plan_cut_at_self(struct plan *plan, const struct ip_address *own, size_t own_count);

#endif
