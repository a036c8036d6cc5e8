/* smtp/domain_policy - what the next hop's own records ask of a connection: DANE (RFC 7672) and,
 * where that has nothing to say, MTA-STS (RFC 8461 section 2: DANE comes first). For tasks.
 * Callers: smtp/protection. */
#ifndef SMTP_DOMAIN_POLICY_H
#define SMTP_DOMAIN_POLICY_H

#include "protection.h"

/* The wish has a level of DANE, which becomes what the records make of it. False, with *failure
 * filled, when the host cannot be used. */
MUST_USE bool domain_policy_apply_dane(struct agent *agent, const struct nexthop *nexthop,
                                       const struct plan_target *target, struct arena *arena,
                                       struct protection *protection, struct failure *failure);
/* The wish has the level may, which becomes secure where the policy is enforced. */
MUST_USE bool domain_policy_apply_sts(struct agent *agent, const struct nexthop *nexthop,
                                      const struct plan_target *target, struct arena *arena,
                                      struct protection_rules *rules, struct protection *protection,
                                      struct failure *failure);
/* The message requires TLS (RFC 8689 section 4.2.1), and the operator asked for no certain server:
 * the host must be the one that DNSSEC or the MTA-STS policy names, and prove it. */
MUST_USE bool domain_policy_require(struct agent *agent, const struct nexthop *nexthop,
                                    const struct plan_target *target, struct arena *arena,
                                    struct protection_rules *rules, struct protection *protection,
                                    struct failure *failure);

#endif
