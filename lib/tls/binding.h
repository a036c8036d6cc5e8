/* tls/binding - what ties a proof of who somebody is to the TLS connection it is given over, so
 * that it is worth nothing over another one: channel bindings of RFC 5929 and RFC 9266.
 * Interface: tls_binding_append(). Callers: lib/smtpsession. */
#ifndef TLS_BINDING_H
#define TLS_BINDING_H

#include <openssl/ssl.h>

#include "base/buffer.h"

enum { TLS_BINDING_MAX_BYTES = EVP_MAX_MD_SIZE };

/* "tls-exporter", "tls-unique" and "tls-server-end-point". False where the connection has none of
 * that kind:
 * - tls-unique is not defined for TLS 1.3 (RFC 9266 section 3), and is as good as none where the
 *   master secret does not depend on the whole handshake (RFC 7627);
 * - the same holds for tls-exporter in TLS 1.2 (RFC 9266 section 4.2);
 * - tls-server-end-point wants a certificate whose signature has one hash (RFC 5929 section 4.1).
 * For both sides. */
MUST_USE bool tls_binding_append(SSL *ssl, struct span name, struct buffer *output);

#endif
