/* smtp/protection - how the way to a next hop is to be protected: smtp_tls_security_level,
 * smtp_tls_policy_maps, and what the domain's own records ask for.
 * Interface: protection_find_rules() once for a next hop, protection_for_target() for each address.
 * For tasks. Callers: smtp/delivery. */
#ifndef SMTP_PROTECTION_H
#define SMTP_PROTECTION_H

#include "agent.h"
#include "nexthop.h"

/* What the message itself asks for (RFC 8689). */
enum protection_request {
    PROTECTION_AS_USUAL,
    PROTECTION_REQUIRED, /* REQUIRETLS */
    PROTECTION_OPTIONAL  /* TLS-Required: No: what the next hop asks for does not count */
};

/* What holds for all hosts of a next hop. */
struct protection_rules {
    struct tls_policy policy;
    uint8_t digest[TLS_WISH_DIGEST_BYTES]; /* of all that */
    bool allows_reuse;
    enum protection_request request;
    bool has_entry;   /* in smtp_tls_policy_maps: the operator has decided */
    bool follows_sts; /* the domain's MTA-STS policy counts */
    /* The rest depends on the host: on what DNS, policies or tables say of it now. */
    bool depends_on_host;
    bool has_asked_sts;
    struct sts_policy sts;
};

/* False, with *failure filled, when it cannot be told now, or what the operator wrote makes no
 * sense: mail waits then. Texts are the arena's. */
MUST_USE bool protection_find_rules(struct agent *agent, const struct nexthop *nexthop,
                                    struct span destination, enum protection_request request,
                                    struct arena *arena, struct protection_rules *rules,
                                    struct failure *failure);
/* The same for one host: it cannot be used when this is false. */
MUST_USE bool protection_for_target(struct agent *agent, struct protection_rules *rules,
                                    const struct nexthop *nexthop, const struct plan_target *target,
                                    struct arena *arena, struct protection *protection,
                                    struct failure *failure);

/* Fills a temporary failure of 4.7.5; always false. A text without bytes: memory is out. */
bool protection_fail(struct failure *failure, struct span text);
/* None at all. */
MUST_USE struct protection protection_none(void);

#endif
