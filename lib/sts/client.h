/* sts/client - ask stsd for a domain's MTA-STS policy (RFC 8461), from a task.
 * Interface: sts_client_init(), sts_client_attach(), sts_lookup(), sts_permits().
 * Callers: smtp. */
#ifndef STS_CLIENT_H
#define STS_CLIENT_H

#include "ipc/channel.h"
#include "mtasts/policy.h"
#include "tlsrpt/result.h"

struct sts_client {
    struct loop *loop;
    struct ipc_channel *channel; /* NULL while there is none */
};

enum sts_state {
    STS_NONE,    /* the domain has no policy, or says that it has none: as without MTA-STS */
    STS_TESTING, /* deliver whatever happens, but report */
    STS_ENFORCE, /* only to hosts that sts_permits(), with a certificate that web PKI proves to be
                  * theirs (section 4.2) */
    STS_UNKNOWN  /* stsd is not there or cannot ask: delivery waits, since there may be a policy to
                  * enforce */
};

/* The texts are the arena's. */
struct sts_policy {
    enum sts_state state;
    struct mtasts_policy policy; /* when testing or enforce: mode, max_age_s, text */
    struct span id;
    /* What stsd met on the way to the present policy (TLSRPT_STS_...), for the report of this
     * session; TLSRPT_SUCCESS: nothing. May come with every state: an old policy counts on. */
    enum tlsrpt_result failure;
    struct span reason; /* of the failure, or of unknown */
};

void sts_client_init(struct sts_client *client, struct loop *loop);
/* Takes over a channel end to stsd in place of the one before. */
void sts_client_attach(struct sts_client *client, int descriptor);

/* From a task. domain: the next hop whose MX records are followed, or the configured relay; a
 * U-label, an address literal or a name that cannot be in DNS has none. The first question for a
 * domain may wait for an HTTPS request, up to the deadline or mta_sts_fetch_timeout. */
void sts_lookup(struct sts_client *client, struct span domain, int64_t deadline_ms,
                struct arena *arena, struct sts_policy *policy);

/* May this host, as the MX record names it, take the domain's mail? True where there is nothing to
 * hold it against. In testing the caller goes on and reports TLSRPT_VALIDATION_FAILURE. */
MUST_USE bool sts_permits(const struct sts_policy *policy, struct span host);

#endif
