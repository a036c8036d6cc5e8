/* smtp/tlsa - what DNS says of a mail server's certificate, under DNSSEC (RFC 7672 section 2.2).
 * Interface: tlsa_look_up(). For tasks. Callers: smtp/protection. */
#ifndef SMTP_TLSA_H
#define SMTP_TLSA_H

#include "dns/client.h"
#include "plan.h"
#include "tls/dane.h"

enum tlsa_status {
    TLSA_FOUND,
    TLSA_NONE,     /* the server has no records that anybody vouches for */
    TLSA_UNUSABLE, /* it has, and none says anything to us */
    TLSA_FAILED    /* it cannot be told now, or somebody tampers with DNS */
};

struct tlsa {
    enum tlsa_status status;
    struct tls_dane_record *records; /* the usable ones */
    size_t count;
    struct span base_domain; /* whose records they are */
};

/* is_forced: also for a host whose addresses nobody vouches for. Results are the arena's. */
void tlsa_look_up(struct dns_client *dns, const struct plan_target *target, bool is_forced,
                  const struct tls_dane_digests *digests, struct arena *arena, struct tlsa *tlsa);

#endif
