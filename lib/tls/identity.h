/* tls/identity - certificates with keys that sign elsewhere, as libssl takes them.
 * Interface: tls_identities_create(), tls_identities_use(). Caller: tls/keys. */
#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include <openssl/ssl.h>

#include "base/span.h"

/* Those of one name, shared and counted. */
struct tls_identities;

/* From the records of KEY_CERTIFICATES_REPLY. NULL when they are malformed, none, or memory is
 * out. */
MUST_USE struct tls_identities *tls_identities_create(struct span chains);
/* One more holder; NULL stays NULL. */
MUST_USE struct tls_identities *tls_identities_share(struct tls_identities *identities);
/* The last holder frees them. */
void tls_identities_release(struct tls_identities **identities);
/* In place of whatever certificates were there. */
MUST_USE bool tls_identities_use(const struct tls_identities *identities, SSL *ssl);
MUST_USE bool tls_identities_use_in_context(const struct tls_identities *identities,
                                            SSL_CTX *context);

#endif
